package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
)

// Jobs can be added to, and removed from, an instance that runs.
func TestJobs_AddedAndRemovedWhileRunning(t *testing.T) {
	bubble(t, func(c *cluster) {
		first := elastic.Job{Name: "first", Schedule: "0/10 * * * * ?", Shards: 2}
		second := elastic.Job{Name: "second", Schedule: "0/10 * * * * ?", Shards: 2}
		c.jobs = []elastic.Job{first}
		a, b := c.start("a"), c.start("b")
		c.pass(15 * time.Second)
		c.add(a, second)
		c.until("a alone owns the second job", func() bool { return c.balanced("second", "a") })
		c.add(b, second)
		c.until("both own it", func() bool { return c.balanced("second", "a", "b") })
		if err := a.sched.Unregister("first"); err != nil {
			t.Fatal(err)
		}
		c.until("b alone owns the first job", func() bool { return c.balanced("first", "b") })
		c.pass(15 * time.Second)
		for _, job := range []string{"first", "second"} {
			if len(c.find(func(r *ran) bool { return r.job == job && time.Since(r.start) < 11*time.Second })) != 2 {
				t.Errorf("job %s does not run both shards at each fire", job)
			}
		}
		if err := a.sched.Unregister("first"); err == nil {
			t.Error("a job could be removed twice")
		}
		c.add(a, first) // add it again
		c.until("both own the first job again", func() bool { return c.balanced("first", "a", "b") })
		if err := a.sched.Add(first, c.handler(a)); err == nil || !strings.Contains(err.Error(), `"first"`) {
			t.Errorf("adding a job twice: %v, want an error that names it", err)
		}
	})
}

// The runs of a removed job finish.
func TestJobs_RunsOfRemovedJobFinish(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(20 * time.Second))
		a, b := onTwo(c, elastic.Job{Name: "report", Schedule: "0/30 * * * * ?", Shards: 2, Failover: true})
		c.until("B runs shard 1", func() bool { return c.running(b, 1) })
		if err := b.sched.Unregister("report"); err != nil {
			t.Fatal(err)
		}
		c.until("A owns all", func() bool { return c.balanced("report", a.name) })
		c.pass(45 * time.Second)
		if cut := c.find(func(r *ran) bool { return r.node == b })[0]; cut.err != nil {
			t.Errorf("B's run ended with %v", cut.err)
		}
		if n := c.count(observe.TookOver); n != 0 {
			t.Errorf("%d runs were repeated although no instance was lost", n)
		}
		if len(c.find(func(r *ran) bool { return r.node == a && r.shard == 1 })) == 0 {
			t.Error("A does not run shard 1")
		}
	})
}
