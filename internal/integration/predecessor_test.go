package integration

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/observe"
)

// idle is a handler that does nothing.
var idle = elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil })

// waitsFor returns the events with a code about a wait. It fails the test
// unless they are of these kinds, about the whole job, and name this
// predecessor.
func waitsFor(
	t *testing.T, c *elastictest.Cluster, job, code, predecessor string, kinds ...observe.Kind,
) []elastic.Event {
	t.Helper()
	all := eventsOf(c, observe.Waiting, observe.WaitingOver)
	all = slices.DeleteFunc(all, func(e elastic.Event) bool { return e.Job != job || e.Code != code })
	var got []observe.Kind
	for _, e := range all {
		got = append(got, e.Kind)
		if e.Shard != -1 || e.Args["predecessor"] != predecessor || e.Detail == "" {
			t.Errorf("got %+v, want one of the whole job with the predecessor %s", e, predecessor)
		}
	}
	if !slices.Equal(got, kinds) {
		t.Errorf("got %v about %s, want %v: %+v", got, code, kinds, all)
	}
	return all
}

// A job that does not run because a job that it follows has failed reports so
// once for the fleet, and once that it runs again.
func TestPredecessor_Failed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := audited(t)
		fails := true
		c.Add(elastic.Job{
			Name:     "collect",
			Schedule: "0/10 * * * * ?",
			Shards:   2,
		}, elastic.HandlerFunc(func(_ context.Context, run elastic.Run) error {
			if fails && run.Shard == 1 {
				return errors.New("no connection")
			}
			return nil
		}))
		c.Add(elastic.Job{Name: "report", After: []string{"collect"}, Shards: 3}, idle)
		c.Start("a", "b", "c")
		c.Advance(time.Minute)
		waitsFor(t, c, "report", "predecessor_failed", "collect", observe.Waiting)

		fails = false
		c.Until("the job runs", func() bool { return len(c.Runs("report")) == 3 })
		c.Advance(time.Minute)
		waitsFor(t, c, "report", "predecessor_failed", "collect", observe.Waiting, observe.WaitingOver)
	})
}

// A job with AfterEnded does not wait for success.
func TestPredecessor_FailedDoesNotMatter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := audited(t)
		c.Add(elastic.Job{
			Name:     "collect",
			Schedule: "0/10 * * * * ?",
		}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
			return errors.New("no connection")
		}))
		c.Add(elastic.Job{Name: "report", After: []string{"collect"}, AfterEnds: elastic.AfterEnded}, idle)
		c.Start("a", "b")
		c.Advance(time.Minute)
		waitsFor(t, c, "report", "predecessor_failed", "collect")
		if len(c.Runs("report")) < 5 {
			t.Errorf("it ran %d times", len(c.Runs("report")))
		}
	})
}

// A job reports that it follows a job that no live instance has, whether that
// was never stored or its last instance has left. It also reports the end of
// the wait.
func TestPredecessor_Unknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := audited(t)
		c.Start("a", "b", "c")
		collect := elastic.Job{Name: "collect", Schedule: "0/10 * * * * ?"}
		for _, name := range []string{"a", "b"} {
			if err := c.AddTo(name, elastic.Job{Name: "report", After: []string{"collect"}}, idle); err != nil {
				t.Fatal(err)
			}
		}
		c.Advance(time.Minute)
		waitsFor(t, c, "report", "predecessor_unknown", "collect", observe.Waiting)

		if err := c.AddTo("c", collect, idle); err != nil {
			t.Fatal(err)
		}
		c.Advance(time.Minute)
		if len(c.Runs("report")) == 0 {
			t.Error("it does not run although the other job is there")
		}
		kinds := []observe.Kind{observe.Waiting, observe.WaitingOver}
		waitsFor(t, c, "report", "predecessor_unknown", "collect", kinds...)

		c.Leave("c")
		c.Advance(time.Minute)
		waitsFor(t, c, "report", "predecessor_unknown", "collect", append(kinds, observe.Waiting)...)
	})
}

// A job whose instances start one after the other does not report a job that
// it follows as unknown.
func TestPredecessor_StartIsNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := audited(t)
		c.Add(elastic.Job{Name: "report", After: []string{"collect"}}, idle)
		c.Add(elastic.Job{Name: "collect", Schedule: "0/10 * * * * ?"}, idle)
		c.Start("a", "b", "c")
		c.Advance(time.Minute)
		if all := eventsOf(c, observe.Waiting); len(all) > 0 {
			t.Errorf("got %+v", all)
		}
	})
}

// A job reports that it follows a job that is disabled, or that runs without
// claims.
func TestPredecessor_CannotBeFollowed(t *testing.T) {
	for code, collect := range map[string]elastic.Job{
		"predecessor_disabled":  {Disabled: true},
		"predecessor_unclaimed": {Unclaimed: true},
	} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := audited(t)
				collect.Name, collect.Schedule = "collect", "0/10 * * * * ?"
				c.Add(collect, idle)
				c.Add(elastic.Job{Name: "report", After: []string{"collect"}}, idle)
				c.Start("a", "b")
				c.Advance(time.Minute)
				waitsFor(t, c, "report", code, "collect", observe.Waiting)
			})
		})
	}
}

// A job reports that it needs a fire that another job has forgotten. The wait
// is over when the job runs again.
func TestPredecessor_ForgotFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := audited(t)
		runs := 0
		c.Add(elastic.Job{
			Name:     "tick",
			Schedule: "* * * * * ?",
		}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
			if runs++; runs%2 == 0 {
				return errors.New("no connection") // so that no two fires form a series
			}
			return nil
		}))
		slow := true
		c.Add(elastic.Job{
			Name:     "slow",
			Schedule: "0 0/3 * * * ?",
		}, elastic.HandlerFunc(func(ctx context.Context, _ elastic.Run) error {
			if slow {
				time.Sleep(2 * time.Minute)
			}
			return nil
		}))
		c.Add(elastic.Job{Name: "close", After: []string{"tick", "slow"}, AfterEnds: elastic.AfterEnded}, idle)
		c.Start("a", "b")
		c.Advance(6 * time.Minute)
		waitsFor(t, c, "close", "follower_lost_fires", "tick", observe.Waiting)
		if n := len(c.Runs("close")); n != 0 {
			t.Errorf("it ran %d times", n)
		}
		slow = false
		c.Until("the job runs", func() bool { return len(c.Runs("close")) > 0 })
		c.Advance(time.Minute)
		waitsFor(t, c, "close", "follower_lost_fires", "tick", observe.Waiting, observe.WaitingOver)
	})
}
