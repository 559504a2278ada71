package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// A job without claims costs the store nothing.
func TestUnclaimed_CostsTheStoreNothing(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "* * * * * ?", Shards: 4, Unclaimed: true}}
		a := c.start("a")
		c.start("b")
		c.until("they share", func() bool { return c.balanced("report", "a", "b") })
		c.pass(5500 * time.Millisecond)
		before, runs := a.store.Counts(), c.total()
		c.pass(10 * time.Second)
		if n := c.total() - runs; n != 40 {
			t.Errorf("%d runs in ten seconds, want one a second for each shard", n)
		}
		if cost := a.store.Counts().Sub(before); cost.Commits > 1 || cost.Reads() > 4 { // a heartbeat, and a resync
			t.Errorf("the runs cost %d commits and %d reads", cost.Commits, cost.Reads())
		}
		for _, r := range c.find(func(*ran) bool { return true }) {
			if r.fence != 0 {
				t.Fatalf("a run has fence %d, but no claim stands behind it", r.fence)
			}
		}
		for _, e := range c.server.Dump() {
			if strings.HasPrefix(e.Key, "runs/") {
				t.Errorf("the store holds %s", e.Key)
			}
		}
		if _, err := a.sched.Trigger(context.Background(), "report"); err == nil ||
			!strings.Contains(err.Error(), "without claims") {
			t.Errorf("Trigger: %v", err)
		}
	})
}

// A shard without claims is run by its owner. Fires missed between owners are
// not made up for.
func TestUnclaimed_OwnerRunsShard(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "* * * * * ?", Shards: 4, Unclaimed: true}}
		c.start("a")
		b := c.start("b")
		c.until("they share", func() bool { return c.balanced("report", "a", "b") })
		c.pass(3 * time.Second)
		c.crash(b)
		c.pass(ttl + 2500*time.Millisecond)
		since := time.Now()
		c.pass(5 * time.Second)
		if n := len(c.find(func(r *ran) bool { return r.start.After(since) })); n != 20 {
			t.Errorf("%d runs in five seconds on the remaining instance, want 20", n)
		}
		for _, r := range c.find(func(*ran) bool { return true }) {
			if late := r.start.Sub(r.fire); late > 100*time.Millisecond {
				t.Errorf(
					"shard %d began the fire of %s at %s, but missed fires are not made up for",
					r.shard,
					stamp(r.fire),
					stamp(r.start),
				)
			}
		}
	})
}

// Claims can be switched off and on while the job runs.
func TestUnclaimed_CanBeSwitched(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/2 * * * * ?", Shards: 2, Failover: false}}
		c.does(sleepFor(3 * time.Second)) // so that a run is always in progress
		c.start("a")
		c.start("b")
		c.pass(11 * time.Second)
		for _, unclaimed := range []bool{true, false, true, false} {
			c.overwrite("report", func(s *layout.Spec) { s.Unclaimed = unclaimed })
			since := time.Now()
			c.pass(20 * time.Second)
			n := 0
			for _, r := range c.find(func(r *ran) bool { return r.start.After(since.Add(time.Second)) }) {
				if n++; (r.fence == 0) != unclaimed {
					t.Errorf("unclaimed %v: a run at %s has fence %d", unclaimed, stamp(r.start), r.fence)
				}
			}
			if n < 8 {
				t.Errorf("unclaimed %v: %d runs in 20 seconds", unclaimed, n)
			}
		}
	})
}

// A job without claims cannot have failover.
func TestUnclaimed_RefusesFailover(t *testing.T) {
	err := elastic.Job{Name: "report", Schedule: "* * * * * ?", Unclaimed: true, Failover: true}.Validate()
	if err == nil || !strings.Contains(err.Error(), "failover: a job without claims has none") {
		t.Errorf("got %v", err)
	}
}

// A job without claims can lose shards. The leader deletes the records that
// they have from a time when the job had claims.
func TestUnclaimed_ReshardDeletesRecords(t *testing.T) {
	for _, claimed := range []bool{false, true} {
		bubble(t, func(c *cluster) {
			c.jobs = []elastic.Job{{Name: "report", Schedule: "* * * * * ?", Shards: 4, Unclaimed: !claimed}}
			c.start("a")
			c.start("b")
			c.pass(10 * time.Second)
			c.overwrite("report", func(s *layout.Spec) { s.Shards, s.Unclaimed = 2, true })
			c.pass(10 * time.Second)
			for _, e := range c.server.Dump() {
				if item, err := layout.ShardOf(e.Key); err == nil && item >= 2 && strings.HasPrefix(e.Key, "runs/") {
					t.Errorf("claimed before %t: %s is still stored", claimed, e.Key)
				}
			}
			late := c.find(func(r *ran) bool { return r.shard >= 2 && time.Since(r.start) < 8*time.Second })
			if n := len(c.find(func(r *ran) bool {
				return r.shard < 2 && time.Since(r.start) < 8*time.Second
			})); len(late) > 0 || n < 14 {
				t.Errorf(
					"claimed before %t: the remaining shards ran %d times, the removed ones %d times",
					claimed,
					n,
					len(late),
				)
			}
		})
	}
}
