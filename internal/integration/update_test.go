package integration

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// document returns a job as the store has it.
func (c *cluster) document(job string) layout.Job {
	c.t.Helper()
	for _, e := range c.server.Dump() {
		if e.Key == layout.JobKey(job) {
			doc, err := layout.DecodeJob(e.Value)
			if err != nil {
				c.t.Fatal(err)
			}
			return doc
		}
	}
	c.t.Fatalf("there is no job %q", job)
	return layout.Job{}
}

// Update changes the stored job for the whole fleet, and returns when the store
// has it. A change that changes nothing writes nothing.
func TestUpdate_ChangesStoredJob(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Shards: 2}}
		a := c.start("a")
		b := c.start("b")
		c.until("both own shards", func() bool { return c.balanced("report", "a", "b") })
		err := a.sched.Update(c.t.Context(), "report", func(j *elastic.Job) error {
			j.Shards, j.Timeout = 4, time.Minute
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		doc := c.document("report")
		if doc.Rev != 2 || doc.Spec.Shards != 4 || doc.Changed.Via != layout.ViaCode ||
			!strings.HasPrefix(doc.Changed.By, "a@") {
			t.Errorf("got %+v", doc)
		}
		c.until("all four shards are assigned", func() bool { return len(c.owners("report")) == 4 })
		detail, err := b.sched.Job(c.t.Context(), "report")
		if err != nil || detail.Config.Shards != 4 || detail.Rev != 2 {
			t.Errorf("b sees %+v, %v", detail, err)
		}
		commits := a.store.Counts().Commits
		err = a.sched.Update(c.t.Context(), "report", func(j *elastic.Job) error {
			j.Shards = 4
			return nil
		})
		if err != nil || c.document("report").Rev != 2 || a.store.Counts().Commits != commits {
			t.Errorf("a change of nothing: %v, revision %d", err, c.document("report").Rev)
		}
	})
}

// Nothing begins after Disable has returned, whichever instance was asked.
func TestDisable_HoldsOnReturn(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/1 * * * * ?", Shards: 4}}
		a, b := c.start("a"), c.start("b")
		c.until("both own shards", func() bool { return c.balanced("report", "a", "b") })
		for range 5 {
			c.pass(2100 * time.Millisecond)
			if err := b.sched.Disable(c.t.Context(), "report"); err != nil {
				t.Fatal(err)
			}
			before := c.total()
			c.pass(3 * time.Second)
			if after := c.total(); after != before {
				t.Errorf("%d runs began after Disable had returned", after-before)
			}
			if err := a.sched.Enable(c.t.Context(), "report"); err != nil {
				t.Fatal(err)
			}
			if runs := c.total(); runs != before {
				t.Errorf("enabling began %d runs of the past", runs-before)
			}
		}
		c.until("it runs again", func() bool { return c.total() > 40 })
	})
}

// A job that was removed stays removed, also for a program that overwrites.
func TestRemoveJob_StaysRemoved(t *testing.T) {
	bubble(t, func(c *cluster) {
		job := elastic.Job{Name: "report", Schedule: "0/1 * * * * ?"}
		c.jobs = []elastic.Job{job, {Name: "mail", After: []string{"report"}}}
		a := c.start("a")
		c.until("a owns it", func() bool { return c.balanced("report", "a") && c.balanced("mail", "a") })
		err := a.sched.RemoveJob(c.t.Context(), "report")
		if err == nil || !strings.Contains(err.Error(), "mail") {
			t.Errorf("a job that mail follows: got %v, want a refusal that names mail", err)
		}
		for _, name := range []string{"mail", "report"} {
			c.until("it can be removed", func() bool { return a.sched.RemoveJob(c.t.Context(), name) == nil })
		}
		before := c.total()
		b := c.start("b")
		c.add(b, elastic.Job{Name: "extra", Schedule: "0 * * * * ?"})
		c.pass(10 * time.Second)
		if after := c.total(); after != before {
			t.Errorf("%d runs began of removed jobs", after-before)
		}
		for _, err := range []error{
			a.sched.Enable(c.t.Context(), "report"),
			a.sched.Update(c.t.Context(), "report", func(*elastic.Job) error { return nil }),
			a.sched.RemoveJob(c.t.Context(), "report"),
		} {
			if err == nil || !strings.Contains(err.Error(), "removed") {
				t.Errorf("got %v, want an error that says that it was removed", err)
			}
		}
	})
}

// Two writers at once lose nothing of each other.
func TestUpdate_ConcurrentWritersLoseNothing(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 0 3 * * ?", Shards: 8}}
		nodes := []*node{c.start("a"), c.start("b"), c.start("c")}
		c.until("they own shards", func() bool { return c.balanced("report", "a", "b", "c") })
		var wg sync.WaitGroup
		for i, n := range nodes {
			wg.Go(func() {
				for k := range 2 {
					err := n.sched.Update(c.t.Context(), "report", func(j *elastic.Job) error {
						j.DisabledShards = append(j.DisabledShards, 2*i+k)
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if doc := c.document("report"); len(doc.Spec.DisabledShards) != 6 || doc.Rev != 7 {
			t.Errorf("got the disabled shards %v in revision %d", doc.Spec.DisabledShards, doc.Rev)
		}
	})
}

// A write whose answer is lost is settled by a read: it is made once.
func TestUpdate_LostReply(t *testing.T) {
	for _, fault := range []memory.Fault{{LoseReply: true, Broken: true}, {LoseRequest: true, Broken: true}} {
		bubble(t, func(c *cluster) {
			c.jobs = []elastic.Job{{Name: "report", Schedule: "0 0 3 * * ?", Parameter: "p"}}
			lost := false
			a := c.startWith("a", func(r memory.Request) memory.Fault {
				if r.Kind != memory.Transact || lost || r.Txn.Do[0].Key != layout.JobKey("report") ||
					r.Txn.Do[0].Kind != store.OpSet {
					return memory.Fault{}
				}
				lost = true
				return fault
			})
			c.until("a owns it", func() bool { return c.balanced("report", "a") })
			err := a.sched.Update(c.t.Context(), "report", func(j *elastic.Job) error {
				j.Parameter += "x"
				return nil
			})
			if doc := c.document("report"); err != nil || !lost || doc.Spec.Parameter != "px" || doc.Rev != 2 {
				t.Errorf(
					"%+v: got %v, parameter %q in revision %d, want px in 2",
					fault,
					err,
					doc.Spec.Parameter,
					doc.Rev,
				)
			}
		})
	}
}

// A write whose answer is lost, and that another writer has replaced since, is
// found among the kept revisions.
func TestUpdate_LostReplyThenReplaced(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 0 3 * * ?"}}
		b := c.start("b")
		var a *node
		lost := false
		a = c.startWith("a", func(r memory.Request) memory.Fault {
			first := r.Kind == memory.Transact && r.Txn.Do[0].Key == layout.JobKey("report") &&
				r.Txn.Do[0].Kind == store.OpSet
			if !first || lost {
				return memory.Fault{}
			}
			lost = true
			return memory.Fault{LoseReply: true, Broken: true, After: time.Second}
		})
		c.until("they own it", func() bool { return c.balanced("report", "a") || c.balanced("report", "b") })
		<-a.sched.Ready()
		done := make(chan error, 1)
		go func() {
			done <- a.sched.Update(c.t.Context(), "report", func(j *elastic.Job) error {
				j.Description = "by a"
				return nil
			})
		}()
		c.until("a's write is there", func() bool { return c.document("report").Rev == 2 })
		err := b.sched.Update(c.t.Context(), "report", func(j *elastic.Job) error {
			j.Description = "by b"
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if doc := c.document("report"); doc.Rev != 3 || doc.Spec.Description != "by b" {
			t.Errorf("got revision %d, %q; a's change was made twice", doc.Rev, doc.Spec.Description)
		}
	})
}

// Bad changes are refused whole, and write nothing.
func TestUpdate_RefusesBadChanges(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 0 3 * * ?"}}
		a := c.start("a")
		c.until("a owns it", func() bool { return c.balanced("report", "a") })
		stop := errors.New("not now")
		for name, row := range map[string]struct {
			change func(*elastic.Job) error
			want   string
		}{
			"its own error": {func(*elastic.Job) error { return stop }, "not now"},
			"a new name": {func(j *elastic.Job) error {
				j.Name = "other"
				return nil
			}, "the name can't be changed"},
			"two faults": {func(j *elastic.Job) error {
				j.Schedule, j.TimeZone = "daily", "Mars"
				return nil
			}, "time zone"},
			"never fires": {func(j *elastic.Job) error {
				j.Schedule = "@at 1999-01-01T00:00:00Z"
				return nil
			}, "schedule"},
		} {
			err := a.sched.Update(c.t.Context(), "report", row.change)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%s: got %v, want %q", name, err, row.want)
			}
		}
		if rev := c.document("report").Rev; rev != 1 {
			t.Errorf("the job has revision %d, want 1", rev)
		}
		if err := a.sched.Update(c.t.Context(), "report", nil); err == nil {
			t.Error("a nil function was taken")
		}
		if err := a.sched.Disable(c.t.Context(), "nothing"); !errors.Is(err, elastic.ErrNoJob) {
			t.Errorf("a job that is not there: got %v, want ErrNoJob", err)
		}
		if err := a.sched.Disable(c.t.Context(), "a/b"); err == nil {
			t.Error("a bad name was taken")
		}
	})
}

// A job that was just added is waited for.
func TestUpdate_WaitsForAddedJob(t *testing.T) {
	bubble(t, func(c *cluster) {
		a := c.start("a")
		for i := range 3 {
			name := fmt.Sprintf("job-%d", i)
			c.add(a, elastic.Job{Name: name, Schedule: "0 0 3 * * ?"})
			if err := a.sched.Disable(c.t.Context(), name); err != nil {
				t.Error(err)
			}
			if doc := c.document(name); !doc.Spec.Disabled {
				t.Errorf("%s is not disabled", name)
			}
		}
	})
}
