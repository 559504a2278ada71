package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// most returns the largest number of matching runs at the same time.
func (c *cluster) most(fits func(r *ran) bool) (most int) {
	runs := c.find(fits)
	for _, a := range runs {
		n := 0
		for _, b := range runs {
			if !b.start.After(a.start) && b.end.After(a.start) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// An instance runs at most WithMaxConcurrent shards at the same time.
func TestLimit_OfInstance(t *testing.T) {
	bubble(t, func(c *cluster) {
		for i := range 3 {
			c.jobs = append(
				c.jobs,
				elastic.Job{Name: fmt.Sprint("job", i), Schedule: "0 * * * * ?", Shards: 4, Failover: true},
			)
		}
		c.does(sleepFor(3 * time.Second))
		a := c.start("a", elastic.WithMaxConcurrent(2))
		c.start("b")
		c.pass(150 * time.Second)
		if n := c.most(func(r *ran) bool { return r.node == a }); n != 2 {
			t.Errorf("%d at a time on the instance with the limit 2", n)
		}
		if n := c.most(func(r *ran) bool { return r.node != a }); n != 6 {
			t.Errorf("%d at a time on the instance without a limit, want all of its 6", n)
		}
		if n := c.total(); n != 2*12 {
			t.Errorf("%d runs in two minutes, want 24, because waiting shards must run, too", n)
		}
	})
}

// An instance runs at most MaxConcurrent shards of a job at the same time.
func TestLimit_OfJob(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{
			{Name: "heavy", Schedule: "0 * * * * ?", Shards: 5, MaxConcurrent: 1},
			{Name: "light", Schedule: "0 * * * * ?", Shards: 5},
		}
		c.does(sleepFor(3 * time.Second))
		c.start("a")
		c.pass(100 * time.Second)
		if n := c.most(func(r *ran) bool { return r.job == "heavy" }); n != 1 {
			t.Errorf("%d at a time of the heavy job, want 1", n)
		}
		if n := c.most(func(r *ran) bool { return r.job == "light" }); n != 5 {
			t.Errorf("%d at a time of the light job, want 5", n)
		}
		if n := len(c.find(func(r *ran) bool { return r.job == "heavy" })); n != 5 {
			t.Errorf("%d runs of the heavy job, want 5", n)
		}
	})
}

// The limit of an instance applies to runs that it takes over.
func TestLimit_AppliesToTakeOvers(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Shards: 6, Failover: true}}
		c.does(sleepFor(10 * time.Second))
		a := c.start("a", elastic.WithMaxConcurrent(2))
		b := c.start("b")
		c.until("b runs its three", func() bool { return len(c.find(func(r *ran) bool { return r.node == b })) == 3 })
		c.crash(b)
		c.pass(100 * time.Second)
		if n := c.most(func(r *ran) bool { return r.node == a }); n != 2 {
			t.Errorf("%d at a time, want 2", n)
		}
		for shard := range 6 {
			if r := c.record("report", shard); r.Result != "ok" {
				t.Errorf("shard %d: %s", shard, r)
			}
		}
	})
}

// A job runs only on instances that have the labels it requires.
func TestLabels_SelectInstances(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{
			{
				Name:     "report",
				Schedule: "* * * * * ?",
				Shards:   4,
				Requires: map[string]string{"zone": "eu", "disk": "ssd"},
			},
			{Name: "other", Schedule: "* * * * * ?", Shards: 4},
		}
		c.start("a", elastic.WithLabels(map[string]string{"zone": "us", "disk": "ssd"}))
		c.start("b")
		c.pass(10 * time.Second)
		if n := len(c.find(func(r *ran) bool { return r.job == "report" })); n > 0 {
			t.Errorf("it ran %d times on instances without the labels", n)
		}
		c.start("c", elastic.WithLabels(map[string]string{"zone": "eu", "disk": "ssd", "rack": "7"}))
		c.until("the instance with the labels owns it", func() bool {
			return c.balanced("report", "c") && c.balanced("other", "a", "b", "c")
		})

		c.overwrite("report", func(s *layout.Spec) { s.Requires = map[string]string{"zone": "us"} })
		c.until("it moves to the instance that has the labels now", func() bool { return c.balanced("report", "a") })
		c.overwrite("report", func(s *layout.Spec) { s.Requires = map[string]string{"zone": "mars"} })
		c.pass(time.Second)
		unlabeled := time.Now()
		c.pass(10 * time.Second)
		if n := len(c.find(func(r *ran) bool { return r.job == "report" && r.start.After(unlabeled) })); n > 0 {
			t.Errorf("it ran %d times although no instance has the labels", n)
		}
		c.overwrite("report", func(s *layout.Spec) { s.Requires = nil })
		c.until("all share it", func() bool { return c.balanced("report", "a", "b", "c") })
	})
}

// Nothing begins on a disabled shard.
func TestDisable_StopsSingleShards(t *testing.T) {
	bubble(t, func(c *cluster) {
		job := elastic.Job{Name: "report", Schedule: "0/10 * * * * ?", Shards: 3, DisabledShards: []int{2, 1}}
		a := c.start("a")
		c.add(a, job)
		c.pass(35 * time.Second)
		if n := len(c.find(func(r *ran) bool { return r.shard != 0 })); n > 0 || c.total() != 3 {
			t.Errorf("%d runs, %d of them on disabled shards; want 3 and 0", c.total(), n)
		}
		job.DisabledShards = []int{2}
		if err := a.sched.Unregister("report"); err != nil {
			t.Fatal(err)
		}
		c.pass(time.Second)
		c.add(a, job, elastic.Overwrite())
		enabled := time.Now()
		c.pass(20 * time.Second)
		runs := c.find(func(r *ran) bool { return r.shard == 1 })
		if len(runs) != 2 || slices.ContainsFunc(runs, func(r *ran) bool { return r.fire.Before(enabled) }) {
			t.Errorf("the enabled shard ran %v; want its two fires since then, and none before", runs)
		}
		if n := len(c.find(func(r *ran) bool { return r.shard == 2 })); n > 0 {
			t.Errorf("the disabled shard ran %d times", n)
		}
	})
}

// Invalid limits and labels are refused.
func TestLimit_InvalidSettings(t *testing.T) {
	for want, job := range map[string]elastic.Job{
		"retries: must be 0 to 100, is -1":        {Retries: -1},
		"retry delay: must be positive":           {Retries: 1, RetryDelay: -time.Second, RetryMaxDelay: time.Second},
		"retry max delay: must not be shorter":    {Retries: 1, RetryDelay: time.Minute, RetryMaxDelay: time.Second},
		"max concurrent: must not be negative":    {MaxConcurrent: -1},
		"disabled shards: there is no shard 3":    {DisabledShards: []int{0, 3}},
		`requires: the name of label "a b" must`:  {Requires: map[string]string{"a b": "x"}},
		"the value of label zone must be text of": {Requires: map[string]string{"zone": strings.Repeat("x", 101)}},
	} {
		job.Name = "report"
		job.Schedule = "* * * * * ?"
		job.Shards = 3
		if err := job.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	for want, option := range map[string]elastic.Option{
		"option WithMaxConcurrent: must not be negative": elastic.WithMaxConcurrent(-1),
		"option WithLabels: the name of label":           elastic.WithLabels(map[string]string{"": "x"}),
	} {
		if _, err := elastic.Open(t.Context(), "memory://labels", option); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
