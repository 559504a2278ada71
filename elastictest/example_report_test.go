package elastictest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
)

// reports is a handler as a user would test it: a handler that makes one report for each
// shard and fire, which takes ten minutes, and a place where reports are kept
// that remembers the greatest fence that it has seen and refuses smaller ones.
type reports struct {
	mu      sync.Mutex
	made    map[string]int // how often the report of a shard and fire was kept
	fences  map[int]uint64 // by shard
	refused int
}

func newReports() *reports { return &reports{made: map[string]int{}, fences: map[int]uint64{}} }

func (r *reports) Handle(ctx context.Context, run elastic.Run) error {
	if err := elastictest.Work(ctx, 10*time.Minute); err != nil {
		return err
	}
	return r.keep(run)
}

func (r *reports) keep(run elastic.Run) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if run.Fence() < r.fences[run.Shard] {
		r.refused++
		return fmt.Errorf("report %s: fence %d, but %d was here before", run.Key(), run.Fence(), r.fences[run.Shard])
	}
	r.fences[run.Shard] = run.Fence()
	r.made[run.Key()]++
	return nil
}

var nightly = elastic.Job{Name: "report", Schedule: "0 0 3 * * ?", Shards: 4, Failover: true}

// Each report is made once, although an instance crashes in the middle.
func TestReport_MadeOnceDespiteCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := newReports()
		c := elastictest.New(t)
		c.Add(nightly, kept)
		c.Start("a", "b", "c")

		c.NextFire("report")
		c.Advance(5 * time.Minute)
		c.Crash("b")
		c.UntilQuiet()

		if len(kept.made) != nightly.Shards {
			t.Errorf("reports were made of %d shards, want all %d", len(kept.made), nightly.Shards)
		}
		for key, times := range kept.made {
			if times != 1 {
				t.Errorf("report %s was made %d times, want once", key, times)
			}
		}
		for _, run := range c.Runs("report") {
			if run.Attempt == 2 && run.Instance == "b" {
				t.Errorf("repeated by the dead: %s", run)
			}
		}
	})
}

// An instance that was paused for too long cannot overwrite a report.
func TestReport_FencedAgainstPausedInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := newReports()
		c := elastictest.New(t)
		c.Add(nightly, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
			_ = elastictest.Work(context.WithoutCancel(ctx), 10*time.Minute) // deaf, as calls of some libraries are
			return kept.keep(run)
		}))
		c.Start("a", "b")

		c.NextFire("report")
		c.Advance(5 * time.Minute)
		c.Pause("b")         // its machine is suspended
		c.Advance(time.Hour) // a has repeated b's runs, with greater fences
		c.Resume("b")        // and b goes on where it stood
		c.UntilQuiet()

		if kept.refused != 2 {
			t.Errorf("%d reports of the one that woke were refused, want both of its shards", kept.refused)
		}
		for key, times := range kept.made {
			if times != 1 {
				t.Errorf("report %s was kept %d times, want once", key, times)
			}
		}
	})
}

// A deployment in the middle of the night repeats nothing.
func TestReport_DeploymentRepeatsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := newReports()
		c := elastictest.New(t, elastic.WithDrainTimeout(15*time.Minute))
		c.Add(nightly, kept)
		c.Start("a", "b", "c")

		c.NextFire("report")
		for _, name := range []string{"a", "b", "c"} { // a rolling restart
			if err := c.Drain(name); err != nil {
				t.Fatal(err)
			}
			c.Start(name)
		}

		for _, run := range c.Runs("report") {
			if run.Attempt != 1 || run.Err != nil {
				t.Errorf("a deployment cost a run: %s", run)
			}
		}
		if len(kept.made) != nightly.Shards {
			t.Errorf("reports were made of %d shards, want all %d", len(kept.made), nightly.Shards)
		}
	})
}
