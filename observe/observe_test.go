package observe_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/observe"
)

func TestEventsAreLoggedWithWhatTheyHaveAndNothingElse(t *testing.T) {
	var out bytes.Buffer
	log := observe.Log(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})))
	fire := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	log(observe.Event{Kind: observe.Joined, Instance: "a@1", Shard: -1})
	log(observe.Event{Kind: observe.Ended, Instance: "a@1", Job: "report", Shard: 0, Fire: fire, Attempt: 1, Fence: 7, Result: "ok", Took: time.Second})
	log(observe.Event{Kind: observe.Ended, Instance: "a@1", Job: "report", Shard: 0, Fire: fire, Attempt: 1, Fence: 7, Result: "failed", Err: errors.New("out of paper")})
	log(observe.Event{Kind: observe.Unreadable, Job: "report", Shard: -1, Subject: "jobs/report", Err: errors.New("not a job")})
	want := `level=INFO msg=joined instance=a@1
level=DEBUG msg=ended instance=a@1 job=report shard=0 fire=2026-01-02T03:00:00Z attempt=1 fence=7 result=ok took=1s
level=WARN msg=ended instance=a@1 job=report shard=0 fire=2026-01-02T03:00:00Z attempt=1 fence=7 result=failed error="out of paper"
level=WARN msg=unreadable job=report subject=jobs/report error="not a job"
`
	if got := out.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestAlarmsAreWhatNeedsAPerson(t *testing.T) {
	for kind, want := range map[observe.Kind]bool{observe.Abandoned: true, observe.Stuck: true, observe.Unreadable: true, observe.Began: false, observe.Missed: true} {
		if kind.Alarm() != want {
			t.Errorf("%s: alarm %v, want %v", kind, !want, want)
		}
	}
	if strings.Contains(string(observe.TookOver), "_") {
		t.Error("kinds are words for people")
	}
}

// An event's code, count, last fire and arguments are on its line, the
// arguments in the order of their names.
func TestLog_ShowsCodesAndArguments(t *testing.T) {
	var out bytes.Buffer
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}
	log := observe.Log(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime})))
	three := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	log(observe.Event{
		Kind:  observe.Missed,
		Job:   "report",
		Shard: -1,
		Fire:  three,
		Until: three.Add(2 * time.Minute),
		Count: 3,
		Code:  "misfire_skip",
		Args:  map[string]string{"window": "1m0s", "misfire": "skip", "overlap": "queue"},
	})
	want := `msg=missed job=report fire=2026-01-02T03:00:00Z until=2026-01-02T03:02:00Z count=3 code=misfire_skip ` +
		"args.misfire=skip args.overlap=queue args.window=1m0s\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
