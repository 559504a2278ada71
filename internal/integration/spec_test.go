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
			t.Errorf(
				"the schedule counts since %s, want %s as before; otherwise an outage would lose fires",
				got,
				since,
			)
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

// putSpec replaces the spec of a stored job, as an operator would.
func (c *cluster) putSpec(job string, s layout.Spec) {
	for _, e := range c.server.Dump() {
		if e.Key != layout.JobKey(job) {
			continue
		}
		doc, err := layout.DecodeJob(e.Value)
		if err != nil {
			c.t.Fatal(err)
		}
		c.put(e.Key, doc.With(s, layout.Changed{By: "operator", At: time.Now(), Via: layout.ViaCLI}).Encode())
	}
}

// overwrite changes a stored job, as an operator would.
func (c *cluster) overwrite(job string, change func(*layout.Spec)) {
	s := c.spec(job)
	old := s
	change(&s)
	c.putSpec(job, s.Replaces(old, time.Now()))
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
			t.Errorf(
				"shard %d began at %s, but the job was disabled at %s",
				r.shard,
				stamp(r.start),
				stamp(acknowledged),
			)
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
		"truncated":       `{"v":1,"sched`,
		"of a newer form": `{"v":99}`,
		"not ours":        `hello`,
		"empty":           ``,
		"of unknown field": `{"v":2,"state":"job","rev":1,"changed":{"by":"a@1","at":"2020-01-01T00:00:00Z","via":"code"},` +
			`"spec":{"schedule":"0/10 * * * * ?","shards":1,"sharding":"sticky","failover":false,` +
			`"maxAttempts":1,"misfire":"once","overlap":"queue","since":"2000-01-01T00:00:00Z",` +
			`"resharded":"2000-01-01T00:00:00Z","priority":9}}`,
	}
	for what, value := range garbage {
		for _, key := range []string{"jobs/broken", "assignments/broken", "runs/broken/0"} {
			if what == "of unknown field" && key != "jobs/broken" {
				continue
			}
			t.Run(what+" "+key, func(t *testing.T) {
				bubble(t, func(c *cluster) {
					c.jobs = []elastic.Job{
						{Name: "broken", Schedule: "0/10 * * * * ?", Failover: true},
						{Name: "sound", Schedule: "0/10 * * * * ?", Failover: true},
					}
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

// All faults of a job are reported together.
func TestJob_ReportsAllFaults(t *testing.T) {
	err := elastic.Job{
		Name:            "no/slash",
		Schedule:        "0 0 30 2 *",
		TimeZone:        "Mars/Olympus",
		Shards:          -1,
		Sharding:        "random",
		MaxAttempts:     1000,
		Misfire:         "perhaps",
		Overlap:         "maybe",
		MisfireWindow:   -time.Second,
		Timeout:         -1,
		ShardParameters: map[int]string{-1: "x"},
	}.Validate()
	if err == nil {
		t.Fatal("the job is valid")
	}
	for _, want := range []string{"name:", `'/'`, "time zone:", "Mars/Olympus", "shards:", "-1", "sharding:", "random",
		"max attempts:", "1000", "misfire:", "perhaps", "overlap:", "maybe", "misfire window:", "-1s",
		"timeout:", "-1ns", "shard parameters:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if err := (elastic.Job{
		Name:     "x",
		Schedule: "0 0 30 2 *",
	}).Validate(); err == nil || !strings.Contains(err.Error(), "schedule:") {
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
	if err := (elastic.Job{
		Name:            "x",
		Schedule:        "@daily",
		ShardParameters: map[int]string{1: "y"},
	}).Validate(); err == nil || !strings.Contains(err.Error(), "shards 0 to 0") {
		t.Errorf("a parameter for a missing shard: %v", err)
	}
}

// A job with a name and a schedule is valid.
func TestJob_DefaultsAreValid(t *testing.T) {
	if err := (elastic.Job{Name: "x", Schedule: "@daily"}).Validate(); err != nil {
		t.Error(err)
	}
}
