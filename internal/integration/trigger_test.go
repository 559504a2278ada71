package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store/memory"
)

// oneOff is a job that runs only when triggered.
var oneOff = elastic.Job{
	Name:            "report",
	Schedule:        "@manual",
	Shards:          3,
	Failover:        true,
	ShardParameters: map[int]string{1: "Shanghai"},
}

// trigger triggers the job report through an instance.
func (c *cluster) trigger(n *node, options ...elastic.TriggerOption) uint64 {
	c.t.Helper()
	seq, err := n.sched.Trigger(context.Background(), "report", options...)
	if err != nil {
		c.t.Fatal(err)
	}
	return seq
}

// triggered returns the runs of a trigger.
func (c *cluster) triggered(seq uint64) []*ran {
	return c.find(func(r *ran) bool { return r.trigger == seq })
}

// A job with the schedule @manual runs when it is triggered, and only then.
func TestTrigger_ManualJobRunsOnlyThen(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{oneOff}
		a := c.start("a")
		c.start("b")
		c.pass(time.Hour)
		if n := c.total(); n != 0 {
			t.Errorf("it ran %d times before the trigger", n)
		}
		if told := c.seen(observe.Scheduled); len(told) == 0 ||
			!strings.Contains(told[0].Detail, "when it is triggered") {
			t.Errorf("the schedule in words is %v", told)
		}
		given := time.Now()
		seq := c.trigger(a)
		c.pass(time.Second)
		runs := c.triggered(seq)
		if len(runs) != 3 {
			t.Fatalf("%d runs, want one for each shard", len(runs))
		}
		nodes := map[string]bool{}
		for _, r := range runs {
			nodes[r.node.name] = true
			if !r.fire.Equal(given) || r.attempt != 1 {
				t.Errorf(
					"shard %d: fire %s, attempt %d; want %s and 1",
					r.shard,
					stamp(r.fire),
					r.attempt,
					stamp(given),
				)
			}
			if want := map[int]string{1: "Shanghai"}[r.shard]; r.parameter != want {
				t.Errorf("shard %d: parameter %q, want its own parameter %q", r.shard, r.parameter, want)
			}
		}
		if len(nodes) != 2 {
			t.Errorf("the runs were on %v, want both instances", nodes)
		}
		c.pass(time.Hour)
		if n := c.total(); n != 3 {
			t.Errorf("%d runs an hour later, want 3", n)
		}
	})
}

// A trigger can name shards and carry a parameter.
func TestTrigger_ShardsAndParameter(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{oneOff}
		a := c.start("a")
		c.pass(5 * time.Second)
		seq := c.trigger(a, elastic.OnShards(2, 1, 2), elastic.WithParameter("again"))
		c.pass(time.Second)
		runs := c.triggered(seq)
		if len(runs) != 2 {
			t.Fatalf("%d runs, want those of shards 1 and 2", len(runs))
		}
		for _, r := range runs {
			if r.shard == 0 || r.parameter != "again" {
				t.Errorf("shard %d ran with parameter %q", r.shard, r.parameter)
			}
		}
	})
}

// Triggers wait for a run in progress, run in order, and replace no fire.
func TestTrigger_WaitsForRunAndKeepsFires(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{
			Name:     "report",
			Schedule: "0/10 * * * * ?",
			Overlap:  elastic.OverlapQueue,
			Misfire:  elastic.MisfireAll,
		}}
		c.does(sleepFor(3 * time.Second))
		a := c.start("a")
		c.until("a fire runs", func() bool {
			return len(c.find(func(r *ran) bool { return r.trigger == 0 && r.end.IsZero() })) == 1
		})
		start := time.Now()
		first, second := c.trigger(a), c.trigger(a)
		c.pass(35 * time.Second)
		one, two := c.triggered(first), c.triggered(second)
		if len(one) != 1 || len(two) != 1 || two[0].start.Before(one[0].end) ||
			one[0].start.Before(start.Add(2*time.Second)) {
			t.Fatalf("the triggers ran as %v and %v, want each once, in order, after the run in progress", one, two)
		}
		if missing := c.missing("report", 0, start.Truncate(10*time.Second), start.Add(25*time.Second),
			10*time.Second); len(missing) > 0 {
			t.Errorf("fires that did not run: %v", missing)
		}
	})
}

// A trigger runs although the instance that gave it crashes before anything
// ran, and another one crashes in the middle of a run.
func TestTrigger_SurvivesCrashes(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{oneOff}
		c.does(sleepFor(20 * time.Second))
		a, b := c.start("a"), c.start("b")
		c.start("c")
		c.until("they share the shards", func() bool { return c.balanced("report", "a", "b", "c") })
		seq := c.trigger(a, elastic.WithParameter("payroll"))
		c.crash(a)
		c.pass(5 * time.Second)
		c.crash(b)
		c.pass(time.Minute)
		done := map[int]bool{}
		for _, r := range c.triggered(seq) {
			if r.parameter != "payroll" {
				t.Errorf("shard %d, attempt %d: parameter %q", r.shard, r.attempt, r.parameter)
			}
			done[r.shard] = done[r.shard] || !r.died && r.err == nil
		}
		if len(done) != 3 || !done[0] || !done[1] || !done[2] {
			t.Errorf("ended: %v, want all three shards", done)
		}
	})
}

// A trigger whose answer is lost is given once.
func TestTrigger_LostReplyGivesOnce(t *testing.T) {
	for name, fault := range map[string]memory.Fault{
		"reply lost":   {LoseReply: true, Broken: true},
		"request lost": {LoseRequest: true, Broken: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(c *cluster) {
				c.jobs = []elastic.Job{oneOff}
				a := c.start("a")
				c.pass(5 * time.Second)
				a.client.OnRequest(func(r memory.Request) memory.Fault {
					if r.Kind == memory.Transact && r.N == 1 {
						return fault
					}
					return memory.Fault{}
				})
				seq := c.trigger(a)
				c.pass(5 * time.Second)
				if all, its := c.total(), len(c.triggered(seq)); all != 3 || its != 3 {
					t.Errorf("%d runs, %d of them of this trigger; want 3", all, its)
				}
			})
		})
	}
}

// Invalid triggers are refused and write nothing.
func TestTrigger_InvalidRequests(t *testing.T) {
	bubble(t, func(c *cluster) {
		off := oneOff
		off.Name, off.Disabled = "off", true
		c.jobs = []elastic.Job{oneOff, off}
		a := c.start("a")
		c.pass(5 * time.Second)
		for _, tt := range []struct {
			job     string
			options []elastic.TriggerOption
			want    string
		}{
			{"", nil, "must have 1 to 100 characters"},
			{"other", nil, `there is no job "other"`},
			{"off", nil, "is disabled: enable it first"},
			{"report", []elastic.TriggerOption{elastic.OnShards(1, 3)}, "has the shards 0 to 2"},
			{"report", []elastic.TriggerOption{elastic.OnShards(-1)}, "has the shards 0 to 2"},
			{"report", []elastic.TriggerOption{elastic.WithParameter(strings.Repeat("x", 5000))}, "at most 4096 bytes"},
		} {
			if _, err := a.sched.Trigger(context.Background(), tt.job, tt.options...); err == nil ||
				!strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q: got %v, want an error with %q", tt.job, err, tt.want)
			}
		}
		for _, e := range c.server.Dump() {
			if strings.HasPrefix(e.Key, layout.Signals) {
				t.Errorf("%s is stored", e.Key)
			}
		}
		idle, err := elastic.Open(context.Background(), "memory://idle")
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
		if _, err := idle.Trigger(context.Background(), "report"); err == nil ||
			!strings.Contains(err.Error(), "does not run") {
			t.Errorf("without Run: %v", err)
		}
	})
}

// Triggers that have ended are removed, and the number of waiting ones is
// bounded.
func TestTrigger_QueueIsBounded(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{oneOff}
		a := c.start("a")
		c.pass(5 * time.Second)
		for range 2 * layout.MaxTriggers { // each has ended before the next
			c.trigger(a)
			c.pass(time.Second)
		}
		if n := c.total(); n != 3*2*layout.MaxTriggers {
			t.Errorf("%d runs, want %d", n, 3*2*layout.MaxTriggers)
		}
		c.does(sleepFor(time.Hour))
		var err error
		given := 0
		for ; err == nil && given < 2*layout.MaxTriggers; given++ {
			_, err = a.sched.Trigger(context.Background(), "report")
		}
		if err == nil || !strings.Contains(err.Error(), "20 triggers of job \"report\" wait already") {
			t.Errorf("after %d triggers: %v", given, err)
		}
	})
}

// Trigger waits for a session, and ends with its context.
func TestTrigger_WaitsForSession(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{oneOff}
		a := c.start("a")
		c.pass(5 * time.Second)
		a.client.Cut()
		c.pass(10 * time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if _, err := a.sched.Trigger(ctx, "report"); err == nil {
			t.Error("Trigger without a store: no error")
		}
		time.AfterFunc(10*time.Second, a.client.Heal)
		seq := c.trigger(a)
		c.pass(10 * time.Second)
		if n := len(c.triggered(seq)); n != 3 {
			t.Errorf("%d runs, want 3", n)
		}
	})
}

// A trigger that is still stored is not run again by a shard that was removed
// and comes back, although the shard's record went away with it.
func TestTrigger_NotRepeatedAfterReshard(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{oneOff}
		c.jobs[0].Schedule = "0/2 * * * * ?" // a shard that is added again may begin a fire first
		a := c.start("a")
		c.pass(5 * time.Second)
		seq := c.trigger(a)
		c.pass(time.Second)
		for _, shards := range []int{1, 3} {
			c.overwrite("report", func(spec *layout.Spec) { spec.Shards, spec.ShardParameters = shards, nil })
			c.pass(time.Second)
		}
		c.pass(5 * time.Second)
		if n := len(c.triggered(seq)); n != 3 {
			t.Errorf("%d runs, want 3", n)
		}
		seq = c.trigger(a)
		c.pass(5 * time.Second)
		if n := len(c.triggered(seq)); n != 3 {
			t.Errorf("%d runs after another trigger, want 3", n)
		}
	})
}

// A trigger runs although the clock of the instance that gave it is behind.
func TestTrigger_FromClockBehind(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{oneOff}
		a := c.start("a")
		b := c.start("b", elastic.WithTesting(elastic.Testing{Now: func() time.Time {
			return time.Now().Add(-3 * time.Second)
		}}))
		c.pass(5 * time.Second)
		for range layout.MaxTriggers { // until ended triggers make room
			c.trigger(a)
			c.pass(100 * time.Millisecond)
		}
		seq := c.trigger(b)
		c.pass(5 * time.Second)
		if n := len(c.triggered(seq)); n != 3 {
			t.Errorf("%d runs, want 3", n)
		}
	})
}
