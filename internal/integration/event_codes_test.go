package integration

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// everySecond is the schedule of most jobs here.
const everySecond = "* * * * * ?"

// returnsAfter returns a handler that returns err after d.
func returnsAfter(d time.Duration, err error) elastic.HandlerFunc {
	return func(ctx context.Context, _ elastic.Run) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
			return err
		}
	}
}

// plant writes a key, as an operator could.
func plant(t *testing.T, c *elastictest.Cluster, key, value string) {
	t.Helper()
	operator := store.NewPortable(c.Server().Connect("operator"), store.Config{})
	op := store.Set(key, []byte(value))
	if _, err := operator.Get(t.Context(), key); errors.Is(err, store.ErrNotFound) {
		op = store.Create(key, []byte(value))
	}
	if _, err := operator.Commit(t.Context(), store.Txn{Do: []store.Op{op}}); err != nil {
		t.Fatal(err)
	}
	if err := operator.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// brokenSink is a sink that fails while it is broken.
type brokenSink struct{ broken atomic.Bool }

func (s *brokenSink) Write(context.Context, history.Batch) error {
	if s.broken.Load() {
		return errors.New("no answer")
	}
	return nil
}

// provoked are scenarios that together have all kinds of events with a reason.
var provoked = map[string]func(t *testing.T, c *elastictest.Cluster){
	"instances fail and leave": func(t *testing.T, c *elastictest.Cluster) {
		c.Add(elastic.Job{
			Name:     "long",
			Schedule: "0 * * * * ?",
			Shards:   4,
			Failover: true,
		}, returnsAfter(40*time.Second, nil))
		c.Add(elastic.Job{Name: "once", Schedule: "0 * * * * ?", Shards: 4}, returnsAfter(40*time.Second, nil))
		c.Start("a", "b", "c")
		c.Advance(70 * time.Second)
		c.Crash("a")
		c.Cut("b")
		c.Advance(time.Minute)
		c.Heal("b")
		c.Advance(time.Minute)
		_ = c.Drain("c")
		c.Advance(time.Minute)
	},
	"handlers fail": func(t *testing.T, c *elastictest.Cluster) {
		c.Add(elastic.Job{
			Name:     "panics",
			Schedule: everySecond,
		}, elastic.HandlerFunc(func(context.Context, elastic.Run) error { panic("boom") }))
		c.Add(elastic.Job{Name: "fails", Schedule: everySecond, Retries: 1}, returnsAfter(0, errors.New("no paper")))
		c.Add(elastic.Job{Name: "skips", Schedule: everySecond}, returnsAfter(0, elastic.Skip("nothing to do")))
		c.Add(elastic.Job{
			Name:     "late",
			Schedule: everySecond,
			Timeout:  time.Second,
			Overlap:  elastic.OverlapSkip,
		}, returnsAfter(time.Minute, nil))
		c.Add(elastic.Job{
			Name:     "replaced",
			Schedule: "0/5 * * * * ?",
			Overlap:  elastic.OverlapReplace,
		}, returnsAfter(time.Minute, nil))
		c.Add(elastic.Job{
			Name:     "deaf",
			Schedule: everySecond,
			Timeout:  time.Second,
		}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
			time.Sleep(time.Minute)
			return nil
		}))
		c.StartWith("a", elastic.WithEvents(func(elastic.Event) { panic("boom") }))
		c.Advance(100 * time.Second)
	},
	"jobs differ": func(t *testing.T, c *elastictest.Cluster) {
		done := returnsAfter(0, nil)
		job := elastic.Job{Name: "changes", Schedule: "0 * * * * ?", Shards: 2}
		c.Add(job, done)
		c.Add(elastic.Job{Name: "mars", Schedule: "0 * * * * ?", Requires: map[string]string{"zone": "mars"}}, done)
		c.Start("a")
		c.Advance(time.Minute)
		for _, change := range []func(){
			func() { job.Disabled = true },
			func() { job.Disabled = false },
			func() { job.Shards = 3 },
		} {
			change()
			if err := c.Scheduler("a").Unregister("changes"); err != nil {
				t.Fatal(err)
			}
			if err := c.AddTo("a", job, done); err != nil {
				t.Fatal(err)
			}
			c.Advance(time.Minute)
			_ = c.Scheduler("a").Unregister("changes")
			if err := c.AddTo("a", job, done, elastic.Overwrite()); err != nil {
				t.Fatal(err)
			}
			c.Advance(time.Minute)
		}
		c.StartWith("m", elastic.WithLabels(map[string]string{"zone": "mars"}))
		tombstone := layout.Job{
			State:   layout.JobRemoved,
			Rev:     2,
			Changed: layout.Changed{By: "li", At: time.Now(), Via: layout.ViaCLI},
		}
		plant(t, c, "jobs/gone", string(tombstone.Encode()))
		if err := c.AddTo("a", elastic.Job{Name: "gone", Schedule: everySecond}, done, elastic.Overwrite()); err != nil {
			t.Fatal(err)
		}
		over := elastic.Job{Name: "over", Schedule: "@at 1999-01-01T00:00:00Z"}
		if err := c.AddTo("a", over, done); err != nil {
			t.Fatal(err)
		}
		c.Advance(time.Minute)
	},
	"the store holds nonsense": func(t *testing.T, c *elastictest.Cluster) {
		done := returnsAfter(0, nil)
		for _, name := range []string{"j", "k", "l", "r"} {
			c.Add(elastic.Job{Name: name, Schedule: everySecond}, done)
		}
		plant(t, c, "instances/newer@1", "nonsense")
		plant(t, c, "jobs/j", "nonsense")
		plant(t, c, "runs/r/0", "nonsense")
		plant(t, c, "jobs/backup/j", "nonsense")
		c.Start("a")
		c.Advance(10 * time.Second)
		plant(t, c, "assignments/k", "nonsense")
		plant(t, c, "signals/l", "nonsense")
		c.Advance(10 * time.Second)
	},
	"clocks differ": func(t *testing.T, c *elastictest.Cluster) {
		c.Add(elastic.Job{Name: "report", Schedule: everySecond}, returnsAfter(0, nil))
		c.StartWith(
			"ahead",
			elastic.WithTesting(elastic.Testing{Now: func() time.Time { return time.Now().Add(time.Hour) }}),
		)
		c.Advance(10 * time.Second)
		_ = c.Drain("ahead")
		c.Start("a", "b")
		c.StartWith(
			"wrong",
			elastic.WithTesting(elastic.Testing{Now: func() time.Time { return time.Now().Add(time.Hour) }}),
		)
		c.Advance(5 * time.Minute)
	},
	"the history fails": func(t *testing.T, c *elastictest.Cluster) {
		c.Add(elastic.Job{Name: "report", Schedule: everySecond}, returnsAfter(0, nil))
		sink := &brokenSink{}
		sink.broken.Store(true)
		rec := history.New(sink, history.Options{Spool: filepath.Join(t.TempDir(), "spool")})
		c.StartWith("a", elastic.WithHistory(rec))
		c.Advance(10 * time.Second)
		sink.broken.Store(false)
		c.Advance(time.Minute)
		c.Leave("a")
		if err := rec.Close(t.Context()); err != nil {
			t.Error(err)
		}
	},
	"an instance is silent, and writes fail": func(t *testing.T, c *elastictest.Cluster) {
		c.Add(elastic.Job{Name: "report", Schedule: "0 * * * * ?", Shards: 2}, returnsAfter(0, nil))
		c.Start("a", "b")
		c.Advance(10 * time.Second)
		c.Client("a").OnRequest(func(r memory.Request) memory.Fault {
			return memory.Fault{Refuse: r.Kind == memory.Transact}
		})
		c.Advance(10 * time.Minute)
		c.Client("a").OnRequest(nil)
		c.Advance(time.Minute)
	},
}

// Each event with a reason has a code, and the arguments that docs/events.md
// names. Each such kind of event is seen here.
func TestEvents_HaveCodes(t *testing.T) {
	seen := map[observe.Kind]bool{}
	for name, course := range provoked {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := elastictest.New(t)
				course(t, c)
				checkEvents(t, c.Events())
				for _, e := range c.Events() {
					seen[e.Kind] = seen[e.Kind] || e.Code != ""
				}
			})
		})
	}
	for _, kind := range kindsOfEvents(t) {
		without := kind == observe.Joined || slices.Contains(withoutReason, kind)
		if seen[kind] == without {
			t.Errorf("kind %q: an event with a code was seen: %t", kind, seen[kind])
		}
	}
}

// The code of a Trouble event says how the store failed, and its arguments
// name the operation.
func TestTrouble_CodeNamesTheFault(t *testing.T) {
	for _, row := range []struct {
		how             error
		at              place
		code, operation string
	}{
		{store.ErrUnavailable, place{keys: "runs/"}, "store_unavailable", "commit"},
		{store.ErrUnknown, place{keys: "runs/"}, "outcome_unknown", "commit"},
		{store.ErrPermission, place{keys: "runs/"}, "permission_denied", "commit"},
		{store.ErrTooLarge, place{keys: "runs/"}, "value_too_large", "commit"},
		{store.ErrInvalid, place{keys: "runs/"}, "request_invalid", "commit"},
		{errors.New("odd"), place{keys: "runs/"}, "store_failed", "commit"},
		{store.ErrUnavailable, place{reads: "runs/"}, "store_unavailable", "read"},
		{store.ErrUnavailable, place{watch: "jobs", flaps: true}, "store_unavailable", "watch"},
		{store.ErrUnavailable, place{keys: "instances/"}, "store_unavailable", "join"},
		{store.ErrEnded, place{watch: "jobs", flaps: true}, "store_ended", ""},
	} {
		t.Run(row.code+" "+row.operation, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var trouble []elastic.Event
				sick := &partly{Store: memory.NewServer().Connect("a"), how: row.how, place: row.at}
				s, err := elastic.New(
					store.NewPortable(sick, store.Config{}),
					elastic.WithEvents(func(e elastic.Event) {
						if e.Kind == observe.Trouble {
							trouble = append(trouble, e)
						}
					}),
				)
				if err != nil {
					t.Fatal(err)
				}
				s.MustAdd(elastic.Job{Name: "report", Schedule: everySecond}, returnsAfter(0, nil))
				_, _ = leaves(t, s, 20*time.Second)
				if len(trouble) == 0 || trouble[0].Code != row.code || trouble[0].Args["operation"] != row.operation {
					t.Errorf(
						"got the events %+v, want the code %s and the operation %s",
						trouble,
						row.code,
						row.operation,
					)
				}
				checkEvents(t, trouble)
			})
		})
	}
}
