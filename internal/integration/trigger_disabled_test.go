package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
)

// giveTrigger triggers the job j.
func giveTrigger(t *testing.T, c *elastictest.Cluster, options ...elastic.TriggerOption) {
	t.Helper()
	if _, err := c.Scheduler("a").Trigger(context.Background(), "j", options...); err != nil {
		t.Fatalf("trigger, after %d runs: %v", len(c.Runs("j")), err)
	}
}

// A trigger skips shards that are disabled when it is given, or before they
// begin it. It does not wait for them, and they do not run it when they are
// enabled.
func TestTrigger_SkipsDisabledShards(t *testing.T) {
	for name, row := range map[string]struct {
		disable func(*elastic.Job)
		options []elastic.TriggerOption
		want    int // runs of each trigger
	}{
		"one of all": {disable: func(j *elastic.Job) { j.DisabledShards = []int{1} }, want: 2},
		"two of all": {disable: func(j *elastic.Job) { j.DisabledShards = []int{0, 2} }, want: 1},
		"one of those": {
			disable: func(j *elastic.Job) { j.DisabledShards = []int{1} },
			options: []elastic.TriggerOption{elastic.OnShards(0, 1)},
			want:    1,
		},
	} {
		inCluster(t, name, func(t *testing.T, c *elastictest.Cluster) {
			job := elastic.Job{Name: "j", Schedule: "@manual", Shards: 3}
			c.Add(job, succeeds)
			c.Start("a")
			c.Settle()
			row.disable(&job)
			replace(t, c, "a", job, succeeds)
			c.Advance(time.Minute)
			for range 25 {
				giveTrigger(t, c, row.options...)
				c.Advance(time.Hour)
			}
			if n := len(c.Runs("j")); n != 25*row.want {
				t.Errorf("%d runs of 25 triggers, want %d for each", n, row.want)
			}
			before := len(c.Runs("j"))
			job.DisabledShards = nil
			replace(t, c, "a", job, succeeds)
			c.Advance(time.Minute)
			if n := len(c.Runs("j")) - before; n > 0 {
				t.Errorf("%d old triggers ran when the shards were enabled, want 0", n)
			}
			giveTrigger(t, c)
			c.Advance(time.Minute)
			if n := len(c.Runs("j")) - before; n != 3 {
				t.Errorf("the next trigger ran %d times, want once on each of 3 shards", n)
			}
		})
	}
}

// A trigger that cannot begin on any shard is refused.
func TestTrigger_RefusesDisabledShards(t *testing.T) {
	for want, row := range map[string]struct {
		disabled []int
		options  []elastic.TriggerOption
	}{
		"shards [1] of job \"j\" are disabled":   {[]int{1}, []elastic.TriggerOption{elastic.OnShards(1)}},
		"shards [0 1] of job \"j\" are disabled": {[]int{0, 1}, []elastic.TriggerOption{elastic.OnShards(1, 0)}},
		"all shards of job \"j\" are disabled":   {[]int{0, 1, 2}, nil},
		"shards [2] of job \"j\" are disabled":   {[]int{0, 1, 2}, []elastic.TriggerOption{elastic.OnShards(2)}},
	} {
		inCluster(t, want, func(t *testing.T, c *elastictest.Cluster) {
			c.Add(elastic.Job{Name: "j", Schedule: "@manual", Shards: 3, DisabledShards: row.disabled}, succeeds)
			c.Start("a")
			c.Settle()
			_, err := c.Scheduler("a").Trigger(context.Background(), "j", row.options...)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

// A waiting trigger is dropped when its job, or its shard, is disabled or the
// number of shards changes. It does not fill the queue of triggers, and does
// not run when the job is enabled again.
func TestTrigger_DropsOutdatedRequests(t *testing.T) {
	for name, row := range map[string]struct{ disable, enable func(*elastic.Job) }{
		"the job": {
			func(j *elastic.Job) { j.Disabled = true },
			func(j *elastic.Job) { j.Disabled = false },
		},
		"the shards": {
			func(j *elastic.Job) { j.DisabledShards = []int{0, 1} },
			func(j *elastic.Job) { j.DisabledShards = nil },
		},
		"other shards": {
			func(j *elastic.Job) { j.Shards = 3 },
			func(j *elastic.Job) { j.Shards = 2 },
		},
	} {
		inCluster(t, name, func(t *testing.T, c *elastictest.Cluster) {
			work := elastic.HandlerFunc(func(ctx context.Context, _ elastic.Run) error {
				return elastictest.Work(ctx, time.Minute)
			})
			job := elastic.Job{Name: "j", Schedule: "@manual", Shards: 2}
			c.Add(job, work)
			c.Start("a")
			c.Settle()
			for range 4 {
				for range 8 { // one runs, and seven wait
					giveTrigger(t, c)
					c.Advance(time.Second)
				}
				row.disable(&job)
				replace(t, c, "a", job, work)
				c.Advance(10 * time.Minute)
				before := len(c.Runs("j"))
				row.enable(&job)
				replace(t, c, "a", job, work)
				c.Advance(30 * time.Minute)
				for _, r := range c.Runs("j")[before:] {
					t.Errorf("an old trigger ran: %s", r)
				}
				giveTrigger(t, c)
				c.Advance(10 * time.Minute)
				if n := len(c.Runs("j")) - before; n != 2 {
					t.Errorf("the next trigger ran %d times, want once on each of 2 shards", n)
				}
			}
		})
	}
}
