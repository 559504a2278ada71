package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// Shards can be added and removed while the job runs.
func TestReshard_WhileJobRuns(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Shards: 4, Failover: true}}
		c.does(sleepFor(7 * time.Second))
		c.start("a")
		c.start("b")
		c.until("the job is assigned", func() bool { return c.balanced("report", "a", "b") })
		for _, shards := range []int{4, 9, 2, 3} {
			c.overwrite("report", func(s *layout.Spec) { s.Shards = shards })
			c.pass(31 * time.Second)
			by := map[int]int{}
			for _, r := range c.find(func(r *ran) bool { return time.Since(r.start) < 15*time.Second }) {
				by[r.shard]++
			}
			if len(by) != shards || len(c.owners("report")) != shards {
				t.Errorf(
					"with %d shards: the runs are %v, and %d shards are assigned",
					shards,
					by,
					len(c.owners("report")),
				)
			}
			records := 0
			for _, e := range c.server.Dump() {
				if strings.HasPrefix(e.Key, "runs/") {
					records++
				}
			}
			if records != shards {
				t.Errorf("with %d shards: %d records", shards, records)
			}
		}
	})
}

// The fences of a shard that was removed and comes back are greater than
// before, although the clock of its new owner is behind.
func TestReshard_FencesGrow(t *testing.T) {
	bubble(t, func(c *cluster) {
		off := func(d time.Duration) elastic.Option {
			return elastic.WithTesting(elastic.Testing{Now: func() time.Time { return time.Now().Add(d) }})
		}
		c.jobs = []elastic.Job{{Name: "report", Schedule: "@manual", Shards: 2}}
		runsOn1 := func(n *node) {
			seq := c.trigger(n)
			c.until("shard 1 has run", func() bool {
				return len(c.find(func(r *ran) bool { return r.shard == 1 && r.trigger == seq && !r.end.IsZero() })) > 0
			})
		}
		a := c.start("a", off(2400*time.Millisecond))
		c.until("a owns both", func() bool { return c.balanced("report", "a") })
		runsOn1(a)
		c.overwrite("report", func(s *layout.Spec) { s.Shards = 1 })
		c.until("the record is gone", func() bool { return c.record("report", 1).Fence == 0 })
		b := c.start("b", off(-2400*time.Millisecond))
		c.until("b has a session", func() bool { return len(c.server.Sessions()) == 2 })
		_ = c.leave(a)
		c.overwrite("report", func(s *layout.Spec) { s.Shards = 2 })
		c.until("b owns both", func() bool { return c.balanced("report", "b") })
		runsOn1(b)
		var last uint64
		for _, r := range c.find(func(r *ran) bool { return r.shard == 1 }) {
			if r.fence <= last {
				t.Errorf("%s ran shard 1 with fence %d after %d", r.node.name, r.fence, last)
			}
			last = r.fence
		}
	})
}

// The records of removed shards are deleted although the leader dies in the
// middle.
func TestReshard_RemovesRecords(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Shards: 40, Failover: true}}
		a := c.start("a") // the oldest instance, the leader
		c.start("b")
		c.pass(15 * time.Second)
		c.onCommit(a, 3, func() { c.crash(a) })
		c.overwrite("report", func(s *layout.Spec) { s.Shards = 2 })
		c.until("a dies", func() bool { return c.isDead(a) })
		c.pass(30 * time.Second)
		for _, e := range c.server.Dump() {
			if item, err := layout.ShardOf(e.Key); err == nil && strings.HasPrefix(e.Key, "runs/") && item >= 2 {
				t.Errorf("%s is still stored", e.Key)
			}
		}
	})
}
