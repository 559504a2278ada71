package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
)

// The stored job wins unless Add is called with Overwrite.
func TestSpec_StoredJobWins(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?"}}
		a := c.start("a")
		c.pass(15 * time.Second)

		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/20 * * * * ?"}}
		b := c.start("b")
		c.pass(30 * time.Second)
		if got := c.fires(); got != "[10 20 30 40]" {
			t.Errorf("ran the fires %s, want every tenth second, as in the stored job", got)
		}
		if n := c.count(observe.Differs); n != 1 {
			t.Errorf("the difference was reported %d times, want once", n)
		}

		_ = b.sched.Unregister("report")
		c.add(b, c.jobs[0], elastic.Overwrite())
		c.pass(60 * time.Second)
		if got := c.fires(); got != "[10 20 30 40 0 20 40]" {
			t.Errorf("ran the fires %s, want every twentieth second from :45 on", got)
		}
		_ = a
	})
}

// A schedule that stays the same keeps its start when the job is overwritten.
func TestSpec_OverwriteKeepsSchedule(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "daily", Schedule: "0 0 3 * * ?"}}
		a := c.start("a")
		c.pass(time.Hour)
		since := c.spec("daily").Since
		_ = a.sched.Unregister("daily")
		c.add(a, elastic.Job{Name: "daily", Schedule: "0 0 3 * * ?", Parameter: "new"}, elastic.Overwrite())
		c.until("the job is overwritten", func() bool { return c.spec("daily").Parameter == "new" })
		if got := c.spec("daily").Since; !got.Equal(since) {
			t.Errorf("the schedule counts since %s, want %s as before; otherwise an outage would lose fires", got, since)
		}
	})
}

func (c *cluster) spec(job string) layout.Spec {
	for _, e := range c.server.Dump() {
		if e.Key == layout.JobKey(job) {
			s, err := layout.DecodeSpec(e.Value)
			if err != nil {
				c.t.Fatal(err)
			}
			return s
		}
	}
	return layout.Spec{}
}

// overwrite changes a stored job, as an operator would.
func (c *cluster) overwrite(job string, change func(*layout.Spec)) {
	s := c.spec(job)
	old := s
	change(&s)
	c.put(layout.JobKey(job), s.Replaces(old, time.Now()).Encode())
}

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
				t.Errorf("with %d shards: the runs are %v, and %d shards are assigned", shards, by, len(c.owners("report")))
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

// Nothing begins after the write that disables a job is answered.
func TestDisable_NoRunAfterAnswer(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "* * * * * ?", Shards: 4, Failover: true}}
		c.opts = nil
		for _, name := range []string{"a", "b", "c"} {
			n := c.start(name)
			n.client.SlowWatches(1500*time.Millisecond, 700*time.Millisecond)
		}
		c.pass(10 * time.Second)
		c.overwrite("report", func(s *layout.Spec) { s.Disabled = true })
		acknowledged := time.Now()
		c.pass(20 * time.Second)
		for _, r := range c.find(func(r *ran) bool { return r.start.After(acknowledged) }) {
			t.Errorf("shard %d began at %s, but the job was disabled at %s", r.shard, stamp(r.start), stamp(acknowledged))
		}
		c.overwrite("report", func(s *layout.Spec) { s.Disabled = false })
		c.pass(10 * time.Second)
		if n := len(c.find(func(r *ran) bool { return r.start.After(acknowledged) })); n < 4*5 {
			t.Errorf("%d runs after it was enabled again, want at least 20", n)
		}
		for _, r := range c.find(func(r *ran) bool {
			return r.start.After(acknowledged) && r.fire.Before(acknowledged.Add(20*time.Second))
		}) {
			t.Errorf("the fire of %s ran although the job was disabled then", stamp(r.fire))
		}
	})
}

// A stored value that cannot be read stops its job alone. No instance
// overwrites it.
func TestStored_UnreadableValueStopsOneJob(t *testing.T) {
	garbage := map[string]string{
		"truncated":        `{"v":1,"sched`,
		"of a newer form":  `{"v":99}`,
		"not ours":         `hello`,
		"empty":            ``,
		"of unknown field": `{"v":1,"schedule":"0/10 * * * * ?","shards":1,"sharding":"sticky","failover":false,"maxAttempts":1,"misfire":"once","overlap":"queue","since":"2000-01-01T00:00:00Z","resharded":"2000-01-01T00:00:00Z","priority":9}`,
	}
	for what, value := range garbage {
		for _, key := range []string{"jobs/broken", "assignments/broken", "runs/broken/0"} {
			if what == "of unknown field" && key != "jobs/broken" {
				continue
			}
			t.Run(what+" "+key, func(t *testing.T) {
				bubble(t, func(c *cluster) {
					c.jobs = []elastic.Job{{Name: "broken", Schedule: "0/10 * * * * ?", Failover: true}, {Name: "sound", Schedule: "0/10 * * * * ?", Failover: true}}
					c.put(key, []byte(value))
					c.start("a")
					c.start("b")
					c.pass(3 * time.Minute)
					var reported bool
					for _, e := range c.seen(observe.Unreadable) {
						reported = reported || e.Subject == key
					}
					if !reported {
						t.Errorf("no event names the key %s", key)
					}
					for _, e := range c.server.Dump() {
						if e.Key == key && string(e.Value) != value {
							t.Errorf("%s was overwritten with %s", key, e.Value)
						}
					}
					if n := len(c.find(func(r *ran) bool { return r.job == "broken" })); n != 0 {
						t.Errorf("the broken job ran %d times", n)
					}
					if n := len(c.find(func(r *ran) bool { return r.job == "sound" })); n != 18 {
						t.Errorf("the valid job ran %d times, want 18", n)
					}
					c.delete(key) // the repair
					c.pass(2 * time.Minute)
					if n := len(c.find(func(r *ran) bool { return r.job == "broken" })); n == 0 {
						t.Error("the job does not run after the repair")
					}
				})
			})
		}
	}
}

// An instance whose key cannot be read counts as alive and owns no shards.
func TestStored_UnreadableInstance(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.put("instances/newer@1", []byte(`{"v":7}`))
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Shards: 2}}
		c.start("a")
		c.pass(25 * time.Second)
		if !c.balanced("report", "a") {
			t.Errorf("the owners are %v", c.owners("report"))
		}
		c.delete("instances/newer@1")
	})
}

// A shard goes on although its record has a fire in the future, of a clock
// that was ahead.
func TestClock_FireFromFuture(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Shards: 2, Failover: true}}
		ahead := time.Hour
		a := c.start("a", elastic.WithTesting(elastic.Testing{Now: func() time.Time { return time.Now().Add(ahead) }}))
		c.pass(15 * time.Second)
		_ = c.leave(a)
		now := time.Now()
		c.start("b")
		c.pass(25 * time.Second)
		if n := len(c.find(func(r *ran) bool { return r.start.After(now) })); n < 4 {
			t.Errorf("%d runs after the clock was corrected, want at least 4: %s", n, c.fires())
		}
		if n := c.count(observe.FutureFire); n != 2 {
			t.Errorf("%d events about fires in the future, want one for each shard", n)
		}
	})
}

// All faults of a job are reported together.
func TestJob_ReportsAllFaults(t *testing.T) {
	err := elastic.Job{
		Name: "no/slash", Schedule: "0 0 30 2 *", TimeZone: "Mars/Olympus", Shards: -1, Sharding: "random", MaxAttempts: 1000,
		Misfire: "perhaps", Overlap: "maybe", MisfireWindow: -time.Second, Timeout: -1, ShardParameters: map[int]string{-1: "x"},
	}.Validate()
	if err == nil {
		t.Fatal("the job is valid")
	}
	for _, want := range []string{"name:", `'/'`, "time zone:", "Mars/Olympus", "shards:", "-1", "sharding:", "random", "max attempts:", "1000",
		"misfire:", "perhaps", "overlap:", "maybe", "misfire window:", "-1s", "timeout:", "-1ns", "shard parameters:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if err := (elastic.Job{Name: "x", Schedule: "0 0 30 2 *"}).Validate(); err == nil || !strings.Contains(err.Error(), "schedule:") {
		t.Errorf("a schedule without fires: %v", err)
	}
	if err := (elastic.Job{Name: "x", Schedule: "0 0 3 * * ?", TimeZone: "Local"}).Validate(); err == nil {
		t.Error("the time zone Local, which differs between hosts, is accepted")
	}
	for _, name := range []string{"", ".", "..", "a/b", "a b", "ä", strings.Repeat("x", 101)} {
		if err := (elastic.Job{Name: name, Schedule: "@daily"}).Validate(); err == nil {
			t.Errorf("the name %q is accepted", name)
		}
	}
	if err := (elastic.Job{Name: "x", Schedule: "@daily", ShardParameters: map[int]string{1: "y"}}).Validate(); err == nil || !strings.Contains(err.Error(), "shards 0 to 0") {
		t.Errorf("a parameter for a missing shard: %v", err)
	}
}

// A job with a name and a schedule is valid.
func TestJob_DefaultsAreValid(t *testing.T) {
	if err := (elastic.Job{Name: "x", Schedule: "@daily"}).Validate(); err != nil {
		t.Error(err)
	}
}
