package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/store/memory"
)

// The story that this project began with, of ElasticJob 3.0.3: A runs shard 0
// and B shard 1. B dies, A takes shard 1 over, B is back. A dies while it runs
// shard 1, or before, or after. In ElasticJob shard 1 never ran again until an
// operator deleted nodes. Here A dies before and after every single write that
// it makes from B's death on.
func TestCrashPoints_ShardRunsAgain(t *testing.T) {
	points := 0
	for _, when := range []string{"before", "after"} {
		for write := 1; ; write++ {
			reached := false
			t.Run(fmt.Sprintf("A dies %s its write %d", when, write), func(t *testing.T) {
				reached = storyOfTheStuckShard(t, when == "before", write)
			})
			if !reached {
				break
			}
			points++
		}
	}
	if points < 12 {
		t.Errorf("only %d crash points were reached, so the story is incomplete", points)
	}
}

// storyOfTheStuckShard plays the story once. It reports whether A lived long
// enough to make the write at which it dies.
func storyOfTheStuckShard(t *testing.T, before bool, write int) (reached bool) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{
			Name:     "report",
			Schedule: "0/10 * * * * ?",
			Shards:   2,
			Failover: true,
			Misfire:  elastic.MisfireAll,
		}}
		c.does(sleepFor(4 * time.Second))
		start := time.Now()
		x, y := c.start("x"), c.start("y")
		c.until("x and y share the shards", func() bool { return c.balanced("report", "x", "y") })
		a, b := x, y
		if c.owners("report")[1] == "x" {
			a, b = y, x
		}

		c.until("B runs shard 1", func() bool {
			return len(c.find(func(r *ran) bool {
				return r.node == b && r.shard == 1 && time.Since(r.start) >= time.Second
			})) > 0
		})
		c.crash(b)
		a.client.OnRequest(func(r memory.Request) memory.Fault {
			if r.Kind != memory.Transact || r.N != write {
				return memory.Fault{}
			}
			die := func() { reached = true; c.crash(a) }
			if before {
				return memory.Fault{BeforeApply: die}
			}
			return memory.Fault{AfterApply: die}
		})
		// B is back while A runs what it has taken over, or a little later if
		// A\n\t\t// has crashed by then.
		back := time.Now().Add(ttl + 2*time.Second)
		c.pass(time.Until(back))
		b2 := c.start(b.name)
		c.pass(20 * time.Second)
		if !c.isDead(a) {
			return // A made fewer writes
		}
		a2 := c.start(a.name)
		c.pass(30 * time.Second)

		// Every fire of both shards ended, up to the last one.
		last := time.Now().Add(-10 * time.Second).Truncate(10 * time.Second)
		for shard := range 2 {
			if missing := c.missing("report", shard, start.Add(10*time.Second), last, 10*time.Second); len(
				missing,
			) > 0 {
				t.Errorf("shard %d: fires that never succeeded: %v", shard, missing)
			}
		}
		_ = c.leave(a2)
		_ = c.leave(b2)
	})
	return reached
}

// sleepFor returns a handler that works for d, or until it is cancelled.
func sleepFor(d time.Duration) func(context.Context, elastic.Run) error {
	return func(ctx context.Context, _ elastic.Run) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
