package integration

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/status"
)

// operator returns a client that acts as "li".
func (c *cluster) operator() *admin.Client {
	c.t.Helper()
	a, err := admin.New(c.server.Connect("operator"), admin.As("li"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { a.Close(context.Background()) })
	return a
}

// act fails the test if an act of an operator failed.
func (c *cluster) act(_ admin.Receipt, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// While a namespace is paused nothing begins and nothing is given up; what runs
// goes on. Then the misfire policies decide.
func TestPause_BeginsNothing(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(func(ctx context.Context, run elastic.Run) error {
			if run.Job == "fast" {
				return nil
			}
			return sleepFor(10*time.Second)(ctx, run)
		})
		c.jobs = []elastic.Job{
			{Name: "report", Schedule: "0 * * * * ?", Shards: 2, Failover: true},
			{Name: "fast", Schedule: "0/1 * * * * ?", Unclaimed: true},
		}
		a, b := c.start("a"), c.start("b")
		c.until("both own shards", func() bool { return c.balanced("report", "a", "b") })
		c.until("both run", func() bool {
			return (c.running(a, 0) || c.running(b, 0)) && (c.running(a, 1) || c.running(b, 1))
		})
		op := c.operator()
		c.act(op.Pause(c.t.Context(), admin.Why("move")))
		c.pass(100 * time.Millisecond)
		before := c.total()
		c.pass(5 * time.Minute)
		if after := c.total(); after != before {
			t.Errorf("%d runs began while the namespace was paused", after-before)
		}
		for shard := range 2 {
			if r := c.record("report", shard); r.Result != failover.ResultSucceeded {
				t.Errorf("shard %d: the run that went on ended as %v", shard, r)
			}
		}
		shards, err := a.sched.Shards(c.t.Context(), "report")
		if err != nil || shards[0].Reason.Code != "paused" {
			t.Errorf("got %+v, %v, want the reason paused", shards, err)
		}
		c.act(op.Resume(c.t.Context()))
		c.pass(time.Second)
		runs := c.find(func(r *ran) bool { return r.job == "report" && time.Until(r.start) > -2*time.Second })
		if len(runs) != 2 || runs[0].fire.Minute() != time.Now().Minute() {
			t.Errorf("after resume %d runs began, want that of the latest fire on each shard", len(runs))
		}
	})
}

// A run whose instance crashes while the namespace is paused is neither taken
// over nor given up, but afterwards it is.
func TestPause_KeepsCrashedRuns(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(40 * time.Second))
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Failover: true}}
		a := c.start("a")
		c.until("it runs", func() bool { return c.running(a, 0) })
		op := c.operator()
		c.act(op.Pause(c.t.Context()))
		b := c.start("b")
		c.pass(time.Second)
		c.crash(a)
		c.pass(time.Minute)
		if r := c.record("report", 0); r.State != failover.StateRunning || r.Attempt != 1 {
			t.Errorf("while paused the run became %v", r)
		}
		c.act(op.Resume(c.t.Context()))
		c.until("b takes it over", func() bool { return c.running(b, 0) })
		if r := c.record("report", 0); r.Attempt != 2 {
			t.Errorf("after resume the run is %v, want a second attempt", r)
		}
	})
}

// A cordoned instance gets no shards, and gives away those that it has. What it
// runs goes on. Uncordoned it gets its part again.
func TestCordon_MovesShards(t *testing.T) {
	for _, target := range []string{"a", "host:", "id"} {
		bubble(t, func(c *cluster) {
			c.does(sleepFor(30 * time.Second))
			c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Shards: 4}}
			a, b := c.start("a"), c.start("b")
			c.until("both own shards", func() bool { return c.balanced("report", "a", "b") })
			c.until("they run", func() bool { return c.total() == 4 })
			op := c.operator()
			name := target
			if target == "id" {
				for _, e := range c.seen(observe.Joined) {
					if e.Instance[0] == 'a' {
						name = e.Instance
					}
				}
			}
			if target == "host:" {
				_, err := op.Cordon(c.t.Context(), target+"nowhere")
				if err != nil {
					t.Error(err)
				}
				c.pass(time.Second)
				if !c.balanced("report", "a", "b") {
					t.Error("a cordon of another host moved shards")
				}
				return
			}
			c.act(op.Cordon(c.t.Context(), name, admin.Why("disk")))
			c.until("b has all", func() bool { return c.balanced("report", "b") })
			for shard := range 4 {
				if r := c.record("report", shard); r.State != failover.StateRunning {
					t.Errorf("shard %d: its run ended with the cordon: %v", shard, r)
				}
			}
			c.pass(2 * time.Minute)
			if late := c.find(func(r *ran) bool { return r.node == a && time.Since(r.start) < time.Minute }); len(
				late,
			) > 0 {
				t.Errorf("a began %d runs after it was cordoned", len(late))
			}
			c.act(op.Uncordon(c.t.Context(), name))
			c.until("a has its part again", func() bool { return c.balanced("report", "a", "b") })
			_ = b
		})
	}
}

// If every instance of a job is cordoned, no instance owns its shards, and none
// begins.
func TestCordon_AllInstances(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/1 * * * * ?", Shards: 3}}
		a := c.start("a")
		c.until("a owns it", func() bool { return c.balanced("report", "a") })
		op := c.operator()
		c.act(op.Drain(c.t.Context(), "a"))
		c.until("no instance owns it", func() bool {
			owners := c.owners("report")
			return len(owners) == 3 && owners[0] == "" && owners[1] == "" && owners[2] == ""
		})
		epoch := c.epoch("report")
		before := c.total()
		c.pass(time.Minute)
		if after := c.total(); after != before || c.epoch("report") != epoch {
			t.Errorf("%d runs began on a drained instance, and the assignment was written %d times",
				after-before, c.epoch("report")-epoch)
		}
		page, err := op.Jobs(c.t.Context(), admin.JobQuery{})
		if err != nil || page.Jobs[0].State != status.JobUnowned || page.Jobs[0].Reason.Code != status.CodeNotPlaced {
			t.Errorf("got %+v, %v", page.Jobs, err)
		}
		c.act(op.Uncordon(c.t.Context(), "a"))
		c.until("a owns it again", func() bool { return c.balanced("report", "a") })
		c.until("it runs again", func() bool { return c.total() > before })
		_ = a
	})
}

// An instance that is asked to leave drains as on SIGTERM, and its Run returns
// nil.
func TestLeave_EndsRun(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(5 * time.Second))
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Shards: 2}}
		a, b := c.start("a"), c.start("b")
		c.until("both own shards", func() bool { return c.balanced("report", "a", "b") })
		c.until("they run", func() bool { return c.total() == 2 })
		id := ""
		for _, e := range c.seen(observe.Joined) {
			if e.Instance[0] == 'a' {
				id = e.Instance
			}
		}
		c.act(c.operator().Leave(c.t.Context(), id))
		<-a.done
		if a.err != nil {
			t.Errorf("Run returned %v, want nil", a.err)
		}
		c.until("b has all", func() bool { return c.balanced("report", "b") })
		for _, r := range c.find(func(r *ran) bool { return r.node == a }) {
			if r.err != nil {
				t.Errorf("a run of a was cut off: %v", r.err)
			}
		}
		_ = b
	})
}

// A run that is cancelled ends with ErrCancelled, is recorded as cancelled, and
// is not repeated. The next fire runs.
func TestCancel_EndsRun(t *testing.T) {
	bubble(t, func(c *cluster) {
		var cause atomic.Value
		c.does(func(ctx context.Context, run elastic.Run) error {
			select {
			case <-time.After(10 * time.Minute):
				return nil
			case <-ctx.Done():
				cause.Store(context.Cause(ctx))
				return context.Cause(ctx)
			}
		})
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Failover: true, Retries: 3}}
		a := c.start("a")
		c.until("it runs", func() bool { return c.running(a, 0) })
		fire := c.record("report", 0).Fire
		op := c.operator()
		c.act(op.Cancel(c.t.Context(), "report", admin.CancelRequest{Fire: fire}, admin.Why("poison")))
		c.until("it ended", func() bool { return c.record("report", 0).Result == failover.ResultCancelled })
		if err, _ := cause.Load().(error); !errors.Is(err, elastic.ErrCancelled) {
			t.Errorf("its context ended with %v, want ErrCancelled", err)
		}
		r := c.record("report", 0)
		if r.Error != "cancelled by li: poison" || !r.Fire.Equal(fire) || c.total() != 1 {
			t.Errorf("got %+v after %d runs", r, c.total())
		}
		c.until("the next fire runs", func() bool { return c.running(a, 0) })
	})
}

// A run that kills its instances is stopped by a cancel: it is not taken over.
func TestCancel_StopsPoisonRun(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(10 * time.Minute))
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Failover: true, MaxAttempts: 100}}
		a := c.start("a")
		c.until("it runs", func() bool { return c.running(a, 0) })
		fire := c.record("report", 0).Fire
		op := c.operator()
		c.crash(a)
		c.act(op.Cancel(c.t.Context(), "report", admin.CancelRequest{Fire: fire}))
		c.start("b")
		c.until("it is over", func() bool { return c.record("report", 0).State == failover.StateIdle })
		r := c.record("report", 0)
		if r.Result != failover.ResultCancelled || r.Attempt != 1 || c.total() != 1 {
			t.Errorf("got %+v after %d runs", r, c.total())
		}
	})
}

// A fire and a trigger that wait, and are cancelled, do not run, also when the
// shard is free; later ones do.
func TestCancel_WhatWaits(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(150 * time.Second)) // longer than two fires
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Misfire: elastic.MisfireAll}}
		a := c.start("a")
		c.until("it runs", func() bool { return c.running(a, 0) })
		first := c.record("report", 0).Fire
		c.pass(70 * time.Second)
		op := c.operator()
		given, err := op.Trigger(c.t.Context(), "report", admin.TriggerRequest{})
		if err != nil {
			t.Fatal(err)
		}
		c.act(op.Cancel(c.t.Context(), "report", admin.CancelRequest{Trigger: given.Number}))
		c.act(op.Cancel(c.t.Context(), "report", admin.CancelRequest{Fire: first.Add(time.Minute)}))
		c.until("the second run has begun", func() bool { return c.total() == 2 })
		r := c.record("report", 0)
		if r.IsManual() || !r.Fire.Equal(first.Add(2*time.Minute)) {
			t.Errorf("the second run is %v, want the fire after the one that was cancelled", r)
		}
		missed := c.seen(observe.Missed)
		if len(missed) == 0 || missed[0].Code != string(failover.CodeMissedCancelled) {
			t.Errorf("missed: %v, want one that was cancelled", missed)
		}
	})
}
