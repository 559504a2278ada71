package integration

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/store/memory"
)

// An instance that drains gives its shards up at once and finishes its runs.
func TestDrain_FinishesRunsAndMovesShards(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(12 * time.Second))
		a, b := onTwo(c, elastic.Job{Name: "report", Schedule: "0/15 * * * * ?", Shards: 2, Failover: true})
		c.until("B has run shard 1 for a while", func() bool {
			return len(c.find(func(r *ran) bool {
				return r.node == b && r.shard == 1 && time.Since(r.start) > 2*time.Second
			})) > 0
		})
		left := time.Now()
		b.stop()
		c.until("A owns all shards", func() bool { return c.balanced("report", a.name) })
		if took := time.Since(left); took > 100*time.Millisecond {
			t.Errorf("the shards moved %s after the start of B's drain, want at most 100ms", took)
		}
		if err := c.leave(b); err != nil {
			t.Errorf("B drained with the error %v", err)
		}
		if took := time.Since(left); took > 11*time.Second {
			t.Errorf("B left after %s, want as soon as its run had ended", took)
		}
		c.until("A runs shard 1 at the next fire", func() bool { return c.running(a, 1) })
		for _, r := range c.find(func(r *ran) bool { return r.shard == 1 }) {
			if r.attempt != 1 {
				t.Errorf(
					"a run was repeated although no instance was lost: fire %s attempt %d",
					stamp(r.fire),
					r.attempt,
				)
			}
		}
	})
}

// A run that a draining instance cannot finish in time is handed over.
func TestDrain_HandsOverUnfinishedRuns(t *testing.T) {
	for _, failoverOn := range []bool{true, false} {
		bubble(t, func(c *cluster) {
			c.does(sleepFor(50 * time.Second))
			c.opts = []elastic.Option{elastic.WithDrainTimeout(5 * time.Second)}
			a, b := onTwo(c, elastic.Job{Name: "report", Schedule: "0 * * * * ?", Shards: 2, Failover: failoverOn})
			c.until("B runs shard 1", func() bool { return c.running(b, 1) })
			left := time.Now()
			if err := c.leave(b); err != nil {
				t.Errorf("B drained with the error %v", err)
			}
			cut := c.find(func(r *ran) bool { return r.node == b && r.shard == 1 })[0]
			if !errors.Is(cut.cause, elastic.ErrShutdown) || cut.end.Sub(left) != 5*time.Second {
				t.Errorf(
					"B's handler ended after %s with the cause %v, want 5s and ErrShutdown",
					cut.end.Sub(left),
					cut.cause,
				)
			}
			if !failoverOn {
				c.until(
					"the run is given up",
					func() bool { return c.record("report", 1).Result == failover.ResultLost },
				)
				return
			}
			c.until("A repeats the run", func() bool { return c.running(a, 1) })
			again := c.find(func(r *ran) bool { return r.node == a && r.shard == 1 })[0]
			if took := again.start.Sub(cut.end); took > 100*time.Millisecond || again.attempt != 2 ||
				!again.fire.Equal(cut.fire) {
				t.Errorf("A repeated fire %s as attempt %d after %s, want %s, 2 and at most 100ms", stamp(again.fire),
					again.attempt, took, stamp(cut.fire))
			}
			c.pass(time.Minute)
		})
	}
}

// Hand-overs do not count against MaxAttempts.
func TestDrain_HandOverIsNoAttempt(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.opts = []elastic.Option{elastic.WithDrainTimeout(0)}
		c.jobs = []elastic.Job{{Name: "long", Schedule: "0 0 * * * ?", Failover: true, MaxAttempts: 2}}
		c.does(sleepFor(30 * time.Minute))
		n := c.start("a")
		c.pass(61 * time.Minute)
		for range 5 { // repeated rolling restarts
			next := c.start("a")
			_ = c.leave(n)
			n = next
			c.until("the next instance runs it", func() bool { return c.running(next, 0) })
		}
		c.pass(35 * time.Minute)
		if r := c.record("long", 0); r.Result != failover.ResultSucceeded || r.Attempt != 6 || r.HandOvers != 5 {
			t.Errorf("the record says %s, hand-overs %d; want success at attempt 6 after 5 hand-overs", r, r.HandOvers)
		}
	})
}

// A handler is cancelled if it starts, because the answer to its claim came
// late, after the other handlers were cancelled.
func TestDrain_CancelsLateHandlers(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Failover: true}}
		c.does(sleepFor(time.Minute))
		c.opts = []elastic.Option{elastic.WithDrainTimeout(0)}
		a := c.start("a")
		a.client.OnRequest(func(r memory.Request) memory.Fault {
			if r.Kind == memory.Transact && strings.HasPrefix(r.Txn.Do[0].Key, "runs/") {
				return memory.Fault{AfterApply: func() { a.stop() }, After: 100 * time.Millisecond}
			}
			return memory.Fault{}
		})
		c.pass(15 * time.Second)
		runs := c.find(func(r *ran) bool { return r.job == "report" })
		if len(runs) != 1 || !errors.Is(runs[0].cause, elastic.ErrShutdown) {
			t.Fatalf("%d runs, want one that was cancelled: %+v", len(runs), runs)
		}
		if err := c.leave(a); err != nil {
			t.Error(err)
		}
	})
}

// A drain ends although a handler does not return, and the error counts the
// handlers left behind.
func TestDrain_EndsDespiteStuckHandler(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.opts = []elastic.Option{elastic.WithDrainTimeout(5 * time.Second)}
		release := make(chan struct{})
		c.does(func(context.Context, elastic.Run) error { <-release; return nil })
		a, b := onTwo(c, elastic.Job{Name: "deaf", Schedule: "0 * * * * ?", Shards: 2, Failover: true})
		c.until("B runs shard 1", func() bool { return c.running(b, 1) })
		c.does(nothing)
		err := c.leave(b)
		if err == nil || !strings.Contains(err.Error(), "1 handlers did not return") {
			t.Errorf("B drained with the error %v, want one that counts the handler", err)
		}
		c.until("A repeats the run", func() bool {
			return len(c.find(func(r *ran) bool { return r.node == a && r.shard == 1 && r.attempt == 2 })) == 1
		})
		for _, r := range c.find(func(r *ran) bool { return r.node == b }) {
			r.cause = elastic.ErrShutdown // it goes on beside A's run, as a zombie that was cancelled
		}
		close(release)
	})
}

// The result of a handler that uses all of its time is recorded although the
// store is slow. Only a handler that does not return is left behind.
func TestDrain_RecordsResultsOnSlowStore(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.opts = []elastic.Option{elastic.WithDrainTimeout(5 * time.Second)}
		release := make(chan struct{})
		c.does(func(ctx context.Context, run elastic.Run) error {
			if run.Shard == 0 {
				<-release
				return nil
			}
			<-ctx.Done()
			return sleepFor(2900*time.Millisecond)(context.WithoutCancel(ctx), run) // of the three seconds of grace
		})
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Shards: 2, Failover: true}}
		a := c.startWith("a", func(r memory.Request) memory.Fault {
			if r.Kind == memory.Transact {
				return memory.Fault{Before: 300 * time.Millisecond}
			}
			return memory.Fault{}
		})
		c.until("a runs both", func() bool { return c.running(a, 0) && c.running(a, 1) })
		if err := c.leave(a); err == nil || !strings.Contains(err.Error(), "1 handlers did not return") {
			t.Errorf("a drained with the error %v, want one that counts one handler", err)
		}
		if r := c.record("report", 1); r.State != failover.StateIdle || r.Result != failover.ResultSucceeded {
			t.Errorf("the record of the handler that returned says %s, want success", r)
		}
		if r := c.record("report", 0); r.State != failover.StateRunning {
			t.Errorf("the record of the handler that did not return says %s", r)
		}
		close(release)
		c.does(nothing)
		c.start("b")
		c.pass(time.Minute)
	})
}

// A drain does not wait for a store that is unreachable.
func TestDrain_DoesNotWaitForLostStore(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?"}}
		a := c.start("a")
		c.pass(10 * time.Second)
		a.client.Cut()
		c.pass(10 * time.Second)
		left := time.Now()
		if err := c.leave(a); err != nil && !strings.Contains(err.Error(), "close the store") {
			t.Errorf("drained with the error %v", err)
		}
		if took := time.Since(left); took > 10*time.Second {
			t.Errorf("the drain took %s with nothing to finish", took)
		}
	})
}
