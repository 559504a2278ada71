package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/store/memory"
)

// runsAt returns which instances ran a fire, sorted.
func (c *cluster) runsAt(fire time.Time) (names []string) {
	for _, r := range c.find(func(r *ran) bool { return r.fire.Equal(fire) }) {
		names = append(names, r.node.name)
	}
	slices.Sort(names)
	return names
}

// A broadcast runs each fire once on every live instance.
func TestBroadcast_RunsOnceOnEachInstance(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Broadcast: true}}
		begin := time.Now()
		a, b := c.start("a"), c.start("b")
		c.pass(15 * time.Second)
		c.start("c") // at :15, after the fire of :10
		c.pass(10 * time.Second)
		_ = c.leave(a)
		c.pass(10 * time.Second)
		c.crash(b)
		c.pass(20 * time.Second)
		c.start("d")
		c.pass(10 * time.Second)
		for at, want := range map[int]string{10: "a b", 20: "a b c", 30: "b c", 40: "b c", 50: "c", 60: "c d"} {
			got := strings.Join(c.runsAt(begin.Add(time.Duration(at)*time.Second)), " ")
			if at == 40 && got == "c" {
				continue // b died at :35, and the others may not know by :40
			}
			if got != want {
				t.Errorf(":%d ran on %q, want %q", at, got, want)
			}
		}
	})
}

// A run of a broadcast is abandoned when its instance dies. No other instance
// repeats it.
func TestBroadcast_CrashedRunIsAbandoned(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/30 * * * * ?", Broadcast: true}}
		c.does(sleepFor(5 * time.Second))
		a := c.start("a")
		c.start("b")
		c.start("c")
		c.until("all three run", func() bool { return c.total() == 3 })
		c.crash(a)
		c.pass(20 * time.Second)
		if n := c.total(); n != 3 {
			t.Errorf("%d runs, want only the first three", n)
		}
		c.pass(30 * time.Second)
		if n := c.total(); n != 5 {
			t.Errorf("%d runs after the next fire, want one more on each live instance", n)
		}
		for shard := range 2 {
			if r := c.record("report", shard); r.Result != failover.ResultSucceeded {
				t.Errorf("shard %d: %s", shard, r)
			}
		}
	})
}

// A trigger runs a broadcast once on every live instance, and cannot name
// shards.
func TestBroadcast_CanBeTriggered(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "@manual", Broadcast: true}}
		a := c.start("a")
		c.start("b")
		c.pass(5 * time.Second)
		seq := c.trigger(a)
		c.pass(time.Second)
		if n := len(c.triggered(seq)); n != 2 {
			t.Errorf("%d runs, want one on each instance", n)
		}
		c.start("c")
		c.pass(10 * time.Second)
		if n := len(c.triggered(seq)); n != 2 {
			t.Errorf("%d runs after another instance joined, want still 2", n)
		}
		if _, err := a.sched.Trigger(context.Background(), "report", elastic.OnShards(0)); err == nil ||
			!strings.Contains(err.Error(), "on all instances") {
			t.Errorf("Trigger for one shard: %v", err)
		}
	})
}

// A rolling restart leaves no records behind, and no instance without a shard.
func TestBroadcast_FollowsRollingRestart(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/5 * * * * ?", Broadcast: true}}
		c.does(sleepFor(2 * time.Second))
		for _, name := range []string{"a", "b", "c"} {
			c.start(name)
		}
		for range 3 {
			for _, n := range slices.Clone(c.nodes)[len(c.nodes)-3:] {
				_ = c.leave(n)
				c.pass(700 * time.Millisecond)
				c.start(n.name)
				c.pass(3 * time.Second)
			}
		}
		c.until("each has its shard", func() bool {
			return c.balanced("report", "a", "b", "c") && len(c.owners("report")) == 3
		})
	}, memory.MaxOps(16))
}

// Settings that a broadcast cannot have are refused.
func TestBroadcast_InvalidSettings(t *testing.T) {
	for want, job := range map[string]elastic.Job{
		"shards: a broadcast has as many as there are instances": {Shards: 3},
		"sharding: a broadcast has none":                         {Sharding: "average"},
		"shard parameters: a broadcast has none":                 {ShardParameters: map[int]string{0: "x"}},
		"disabled shards: a broadcast has none":                  {DisabledShards: []int{0}},
		"failover: a broadcast has none":                         {Failover: true},
	} {
		job.Name = "report"
		job.Schedule = "* * * * * ?"
		job.Broadcast = true
		if err := job.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// An instance that comes back does not run a trigger given before, though the
// record of its shard, and with it the trigger's number, went away with it.
func TestBroadcast_ReturningInstanceSkipsTriggers(t *testing.T) {
	for _, away := range []time.Duration{0, time.Second, 10 * time.Second} {
		for _, schedule := range []string{"@manual", "0/2 * * * * ?"} {
			bubble(t, func(c *cluster) {
				c.jobs = []elastic.Job{{Name: "report", Schedule: schedule, Broadcast: true}}
				a := c.start("a")
				b := c.start("b")
				c.pass(5 * time.Second)
				seq := c.trigger(a)
				c.until("both have run it", func() bool { return len(c.triggered(seq)) == 2 })
				_ = c.leave(b)
				c.pass(away)
				c.start("b")
				c.pass(10 * time.Second)
				if n := len(c.triggered(seq)); n != 2 {
					t.Errorf(
						"%s, away for %s: %d runs, want one on each instance that was live then",
						schedule,
						away,
						n,
					)
				}
			})
		}
	}
}

// A new instance of a broadcast waits for the join delay, whether it is the
// second, the third, or one that comes back.
func TestBroadcast_GrowsAfterJoinDelay(t *testing.T) {
	for n := range 5 {
		inCluster(t, fmt.Sprint("try ", n), func(t *testing.T, c *elastictest.Cluster) {
			c.Add(elastic.Job{Name: "j", Schedule: "0 * * * * ?", Broadcast: true}, succeeds)
			c.Start("a")
			c.Advance(10*time.Second + time.Duration(n)*137*time.Millisecond)
			grows := func(name string, want int) {
				t.Helper()
				c.Start(name)
				began := time.Now()
				c.Until("it has a shard", func() bool { return len(c.Owners("j")) == want })
				if took := time.Since(began); took > 1100*time.Millisecond {
					t.Errorf("instance %d got its shard after %s, want the join delay of 1s", want, took)
				}
				c.Advance(20 * time.Second)
			}
			grows("b", 2)
			grows("c", 3)
			c.Leave("b")
			c.Until("its shard is gone", func() bool { return len(c.Owners("j")) == 2 })
			c.Advance(5 * time.Second)
			grows("b", 3)
			c.Crash("a") // the oldest instance, the leader
			c.Until("its shard is gone", func() bool { return len(c.Owners("j")) == 2 })
			c.Advance(5 * time.Second)
			grows("d", 3)
		})
	}
}
