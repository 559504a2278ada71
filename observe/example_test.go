package observe_test

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/elasticjob-go/elastic/observe"
)

// Events become log lines with a sentence and with the fields that they have.
func ExampleLog() {
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	log := observe.Log(logger) // elastic.WithLogger gives it to a scheduler

	three := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	log(observe.Event{Kind: observe.Appeared, Instance: "a@1", Subject: "b@1", Shard: -1})
	log(observe.Event{
		Kind:     observe.TookOver,
		Instance: "a@1",
		Job:      "report",
		Shard:    5,
		Fire:     three,
		Attempt:  2,
		Fence:    7,
		Subject:  "b@1",
	})
	log(observe.Event{
		Kind:  observe.Missed,
		Job:   "report",
		Shard: -1,
		Fire:  three,
		Count: 3,
	})
	// Output:
	// level=INFO msg="instance b@1 appeared" kind=appeared instance=a@1 subject=b@1
	// level=INFO msg="instance a@1 took over shard 5 of report (attempt 2)" kind="took over" instance=a@1 job=report shard=5 fire=2026-01-02T03:00:00Z attempt=2 fence=7 subject=b@1
	// level=WARN msg="job report missed 3 fires" kind=missed job=report fire=2026-01-02T03:00:00Z count=3
}

// Alarms are the kinds of events that need a person.
func ExampleKind_Alarm() {
	for _, kind := range []observe.Kind{observe.TookOver, observe.Abandoned, observe.Stuck} {
		fmt.Println(kind, kind.Alarm())
	}
	// Output:
	// took over false
	// abandoned true
	// stuck true
}

// An observer measures the longest run of each job.
func ExampleEvent() {
	took := map[string]time.Duration{}
	measure := func(e observe.Event) { // elastic.WithEvents calls it from one goroutine
		if e.Kind == observe.Ended {
			took[e.Job] = max(took[e.Job], e.Took)
		}
	}
	measure(observe.Event{Kind: observe.Ended, Job: "report", Result: "ok", Took: 3 * time.Second})
	measure(observe.Event{
		Kind:   observe.Ended,
		Job:    "report",
		Shard:  1,
		Result: "ok",
		Took:   2 * time.Second,
	})
	fmt.Println(took)
	// Output:
	// map[report:3s]
}

// The instance that takes a run over tells of the attempt that was lost: the
// instance of that attempt is dead, and can't.
func ExamplePrior() {
	lost := func(e observe.Event) {
		if p := e.Prior; p.Owner != "" && e.Kind != observe.Reclaimed {
			fmt.Printf("%s lost attempt %d of %s/%d, fence %d\n", p.Owner, p.Attempt, e.Job, e.Shard, p.Fence)
		}
	}
	lost(observe.Event{
		Kind:    observe.TookOver,
		Job:     "report",
		Shard:   5,
		Attempt: 2,
		Fence:   8,
		Prior:   observe.Prior{Owner: "b@1", Attempt: 1, Fence: 7},
	})
	// Output:
	// b@1 lost attempt 1 of report/5, fence 7
}
