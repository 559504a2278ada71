package integration

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store/memory"
)

// late is the delay of an answer in these tests, almost the timeout.
const late = 2500 * time.Millisecond

// An instance asks whether another is dead, and loses the shard and gets it
// again before the answer comes. The answer belongs to the former shard and
// does not disturb the new one.
func TestLateAnswer_ForShardLostSince(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(func(ctx context.Context, run elastic.Run) error {
			if run.Fire.Second() == 20 {
				return sleepFor(6*time.Second)(ctx, run)
			}
			return sleepFor(time.Second)(ctx, run)
		})
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Shards: 8, Failover: true, Misfire: elastic.MisfireAll}}
		b := c.start("b")
		c.until("b has all shards", func() bool { return c.balanced("report", "b") })
		b.client.OnRequest(func(r memory.Request) memory.Fault {
			if r.Kind == memory.Get && r.Key == layout.InstanceKey("ghost@1") {
				return memory.Fault{After: late}
			}
			return memory.Fault{}
		})
		c.pass(time.Second)
		for shard := range 8 {
			c.put(layout.RunKey("report", shard), failover.Record{}.Begin(time.Now(), "ghost@1", time.Now()).Encode())
		}
		// At :10 b finds the ghost's runs and asks. It then loses its shards,\n\t\t// and gets them again.
		c.pass(time.Until(time.Date(2000, 1, 1, 0, 0, 9, 200e6, time.UTC)))
		big := c.start("big", elastic.WithWeight(1000))
		c.until("big owns almost all", func() bool { return strings.Count(strings.Join(c.owners("report"), " "), "big") >= 7 })
		big.stop()
		c.until("b has all shards again", func() bool { return c.balanced("report", "b") })
		if now := time.Now(); now.Second() != 10 {
			t.Fatalf("it is %s, when the answer has arrived already", stamp(now))
		}
		// While b runs its shards, the assignment changes, and b looks at all of\n\t\t// them.
		c.pass(time.Until(time.Date(2000, 1, 1, 0, 0, 22, 0, time.UTC)))
		c.start("another")
		c.pass(time.Minute)
		for shard := range 8 {
			last := time.Now().Add(-20 * time.Second).Truncate(10 * time.Second)
			if missing := c.missing("report", shard, time.Date(2000, 1, 1, 0, 0, 20, 0, time.UTC), last, 10*time.Second); len(missing) > 0 {
				t.Errorf("shard %d: fires that never ended: %v", shard, missing)
			}
		}
	})
}

// A run that ends while its record is being read is not waited for: the read
// can return an older state than the watch has shown.
func TestLateAnswer_ReadOlderThanWatch(t *testing.T) {
	bubble(t, func(c *cluster) {
		var long atomic.Int64 // the shard with a long first run, for which b waits and a drains
		long.Store(-1)
		c.does(func(ctx context.Context, run elastic.Run) error {
			if err := sleepFor(7*time.Second)(ctx, run); err != nil || long.Load() != int64(run.Shard) || run.Fire.Second() != 10 || run.Fire.Minute() != 0 {
				return err
			}
			return sleepFor(43*time.Second)(ctx, run)
		})
		c.opts = []elastic.Option{elastic.WithDrainTimeout(time.Minute)}
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Shards: 2, Failover: true}}
		a := c.start("a")
		c.until("a runs both", func() bool { return c.running(a, 0) && c.running(a, 1) })
		b := c.start("b")
		c.until("b owns one of them", func() bool { return c.balanced("report", "a", "b") })
		first := slices.Index(c.owners("report"), "b")
		second := 1 - first
		long.Store(int64(first))
		c.pass(time.Until(time.Date(2000, 1, 1, 0, 0, 26, 0, time.UTC))) // :20 is due, and b waits for its shard
		var delayed atomic.Bool
		b.client.OnRequest(func(r memory.Request) memory.Fault {
			if r.Kind == memory.Get && strings.HasPrefix(r.Key, "runs/") && !delayed.Swap(true) {
				return memory.Fault{After: late}
			}
			return memory.Fault{}
		})
		a.stop() // b gets the second shard, which a runs until :27, and reads it until :28.5
		c.until("b runs the second shard", func() bool { return c.running(b, second) })
		if now := time.Now(); now.Second() > 40 || !c.running(a, first) {
			t.Errorf("b began its second shard at %s, want soon after :30, while a still runs the other", stamp(now))
		}
		c.pass(time.Minute)
	})
}

// Shards go on when a clock that was an hour ahead is set back: the time of
// the next fire, an hour away, must not be when the instance looks next.
func TestClock_SetBackKeepsShardsRunning(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Shards: 2}}
		var ahead atomic.Int64
		c.start("a", elastic.WithTesting(elastic.Testing{Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }}))
		c.pass(12 * time.Second)
		ahead.Store(int64(time.Hour))
		c.pass(13 * time.Second)
		ahead.Store(0)
		c.pass(20 * time.Second)
		for shard := range 2 {
			if r := c.record("report", shard); time.Since(r.Fire).Abs() > 10*time.Second {
				t.Errorf("shard %d: the last fire is %s, 20 seconds after the clock was corrected; now it is %s", shard, r, stamp(time.Now()))
			}
		}
	})
}

// An instance joins again if its key is deleted while the answer to its
// registration is under way. Its watch shows all of that before the instance
// knows its ID.
func TestLateAnswer_EvictedWhileJoining(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Shards: 4}}
		a := c.start("a")
		c.pass(5 * time.Second)
		evict := sync.OnceFunc(func() {
			time.AfterFunc(100*time.Millisecond, func() {
				for _, e := range c.server.Dump() {
					if strings.HasPrefix(e.Key, layout.InstanceKey("b@")) {
						c.delete(e.Key)
					}
				}
			})
		})
		b := c.startWith("b", func(r memory.Request) memory.Fault {
			if r.Kind != memory.Transact || r.N > 1 {
				return memory.Fault{}
			}
			return memory.Fault{AfterApply: evict, After: time.Second}
		})
		c.pass(15 * time.Second) // its first heartbeat, which would notice, comes later
		if !c.balanced("report", a.name, b.name) {
			t.Errorf("the owners are %v, want both instances", c.owners("report"))
		}
	})
}
