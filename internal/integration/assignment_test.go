package integration

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store/memory"
)

// The second oldest instance stands in for a leader whose assignments do not
// reach the store.
func TestAssignment_SecondStandsInForLeader(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Shards: 6, Failover: true}}
		c.start("a")
		c.pass(time.Second)
		for _, name := range []string{"b", "c"} {
			c.start(name)
			c.pass(time.Second)
		}
		c.until("all three share", func() bool { return c.balanced("report", "a", "b", "c") })
		written := c.seen(observe.Assigned)
		nodeOf := func(e elastic.Event) *node {
			name, _, _ := strings.Cut(e.Instance, "@")
			return c.nodes[slices.IndexFunc(c.nodes, func(n *node) bool { return n.name == name })]
		}
		// The leader is alive and its runs are recorded, but its assignments
		// do not reach the store.
		leader := nodeOf(written[len(written)-1])
		leader.client.OnRequest(func(r memory.Request) memory.Fault {
			return memory.Fault{Refuse: r.Kind == memory.Transact && strings.HasPrefix(r.Txn.Do[0].Key, "assignments/")}
		})
		rest := slices.DeleteFunc(slices.Clone(c.nodes), func(n *node) bool { return n == leader })
		c.crash(rest[1])
		died := time.Now()
		c.until("the two remaining instances share", func() bool {
			return c.balanced("report", leader.name, rest[0].name)
		})
		if took := time.Since(died); took < ttl || took > ttl+4*time.Second {
			t.Errorf("it took %s, want the TTL + the three seconds that the second oldest waits", took)
		}
		if by := c.seen(observe.Assigned); nodeOf(by[len(by)-1]) != rest[0] {
			t.Errorf("assigned by %s, want %s", by[len(by)-1].Instance, rest[0].name)
		}
		leader.client.OnRequest(nil)
		c.pass(10 * time.Second)
	})
}

// New instances wait for the join delay, so a rolling restart moves few
// shards.
func TestAssignment_RollingRestartMovesLittle(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Shards: 30, Failover: true}}
		for _, name := range []string{"a", "b", "c"} {
			c.start(name)
		}
		c.until("all three share", func() bool { return c.balanced("report", "a", "b", "c") })
		c.pass(10 * time.Second)
		before := c.count(observe.Gained)
		for _, n := range c.nodes[:3] {
			_ = c.leave(n)
			c.start(n.name) // half a second later, as containers do
			c.pass(500 * time.Millisecond)
		}
		c.until("all three share again", func() bool { return c.balanced("report", "a", "b", "c") })
		c.pass(2 * time.Second)
		// 10 shards leave with each of three instances, which makes 30 moves.
		// The\n\t\t// new instances get their share, which makes at most 20
		// more.
		if moved := c.count(observe.Gained) - before; moved > 60 {
			t.Errorf("a rolling restart of three instances moved shards %d times, want at most 60", moved)
		}
	})
}

// A watch that has missed a change is started again by the resync.
func TestAssignment_ResyncRepairsWatch(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{
			Name:     "report",
			Schedule: "0 0 0 1 1 ?",
		}} // idle, so that no write of the instance shows it anything
		a := c.start("a")
		c.pass(5 * time.Second)
		a.client.SlowWatches(24*time.Hour, 0) // the watch shows nothing from now on
		c.overwrite("report", func(s *layout.Spec) { s.Schedule = "0/10 * * * * ?" })
		c.pass(30 * time.Second)
		if n := c.total(); n != 0 {
			t.Fatalf("%d runs although the watch shows nothing, so the test shows nothing", n)
		}
		c.until("the new schedule is known", func() bool { return len(c.find(func(*ran) bool { return true })) > 0 })
	})
}

// Instances own shards in proportion to their weights.
func TestAssignment_FollowsWeights(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Shards: 12}}
		c.start("small")
		c.start("big", elastic.WithWeight(3))
		c.until("big has three times as many", func() bool {
			n := 0
			for _, owner := range c.owners("report") {
				if owner == "big" {
					n++
				}
			}
			return n == 9
		})
	})
}

// An instance that was cut off waits for the join delay like a new one.
func TestAssignment_ReturningInstanceWaits(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Shards: 6}}
		a, _ := c.start("a"), c.start("b")
		c.until("both share", func() bool { return c.balanced("report", "a", "b") })
		a.client.Cut()
		c.until("b has all", func() bool { return c.balanced("report", "b") })
		c.pass(2 * time.Minute) // long enough for a resync, which fails
		// The others see it before it has the answer to its registration.
		a.client.OnRequest(func(r memory.Request) memory.Fault {
			if r.Kind == memory.Transact && strings.HasPrefix(r.Txn.Do[0].Key, "instances/") {
				return memory.Fault{After: 100 * time.Millisecond}
			}
			return memory.Fault{}
		})
		a.client.Heal()
		c.until("a has a session again", func() bool { return len(c.server.Sessions()) == 2 })
		back := time.Now()
		c.until("both share again", func() bool { return c.balanced("report", "a", "b") })
		if took := time.Since(back); took < time.Second {
			t.Errorf("a got its share after %s, want the join delay of one second", took)
		}
	})
}

// A job that is unregistered and added again while its assignment is under way
// goes on. The answer to the old assignment must not undo the new
// registration.
func TestReassign_JobRemovedAndAddedAgain(t *testing.T) {
	bubble(t, func(c *cluster) {
		job := elastic.Job{Name: "report", Schedule: "* * * * * ?", Shards: 2}
		a := c.start("a")
		c.add(a, job)
		c.until("the job runs", func() bool { return c.total() > 0 })
		var delayed atomic.Bool
		a.client.OnRequest(func(r memory.Request) memory.Fault {
			if r.Kind == memory.Transact && strings.HasPrefix(r.Txn.Do[0].Key, "assignments/") && !delayed.Swap(true) {
				return memory.Fault{After: time.Second}
			}
			return memory.Fault{}
		})
		c.overwrite("report", func(s *layout.Spec) { s.Shards = 3 })
		c.until("an assignment is under way", delayed.Load)
		if err := a.sched.Unregister("report"); err != nil {
			t.Fatal(err)
		}
		c.pass(200 * time.Millisecond)
		c.add(a, job)
		c.pass(5 * time.Second)
		c.overwrite("report", func(s *layout.Spec) { s.Shards = 4 })
		since := time.Now()
		c.pass(10 * time.Second)
		for shard := range 4 {
			if n := len(c.find(func(r *ran) bool { return r.shard == shard && r.start.After(since) })); n < 8 {
				t.Errorf("shard %d ran %d times in ten seconds", shard, n)
			}
		}
	})
}
