package integration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/observe"
)

// inCluster runs a test in virtual time, with a cluster of its own.
func inCluster(t *testing.T, name string, f func(t *testing.T, c *elastictest.Cluster)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, elastictest.New(t)) })
	})
}

// succeeds is a handler that succeeds at once.
var succeeds = elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil })

// A job goes on within one period when a clock that was ahead is corrected,
// whatever delays its starts, and whether the job ran before or not.
func TestClockAhead_JobsGoOn(t *testing.T) {
	long := func(ctx context.Context, _ elastic.Run) error { return elastictest.Work(ctx, 20*time.Second) }
	rows := map[string]struct {
		job     elastic.Job
		handler elastic.HandlerFunc
	}{
		"plain":                 {job: elastic.Job{Schedule: "0 * * * * ?"}},
		"aligned":               {job: elastic.Job{Schedule: "@every 1m"}},
		"after the end":         {job: elastic.Job{Schedule: "@after 1m"}},
		"after the end, long":   {job: elastic.Job{Schedule: "@after 40s"}, handler: long},
		"after the end, jitter": {job: elastic.Job{Schedule: "@after 40s", Jitter: 20 * time.Second}},
		"jitter":                {job: elastic.Job{Schedule: "0 * * * * ?", Jitter: 40 * time.Second}},
		"jitter beyond a period": {job: elastic.Job{
			Schedule: "0 * * * * ?",
			Jitter:   10 * time.Minute,
			Misfire:  elastic.MisfireAll,
		}},
		"skip while it runs": {
			job:     elastic.Job{Schedule: "0 * * * * ?", Overlap: elastic.OverlapSkip, Jitter: 40 * time.Second},
			handler: long,
		},
		"misfire skip, jitter": {job: elastic.Job{
			Schedule: "0 * * * * ?",
			Misfire:  elastic.MisfireSkip,
			Jitter:   40 * time.Second,
		}},
		"unclaimed, after": {job: elastic.Job{Schedule: "@after 1m", Unclaimed: true}},
		"unclaimed, jitter": {
			job: elastic.Job{Schedule: "0 * * * * ?", Jitter: 40 * time.Second, Unclaimed: true},
		},
		"broadcast, jitter": {
			job: elastic.Job{Schedule: "0 * * * * ?", Jitter: 40 * time.Second, Broadcast: true},
		},
		"broadcast, after":        {job: elastic.Job{Schedule: "@after 1m", Broadcast: true}},
		"failover, after, 1 tick": {job: elastic.Job{Schedule: "@after 59s", Failover: true}},
	}
	i := 0
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		row := rows[name]
		for _, ahead := range []time.Duration{6 * time.Second, 10 * time.Minute, 24 * time.Hour} {
			for _, wrongFor := range []time.Duration{
				10 * time.Second,
				170 * time.Second,
			} { // before the first run, and after two
				if i++; !sampled(i) {
					continue
				}
				inCluster(t, fmt.Sprint(name, " ", ahead, " ", wrongFor), func(t *testing.T, c *elastictest.Cluster) {
					var wrong atomic.Bool
					wrong.Store(true)
					job, handler := row.job, row.handler
					job.Name = "j"
					if handler == nil {
						handler = func(context.Context, elastic.Run) error { return nil }
					}
					c.Add(job, handler)
					c.StartWith("a", elastic.WithTesting(elastic.Testing{Now: func() time.Time {
						if wrong.Load() {
							return time.Now().Add(ahead)
						}
						return time.Now()
					}}))
					c.Advance(wrongFor)
					wrong.Store(false)
					before := len(c.Runs("j"))
					c.Advance(11 * time.Minute)
					settled := len(c.Runs("j"))
					c.Advance(time.Hour)
					if got := settled - before; ahead != 10*time.Minute && job.Jitter < time.Minute && got < 7 {
						t.Errorf("%d runs in the 11 minutes after the clock was corrected, want at least 8", got)
					}
					if got := len(c.Runs("j")) - settled; got < 55 {
						t.Errorf("%d runs in the hour after that, want about 60", got)
					}
				})
			}
		}
	}
}

// Of two instances, the one that created the job, or enabled one of its
// shards, has a clock that is ahead. The other instance runs the job
// nevertheless, also after a restart.
func TestClockAhead_OthersRunTheJob(t *testing.T) {
	for name, job := range map[string]elastic.Job{
		"jitter":    {Schedule: "0 * * * * ?", Jitter: 40 * time.Second},
		"after":     {Schedule: "@after 1m"},
		"plain":     {Schedule: "0 * * * * ?"},
		"broadcast": {Schedule: "0 * * * * ?", Jitter: 40 * time.Second, Broadcast: true},
		"shards":    {Schedule: "0 * * * * ?", Jitter: 40 * time.Second, Shards: 4},
	} {
		inCluster(t, name, func(t *testing.T, c *elastictest.Cluster) {
			job.Name = "j"
			c.Add(job, succeeds)
			c.StartWith("b", elastic.WithTesting(elastic.Testing{Now: func() time.Time {
				return time.Now().Add(2 * time.Hour)
			}}))
			c.Advance(3 * time.Second)
			c.Start("a")
			c.Advance(time.Minute)
			c.Crash("b")
			for range 2 {
				before := len(c.RunsOf("j", 0))
				c.Advance(20 * time.Minute)
				if got := len(c.RunsOf("j", 0)) - before; got < 18 {
					t.Errorf("%d runs in 20 minutes, want about 20", got)
				}
				c.Crash("a")
				c.Advance(time.Minute)
				c.Start("a")
			}
		})
	}
}

// A job whose times a wrong clock wrote reports as missed the fires that do
// not count for it, if it is known that they did not run.
func TestClockAhead_DroppedFiresAreMissed(t *testing.T) {
	inCluster(t, "", func(t *testing.T, c *elastictest.Cluster) {
		var wrong atomic.Bool
		wrong.Store(true)
		c.Add(elastic.Job{Name: "j", Schedule: "0 0 * * * ?"}, succeeds)
		clock := elastic.WithTesting(elastic.Testing{Now: func() time.Time {
			if wrong.Load() {
				return time.Now().Add(240 * time.Hour)
			}
			return time.Now()
		}})
		c.StartWith("a", clock)
		c.Advance(3 * time.Second)
		wrong.Store(false)
		c.NextFire("j") // 01:00
		c.Crash("a")
		c.Advance(2*time.Hour + 30*time.Minute) // the fires of 02:00 and 03:00
		c.Start("a")
		c.Advance(2 * time.Hour)
		if got := len(c.Runs("j")); got != 3 {
			t.Errorf("%d runs, want those of 01:00, 04:00 and 05:00", got)
		}
		for _, e := range c.Events() {
			if e.Kind == observe.Missed && e.Fire.Hour() == 2 && e.Code == "missed_clock" {
				return
			}
		}
		t.Error("no event reports the missed fires of 02:00 and 03:00")
	})
}

// A job runs although only the time since when its schedule counts lies in the
// future, which a wrong clock has written. An event reports the fires that do
// not count.
func TestClockAhead_SinceInFutureIsReported(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Misfire: elastic.MisfireAll}}
		a := c.start("a")
		c.pass(35 * time.Second)
		if err := c.leave(a); err != nil {
			t.Fatal(err)
		}
		spec := c.spec("report")
		spec.Since = time.Now().Add(240 * time.Hour)
		c.putSpec("report", spec)
		c.pass(30 * time.Second)
		before := c.total()
		c.start("b")
		c.pass(time.Minute)
		if n := c.total() - before; n < 5 || n > 7 {
			t.Errorf("%d runs in the minute after, want 6", n)
		}
		missed := c.seen(observe.Missed)
		if len(missed) != 1 || missed[0].Code != "missed_clock" || missed[0].Fire.Second() != 40 {
			t.Errorf("got %+v, want one event with the code missed_clock from :40 on", missed)
		}
	})
}
