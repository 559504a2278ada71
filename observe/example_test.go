package observe_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/elasticjob-go/elastic/observe"
)

// Events as log lines: with only what they have, and at the level that they deserve.
func ExampleLog() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	log := observe.Log(logger) // for elastic.WithEvents; elastic.WithLogger does the same

	three := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	log(observe.Event{Kind: observe.Appeared, Instance: "a@1", Subject: "b@1", Shard: -1})
	log(observe.Event{Kind: observe.Ended, Instance: "a@1", Job: "report", Fire: three, Attempt: 1, Fence: 7, Result: "ok", Took: time.Second})
	log(observe.Event{Kind: observe.Ended, Instance: "a@1", Job: "report", Shard: 1, Fire: three, Attempt: 1, Fence: 4, Result: "failed", Err: errors.New("no paper")})
	// Output:
	// level=INFO msg=appeared instance=a@1 subject=b@1
	// level=DEBUG msg=ended instance=a@1 job=report shard=0 fire=2026-01-02T03:00:00Z attempt=1 fence=7 result=ok took=1s
	// level=WARN msg=ended instance=a@1 job=report shard=1 fire=2026-01-02T03:00:00Z attempt=1 fence=4 result=failed error="no paper"
}

// Some kinds of events need a person, sooner or later.
func ExampleKind_Alarm() {
	for _, kind := range []observe.Kind{observe.TookOver, observe.Abandoned, observe.Stuck} {
		fmt.Println(kind, kind.Alarm())
	}
	// Output:
	// took over false
	// abandoned true
	// stuck true
}

// How long runs take, by their job.
func ExampleEvent() {
	took := map[string]time.Duration{}
	measure := func(e observe.Event) { // for elastic.WithEvents, which calls it from one goroutine
		if e.Kind == observe.Ended {
			took[e.Job] = max(took[e.Job], e.Took)
		}
	}
	measure(observe.Event{Kind: observe.Ended, Job: "report", Result: "ok", Took: 3 * time.Second})
	measure(observe.Event{Kind: observe.Ended, Job: "report", Shard: 1, Result: "ok", Took: 2 * time.Second})
	fmt.Println(took)
	// Output:
	// map[report:3s]
}
