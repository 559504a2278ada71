package admin_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/status"
	"github.com/elasticjob-go/elastic/store"
)

// counted is a client whose requests are counted.
func counted(t *testing.T, c *elastictest.Cluster) (*admin.Client, *store.Portable) {
	t.Helper()
	p := store.NewPortable(c.Server().Connect("admin"), store.Config{})
	a, err := admin.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return a, p
}

// cost returns the reads and the commits of f.
func cost(p *store.Portable, f func()) (reads, commits int64) {
	before := p.Counts()
	f()
	spent := p.Counts().Sub(before)
	return spent.Reads(), spent.Commits
}

func sleeps(d time.Duration) elastic.HandlerFunc {
	return func(ctx context.Context, _ elastic.Run) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func fails(context.Context, elastic.Run) error { return errors.New("no paper") }

// The states of jobs are those that their runs show, and a list costs four
// requests and one a job.
func TestJobs_StatesAndCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		every := func(name string) elastic.Job { return elastic.Job{Name: name, Schedule: "0 * * * * ?"} }
		c.Add(every("idle"), sleeps(time.Second))
		c.Add(every("runs"), sleeps(time.Hour))
		c.Add(every("fails"), elastic.HandlerFunc(fails))
		c.Add(elastic.Job{Name: "off", Schedule: "0 * * * * ?", Disabled: true}, sleeps(0))
		labels := every("labels")
		labels.Requires = map[string]string{"gpu": "1"}
		c.Add(labels, sleeps(0))
		c.Start("a", "b")
		time.Sleep(90 * time.Second)
		a, p := counted(t, c)
		var page admin.JobPage
		reads, commits := cost(p, func() {
			var err error
			if page, err = a.Jobs(t.Context(), admin.JobQuery{}); err != nil {
				t.Fatal(err)
			}
		})
		if want := int64(7 + len(page.Jobs)); reads != want || commits != 0 {
			t.Errorf("it sent %d reads and %d commits, want %d and 0", reads, commits, want)
		}
		want := map[string]status.JobState{
			"idle":   status.JobIdle,
			"runs":   status.JobRunning,
			"fails":  status.JobFailed,
			"off":    status.JobDisabled,
			"labels": status.JobUnowned,
		}
		for _, j := range page.Jobs {
			if j.State != want[j.Name] {
				t.Errorf("%s is %s, want %s; %+v", j.Name, j.State, want[j.Name], j)
			}
			if j.Reason.Code == "" || j.Reason.Text == "" {
				t.Errorf("%s has no reason: %+v", j.Name, j)
			}
		}
		if len(page.Jobs) != len(want) || page.Total != len(want) {
			t.Errorf("%d jobs of %d, want %d", len(page.Jobs), page.Total, len(want))
		}
	})
}

// One call says of each shard who owns it, what ran last, when it runs next,
// and why it does not run.
func TestShards_AnswerInOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		report := elastic.Job{Name: "report", Schedule: "0 * * * * ?", Shards: 2, DisabledShards: []int{1}}
		c.Add(report, sleeps(time.Second))
		c.Start("a")
		time.Sleep(time.Until(time.Date(2000, 1, 1, 0, 2, 30, 0, time.UTC)))
		a, p := counted(t, c)
		var shards []status.Shard
		reads, _ := cost(p, func() {
			var err error
			if shards, err = a.Shards(t.Context(), "report"); err != nil {
				t.Fatal(err)
			}
		})
		if reads != 7 {
			t.Errorf("it sent %d reads, want 7", reads)
		}
		fire := time.Date(2000, 1, 1, 0, 2, 0, 0, time.UTC)
		got := shards[0]
		if got.State != status.ShardIdle || got.Owner != c.ID("a") || !got.OwnerAlive {
			t.Errorf("shard 0: got %+v", got)
		}
		if !got.Fire.Equal(fire) || got.Result != "ok" || got.Attempt != 1 || got.Fence == 0 {
			t.Errorf("the last run of shard 0: got %+v", got)
		}
		if !got.Next.Equal(fire.Add(time.Minute)) || got.Reason.Code != "no_fire_due" {
			t.Errorf("the next run of shard 0: got %+v", got)
		}
		got = shards[1]
		if got.State != status.ShardDisabled || got.Reason.Code != "job_disabled" || !got.Next.IsZero() {
			t.Errorf("shard 1: got %+v", got)
		}
	})
}

// A run whose instance has crashed, of a job that no other instance has, is
// stuck, and the answer says why.
func TestJobs_StuckRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		c.Start("other")
		c.Start("a")
		job := elastic.Job{Name: "billing", Schedule: "0 * * * * ?", Failover: true}
		if err := c.AddTo("a", job, sleeps(time.Hour)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		c.Crash("a")
		time.Sleep(time.Minute)
		a, _ := counted(t, c)
		page, err := a.Jobs(t.Context(), admin.JobQuery{States: []status.JobState{status.JobStuck}})
		if err != nil || len(page.Jobs) != 1 {
			t.Fatalf("got %+v, %v, want one stuck job", page, err)
		}
		if got := page.Jobs[0]; got.Reason.Code != status.CodeNoInstance || got.Stuck != 1 {
			t.Errorf("got %+v, want no_instance", got)
		}
	})
}

// Pages of a list have each job once, also if jobs come and go in between.
func TestJobs_PagesAreStable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		for i := range 25 {
			c.Add(elastic.Job{Name: fmt.Sprintf("job-%02d", i), Schedule: "0 0 3 * * ?"}, sleeps(0))
		}
		c.Start("a")
		a, _ := counted(t, c)
		for _, sort := range []admin.JobSort{admin.SortName, admin.SortNext, admin.SortLast, admin.SortState} {
			seen := map[string]int{}
			q := admin.JobQuery{Limit: 7, Sort: sort}
			for pages := 0; ; pages++ {
				page, err := a.Jobs(t.Context(), q)
				if err != nil || pages > 10 {
					t.Fatalf("page %d: %v", pages, err)
				}
				for _, j := range page.Jobs {
					seen[j.Name]++
				}
				if page.Cursor == "" {
					break
				}
				q.Cursor = page.Cursor
			}
			for i := range 25 {
				if name := fmt.Sprintf("job-%02d", i); seen[name] != 1 {
					t.Errorf("by %s: %s was shown %d times", sort, name, seen[name])
				}
			}
		}
	})
}

// Bad queries are refused before anything is sent, with what is wanted.
func TestReads_RefuseBadInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		a, p := counted(t, c)
		jobs := func(q admin.JobQuery) func() error {
			return func() error {
				_, err := a.Jobs(t.Context(), q)
				return err
			}
		}
		calls := map[string]func() error{
			"state":  jobs(admin.JobQuery{States: []status.JobState{"sad"}}),
			"sort":   jobs(admin.JobQuery{Sort: "size"}),
			"limit":  jobs(admin.JobQuery{Limit: 501}),
			"cursor": jobs(admin.JobQuery{Cursor: "%%"}),
			"name": func() error {
				_, err := a.Shards(t.Context(), "a/b")
				return err
			},
		}
		for name, call := range calls {
			reads, _ := cost(p, func() {
				if err := call(); !errors.Is(err, admin.ErrInvalid) {
					t.Errorf("%s: got %v, want ErrInvalid", name, err)
				}
			})
			if reads != 0 {
				t.Errorf("%s: it sent %d reads", name, reads)
			}
		}
		if _, err := a.Shards(t.Context(), "nothing"); !errors.Is(err, admin.ErrNotFound) {
			t.Errorf("a job that is not there: got %v, want ErrNotFound", err)
		}
	})
}

// Instances are the live ones, the oldest first, with their shards.
func TestInstances_OldestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		c.Add(elastic.Job{Name: "report", Schedule: "0 * * * * ?", Shards: 4}, sleeps(0))
		c.Start("b")
		c.Start("a")
		time.Sleep(time.Minute)
		a, p := counted(t, c)
		reads, _ := cost(p, func() {
			all, err := a.Instances(t.Context())
			if err != nil || len(all) != 2 {
				t.Fatalf("got %+v, %v, want 2 instances", all, err)
			}
			if all[0].ID != c.ID("b") || all[1].Owned != 2 || all[0].State != status.InstanceUp {
				t.Errorf("got %+v, %v", all, err)
			}
		})
		if reads != 4 {
			t.Errorf("it sent %d reads, want 4", reads)
		}
	})
}
