package integration

import (
	"errors"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/status"
)

// An instance answers about its fleet from its replica, with no request but one
// list for the shards of a job.
func TestAnswers_CostNoRequests(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(20 * time.Second))
		c.jobs = []elastic.Job{
			{Name: "report", Schedule: "0 * * * * ?", Shards: 4},
			{Name: "mail", Schedule: "0 0 3 * * ?"},
		}
		a := c.start("a")
		<-a.sched.Ready()
		b := c.start("b")
		c.until("both own shards", func() bool { return c.balanced("report", "a", "b") })
		c.until("all run", func() bool { return c.running(a, 0) || c.running(b, 0) })
		before := a.store.Counts()
		jobs, err := a.sched.Jobs(c.t.Context())
		if err != nil || len(jobs) != 2 || jobs[0].Name != "mail" || jobs[1].Name != "report" {
			t.Fatalf("got %+v, %v", jobs, err)
		}
		if got := jobs[1]; got.Shards != 4 || got.Read != 2 || got.Running != 2 || got.Owners != 2 {
			t.Errorf("a reads the records of its 2 shards of 4: got %+v", got)
		}
		instances, err := a.sched.Instances(c.t.Context())
		if err != nil || len(instances) != 2 || !instances[0].Self || instances[1].Owned < 2 {
			t.Errorf("got %+v, %v", instances, err)
		}
		if _, err := a.sched.Job(c.t.Context(), "report"); err != nil {
			t.Error(err)
		}
		if spent := a.store.Counts().Sub(before); spent.Reads()+spent.Commits != 0 {
			t.Errorf("these answers sent %+v, want nothing", spent)
		}
		shards, err := a.sched.Shards(c.t.Context(), "report")
		if err != nil || len(shards) != 4 {
			t.Fatalf("got %+v, %v", shards, err)
		}
		for _, s := range shards {
			if s.State != status.ShardRunning || s.RunsOn == "" || s.RunsOn != s.Owner || s.Started.IsZero() {
				t.Errorf("got %+v, want a running shard", s)
			}
		}
		if spent := a.store.Counts().Sub(before); spent.Lists != 1 || spent.Gets != 0 {
			t.Errorf("the shards of a job sent %+v, want one list", spent)
		}
	})
}

// The answers go on while the store does not answer; only what must be read
// fails.
func TestAnswers_WithoutStore(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?"}}
		a := c.start("a")
		c.until("a owns it", func() bool { return c.balanced("report", "a") })
		a.client.Cut()
		jobs, err := a.sched.Jobs(c.t.Context())
		if err != nil || len(jobs) != 1 {
			t.Errorf("got %+v, %v", jobs, err)
		}
		if _, err := a.sched.Shards(c.t.Context(), "report"); err == nil {
			t.Error("the shards were read from a store that does not answer")
		}
		a.client.Heal()
	})
}

// A shard of this instance that waits for a limit says so.
func TestAnswers_KnowWaits(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(50 * time.Second))
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Shards: 2, MaxConcurrent: 1}}
		a := c.start("a")
		c.until("one runs", func() bool { return c.running(a, 0) || c.running(a, 1) })
		c.pass(40 * time.Second)
		shards, err := a.sched.Shards(c.t.Context(), "report")
		if err != nil {
			t.Fatal(err)
		}
		late := 0
		for _, s := range shards {
			if s.State == status.ShardLate && s.Reason.Code != "fire_due" {
				late++
			}
		}
		if late != 1 {
			t.Errorf("got %+v, want a late shard that says which limit it waits for", shards)
		}
	})
}

// A scheduler that does not run says so, and so does one that is closed.
func TestAnswers_NeedRun(t *testing.T) {
	bubble(t, func(c *cluster) {
		s, err := elastic.New(c.server.Connect("x"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Jobs(c.t.Context()); err == nil || errors.Is(err, elastic.ErrClosed) {
			t.Errorf("before Run: got %v", err)
		}
		s.Close()
		if _, err := s.Jobs(c.t.Context()); !errors.Is(err, elastic.ErrClosed) {
			t.Errorf("after Close: got %v, want ErrClosed", err)
		}
		a := c.start("a")
		<-a.sched.Ready()
		if _, err := a.sched.Job(c.t.Context(), "nothing"); !errors.Is(err, elastic.ErrNoJob) {
			t.Errorf("a job that is not there: got %v, want ErrNoJob", err)
		}
		if _, err := a.sched.Shards(c.t.Context(), "a/b"); err == nil {
			t.Error("a bad name was taken")
		}
	})
}
