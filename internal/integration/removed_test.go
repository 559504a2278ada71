package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
)

// byLi is the author of an operator's change.
func byLi(why string) layout.Changed {
	return layout.Changed{By: "li", At: time.Now(), Via: layout.ViaCLI, Why: why}
}

// doc returns the document of a job as it is stored.
func (c *cluster) doc(job string) layout.Job {
	c.t.Helper()
	for _, e := range c.server.Dump() {
		if e.Key != layout.JobKey(job) {
			continue
		}
		doc, err := layout.DecodeJob(e.Value)
		if err != nil {
			c.t.Fatal(err)
		}
		return doc
	}
	c.t.Fatalf("the store has no job %s", job)
	return layout.Job{}
}

// remove replaces a job by its tombstone, as an operator does.
func (c *cluster) remove(job, why string) {
	c.t.Helper()
	var last *layout.Assignment
	for _, e := range c.server.Dump() {
		if e.Key == layout.AssignmentKey(job) {
			a, err := layout.DecodeAssignment(e.Value)
			if err != nil {
				c.t.Fatal(err)
			}
			last = &a
		}
	}
	c.put(layout.JobKey(job), c.doc(job).Removed(last, byLi(why)).Encode())
}

// restore brings a removed job back, as an operator does.
func (c *cluster) restore(job string) {
	c.t.Helper()
	doc := c.doc(job)
	c.put(layout.JobKey(job), doc.With(doc.Spec.From(time.Now()), byLi("")).Encode())
}

// Nothing of a removed job begins. To add it does not bring it back, with
// Overwrite as well, and an event says who removed it. A restored job goes on,
// with greater fences.
func TestRemoved_StaysUntilRestored(t *testing.T) {
	bubble(t, func(c *cluster) {
		job := elastic.Job{Name: "report", Schedule: "* * * * * ?", Shards: 2, Failover: true}
		c.jobs = []elastic.Job{job}
		a := c.start("a")
		c.start("b")
		c.pass(5 * time.Second)
		before := c.record("report", 0).Fence

		c.remove("report", "replaced by billing")
		c.pass(time.Second)
		n := c.total()
		c.pass(5 * time.Second)
		_ = a.sched.Unregister("report")
		c.add(a, job, elastic.Overwrite())
		c.start("d")
		c.pass(time.Minute)
		if c.total() != n {
			t.Errorf("%d runs began after the job was removed", c.total()-n)
		}
		if c.doc("report").State != layout.JobRemoved {
			t.Error("the job came back by itself")
		}
		told := c.seen(observe.Removed)
		if len(told) != 4 { // a, b, a again, d
			t.Errorf("%d events say that the job was removed, want 4", len(told))
		}
		for _, e := range told {
			if e.Code != "removed_by_operator" || e.Args["by"] != "li" ||
				!strings.Contains(e.Detail, "replaced by billing") ||
				!strings.Contains(e.Detail, "restore") {
				t.Errorf("got %+v", e)
			}
		}
		if _, err := a.sched.Trigger(context.Background(), "report"); err == nil ||
			!strings.Contains(err.Error(), "removed by li") {
			t.Errorf("a trigger of a removed job: %v", err)
		}

		c.restore("report")
		c.pass(5 * time.Second)
		if got := c.total() - n; got < 8 {
			t.Errorf("%d runs after the job was restored, want 2 a second", got)
		}
		if after := c.record("report", 0).Fence; after <= before || after < c.doc("report").Fences {
			t.Errorf("the fence is %d, was %d, and the floor is %d", after, before, c.doc("report").Fences)
		}
	})
}

// A job that was moved, or is to arrive, is not here either.
func TestRemoved_OtherStatesAreNotHere(t *testing.T) {
	for _, state := range []layout.JobState{layout.JobMoved, layout.JobArriving, layout.JobRefused} {
		t.Run(string(state), func(t *testing.T) {
			bubble(t, func(c *cluster) {
				c.jobs = []elastic.Job{{Name: "report", Schedule: "* * * * * ?"}}
				c.put(layout.JobKey("report"), layout.Job{State: state, Rev: 1, Changed: byLi("")}.Encode())
				c.start("a")
				c.pass(5 * time.Second)
				if n := c.total(); n > 0 || c.count(observe.Removed) != 1 || c.doc("report").State != state {
					t.Errorf("%d runs, %d events, and the job is %+v", n, c.count(observe.Removed), c.doc("report"))
				}
			})
		})
	}
}

// The write that replaces a spec keeps the one before it, of the last eight,
// and counts revisions.
func TestSpec_KeepsReplacedRevisions(t *testing.T) {
	bubble(t, func(c *cluster) {
		job := elastic.Job{Name: "report", Schedule: "@daily"}
		c.jobs = []elastic.Job{job}
		a := c.start("a")
		c.pass(time.Second)
		for i := range 10 {
			job.Parameter = strings.Repeat("x", i+1)
			_ = a.sched.Unregister("report")
			c.add(a, job, elastic.Overwrite())
			c.pass(time.Second)
		}
		doc := c.doc("report")
		if doc.Rev != 11 || doc.Spec.Parameter != job.Parameter || doc.Changed.Via != layout.ViaCode ||
			!strings.HasPrefix(doc.Changed.By, "a@") {
			t.Errorf("got revision %d, changed %+v", doc.Rev, doc.Changed)
		}
		kept := map[uint64]string{}
		for _, e := range c.server.Dump() {
			if layout.Prefix(e.Key) == layout.Revisions {
				old, err := layout.DecodeJob(e.Value)
				if err != nil || e.Key != layout.RevisionKey("report", old.Rev) {
					t.Errorf("%s: %v", e.Key, err)
					continue
				}
				kept[old.Rev] = old.Spec.Parameter
			}
		}
		for rev := uint64(3); rev <= 10; rev++ {
			if want := strings.Repeat("x", int(rev)-1); kept[rev] != want {
				t.Errorf("revision %d has the parameter %q, want %q", rev, kept[rev], want)
			}
		}
		if len(kept) != 8 {
			t.Errorf("%d revisions are kept, want 8", len(kept))
		}

		// A key that was deleted by hand stops nothing.
		c.delete(layout.RevisionKey("report", 11))
		job.Parameter = "last"
		_ = a.sched.Unregister("report")
		c.add(a, job, elastic.Overwrite())
		c.pass(10 * time.Second)
		if doc := c.doc("report"); doc.Rev != 12 || doc.Spec.Parameter != "last" {
			t.Errorf("got revision %d with the parameter %q", doc.Rev, doc.Spec.Parameter)
		}
	})
}
