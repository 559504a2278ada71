package integration

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
)

// ofRuns are the kinds of events about a run that this instance has started.
var ofRuns = []observe.Kind{observe.Began, observe.TookOver, observe.Reclaimed, observe.Ended, observe.HandedOver}

// checkFields checks the fields that depend on each other in all events of a
// test.
func checkFields(t *testing.T, events []elastic.Event) {
	t.Helper()
	for _, e := range events {
		hasPrior := e.Kind == observe.TookOver || e.Kind == observe.Reclaimed || e.Kind == observe.Abandoned
		if got := e.Prior != (observe.Prior{}); got != hasPrior {
			t.Errorf("the event %q has the prior attempt %+v", e.Kind, e.Prior)
		}
		if hasPrior && (e.Prior.Attempt < 1 || e.Prior.Started.IsZero()) {
			t.Errorf("the event %q has an incomplete prior attempt: %+v", e.Kind, e.Prior)
		}
		if !slices.Contains(ofRuns, e.Kind) {
			continue
		}
		if e.Started.IsZero() || e.Total < 1 || e.Rev < 1 {
			t.Errorf("the event %q has no time of its start, number of shards or revision: %+v", e.Kind, e)
		}
		if want := max(e.Started.Sub(e.Due), 0); !e.Due.IsZero() && e.Late != want {
			t.Errorf("the event %q is late by %s, want %s: %+v", e.Kind, e.Late, want, e)
		}
	}
}

// The instance that takes a run over tells of the attempt that was lost.
func TestEvents_TakeOverTellsPriorAttempt(t *testing.T) {
	bubble(t, func(c *cluster) {
		a, _ := c.onRunning(elastic.Job{Name: "report", Schedule: "0 1 0 * * ?", Shards: 1, Failover: true})
		before := c.record("report", 0)
		c.crash(a)
		c.until("b has taken the run over", func() bool { return len(c.seen(observe.TookOver)) == 1 })
		e := c.seen(observe.TookOver)[0]
		want := observe.Prior{Owner: before.Owner, Fence: before.Fence, Attempt: 1, Started: before.Started}
		if e.Prior != want || e.Subject != before.Owner || e.Attempt != 2 || e.Fence != before.Fence+1 {
			t.Errorf("got %+v, want the prior attempt %+v", e, want)
		}
		if !e.Due.Equal(before.Fire) || e.Late < ttl {
			t.Errorf("due %s, late by %s: want the fire %s, and at least the session TTL", e.Due, e.Late, before.Fire)
		}
	})
}

// A run that is given up is told with its last attempt.
func TestEvents_AbandonedTellsPriorAttempt(t *testing.T) {
	bubble(t, func(c *cluster) {
		a, _ := c.onRunning(elastic.Job{Name: "report", Schedule: "0 1 0 * * ?", Shards: 1})
		before := c.record("report", 0)
		c.crash(a)
		c.until("b has given the run up", func() bool { return len(c.seen(observe.Abandoned)) == 1 })
		e := c.seen(observe.Abandoned)[0]
		want := observe.Prior{Owner: before.Owner, Fence: before.Fence, Attempt: 1, Started: before.Started}
		if e.Prior != want || e.Result != "lost" || e.Total != 1 || !e.Due.Equal(before.Fire) {
			t.Errorf("got %+v, want the prior attempt %+v", e, want)
		}
	})
}

// A run that was claimed again is told with the claim of the session before.
func TestEvents_ReclaimedTellsPriorClaim(t *testing.T) {
	bubble(t, func(c *cluster) {
		a, _ := c.onRunning(endless)
		before := c.record("report", 0)
		a.client.Cut()
		c.until("the session is over", func() bool { return len(c.server.Sessions()) == 1 })
		c.pass(15 * time.Second)
		a.client.Heal()
		c.until("a has reclaimed the run", func() bool { return len(c.seen(observe.Reclaimed)) == 1 })
		e := c.seen(observe.Reclaimed)[0]
		want := observe.Prior{Owner: before.Owner, Fence: before.Fence, Attempt: 1, Started: before.Started}
		if e.Prior != want || e.Fence != before.Fence+1 || e.Attempt != 1 {
			t.Errorf("got %+v, want the prior claim %+v", e, want)
		}
	})
}

// A run tells when it was due: with the delay by the jitter, and for a trigger
// at its time. A shard that waits for a limit is late.
func TestEvents_TellWhenRunWasDue(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(20 * time.Second))
		c.jobs = []elastic.Job{
			{Name: "late", Schedule: "0 1 0 * * ?", Shards: 2, MaxConcurrent: 1},
			{Name: "spread", Schedule: "0 1 0 * * ?", Shards: 2, Jitter: time.Minute},
			{Name: "asked", Schedule: "@manual", Shards: 1},
		}
		a := c.start("a")
		c.pass(10 * time.Second)
		asked := time.Now()
		if _, err := a.sched.Trigger(context.Background(), "asked"); err != nil {
			t.Fatal(err)
		}
		c.until("all have ended", func() bool { return len(c.seen(observe.Ended)) == 5 })
		var lateness []time.Duration
		for _, e := range c.seen(observe.Ended) {
			switch e.Job {
			case "late":
				lateness = append(lateness, e.Late)
				if !e.Due.Equal(e.Fire) {
					t.Errorf("due %s, want the fire %s", e.Due, e.Fire)
				}
			case "spread":
				if delay := e.Due.Sub(e.Fire); delay < 0 || delay >= time.Minute || e.Late > time.Second {
					t.Errorf("shard %d was due %s after its fire and late by %s", e.Shard, delay, e.Late)
				}
			case "asked":
				if e.Due.Sub(asked).Abs() > time.Second || !e.Manual() {
					t.Errorf("the trigger of %s was due at %s, manual: %v", asked, e.Due, e.Manual())
				}
			}
		}
		slices.Sort(lateness)
		if len(lateness) != 2 || lateness[0] > time.Second || lateness[1] < 20*time.Second {
			t.Errorf("the shards were late by %v, want the second to have waited for the first", lateness)
		}
	})
}

// The run of a job that follows another has no time at which it was due.
func TestEvents_FollowerHasNoDueTime(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(20 * time.Second))
		c.jobs = []elastic.Job{
			{Name: "first", Schedule: "0 1 0 * * ?", Shards: 1},
			{Name: "second", After: []string{"first"}, Shards: 1},
		}
		c.start("a")
		c.until("both have ended", func() bool { return len(c.seen(observe.Ended)) == 2 })
		if e := c.seen(observe.Ended)[1]; e.Job != "second" || !e.Due.IsZero() || e.Late != 0 {
			t.Errorf("got %+v, want no due time of the second job", e)
		}
	})
}

// The end of a run tells how often the handler was called again.
func TestEvents_EndTellsRetries(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(func(_ context.Context, run elastic.Run) error {
			if run.Retry < 2 {
				return errors.New("out of paper")
			}
			return nil
		})
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 1 0 * * ?", Shards: 3, Retries: 5}}
		c.start("a")
		c.until("all have ended", func() bool { return len(c.seen(observe.Ended)) == 3 })
		for _, e := range c.seen(observe.Ended) {
			if e.Retries != 2 || e.Total != 3 || e.Result != "ok" {
				t.Errorf("got %+v, want 2 retries of a shard of 3", e)
			}
		}
	})
}

// docs/events.md has each field of an event, and no other.
func TestEvents_FieldsAreDocumented(t *testing.T) {
	var want []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[observe.Event]()) {
		want = append(want, f.Name)
	}
	var got []string
	for _, row := range table(t, "Fields") {
		got = append(got, list(row[0])...)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("docs/events.md has the fields\n%v\nwant\n%v", got, want)
	}
}
