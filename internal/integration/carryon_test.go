package integration

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store/memory"
)

// endless has one shard. Its runs take three minutes, and may go on for forty
// seconds without a session.
var endless = elastic.Job{Name: "report", Schedule: "0 1 * * * ?", Failover: true, CarryOn: 40 * time.Second}

// onRunning starts instance a, waits until it runs the job, and starts b.
func (c *cluster) onRunning(j elastic.Job) (a, b *node) {
	c.does(sleepFor(3 * time.Minute))
	c.jobs = []elastic.Job{j}
	a = c.start("a")
	c.until("a runs it", func() bool { return c.running(a, 0) })
	b = c.start("b")
	c.pass(10 * time.Second)
	return a, b
}

// A run of a job with CarryOn goes on after its session is lost, and is
// reclaimed in the next session as the same attempt.
func TestCarryOn_RunOutlivesSession(t *testing.T) {
	bubble(t, func(c *cluster) {
		fences := make(chan uint64, 1)
		a, b := c.onRunning(endless)
		before := c.record("report", 0)
		a.client.Cut()
		c.until("the session is over", func() bool { return len(c.server.Sessions()) == 1 })
		c.pass(15 * time.Second)
		c.does(func(_ context.Context, run elastic.Run) error { fences <- run.Fence(); return nil })
		a.client.Heal()
		c.until("a has reclaimed the run", func() bool { return len(c.seen(observe.Reclaimed)) == 1 })
		after := c.record("report", 0)
		if after.Owner == before.Owner || after.Fence != before.Fence+1 || after.Attempt != 1 ||
			after.Started != before.Started {
			t.Errorf(
				"the record went from %v to %v, want another incarnation, the next fence and the same attempt",
				before,
				after,
			)
		}
		c.pass(150 * time.Second)
		c.until("the run has ended", func() bool { return c.record("report", 0).State == failover.StateIdle })
		runs := c.find(func(r *ran) bool { return r.fire.Equal(before.Fire) })
		if len(runs) != 1 || runs[0].err != nil || !runs[0].cancelled.IsZero() ||
			c.record("report", 0).Result != failover.ResultSucceeded {
			t.Errorf(
				"it ran %d times, the first with %+v; the record says %v",
				len(runs),
				runs[0],
				c.record("report", 0),
			)
		}
		_ = b
	})
}

// A handler sees the new fence after its run was reclaimed.
func TestCarryOn_HandlerSeesNewFence(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{endless}
		ask, told := make(chan bool), make(chan uint64)
		c.does(func(_ context.Context, run elastic.Run) error {
			for range ask {
				told <- run.Fence()
			}
			return nil
		})
		a := c.start("a")
		c.until("a runs it", func() bool { return c.running(a, 0) })
		ask <- true
		before := <-told
		a.client.Cut()
		c.pass(25 * time.Second)
		a.client.Heal()
		c.until("a has reclaimed the run", func() bool { return len(c.seen(observe.Reclaimed)) == 1 })
		ask <- true
		if after := <-told; after != before+1 {
			t.Errorf("the fence was %d and is %d, want the next one", before, after)
		}
		close(ask)
	})
}

// Other instances take a run over only when its time to carry on has passed
// and its handler has been cancelled.
func TestCarryOn_TakeOverWaits(t *testing.T) {
	bubble(t, func(c *cluster) {
		a, b := c.onRunning(endless)
		a.client.Cut()
		c.until("the session is over", func() bool { return len(c.server.Sessions()) == 1 })
		over := time.Now()
		c.until("b runs it", func() bool { return c.running(b, 0) })
		cut := c.find(func(r *ran) bool { return r.node == a })[0]
		if cut.cancelled.IsZero() || !errors.Is(cut.cause, elastic.ErrSessionLost) {
			t.Fatalf("a's handler was not cancelled for the loss of its session: %+v", cut)
		}
		again := c.find(func(r *ran) bool { return r.node == b })[0]
		if took := again.start.Sub(over); took < endless.CarryOn || took > endless.CarryOn+time.Second {
			t.Errorf("b began %v after the end of the session, want the %v of CarryOn", took, endless.CarryOn)
		}
		if !cut.end.Before(again.start) || over.Sub(cut.end) > -endless.CarryOn+ttl {
			t.Errorf(
				"a's handler ended %v after its session, b began after %v; want the handler first",
				cut.end.Sub(over),
				again.start.Sub(over),
			)
		}
		a.client.Heal()
		c.pass(150 * time.Second)
		c.until("b's run has ended", func() bool { return c.record("report", 0).State == failover.StateIdle })
		if r := c.record("report", 0); r.Attempt != 2 || r.Result != failover.ResultSucceeded {
			t.Errorf("the record says %v", r)
		}
	})
}

// A run that could have carried on is taken over, or abandoned, after its
// process crashed.
func TestCarryOn_CrashIsTakenOver(t *testing.T) {
	for _, failoverOn := range []bool{true, false} {
		bubble(t, func(c *cluster) {
			j := endless
			j.Failover = failoverOn
			a, b := c.onRunning(j)
			c.crash(a)
			c.until("the session is over", func() bool { return len(c.server.Sessions()) == 1 })
			over := time.Now()
			if failoverOn {
				c.until("b runs it", func() bool { return c.running(b, 0) })
			} else {
				c.until("b abandons the run", func() bool { return c.record("report", 0).Result == failover.ResultLost })
			}
			if took := time.Since(over); took < j.CarryOn || took > j.CarryOn+time.Second {
				t.Errorf("failover %t: b acted after %v, want %v", failoverOn, took, j.CarryOn)
			}
		})
	}
}

// A change of the job does not shorten a run that carries on. Other instances
// read its limit from the record, not from the current job.
func TestCarryOn_KeepsLimitOfItsClaim(t *testing.T) {
	bubble(t, func(c *cluster) {
		a, b := c.onRunning(endless)
		a.client.Cut()
		c.overwrite("report", func(s *layout.Spec) { s.CarryOn = 0 })
		c.until("the session is over", func() bool { return len(c.server.Sessions()) == 1 })
		c.pass(endless.CarryOn - 20*time.Second)
		if c.running(b, 0) {
			t.Error("b has taken the run over")
		}
		a.client.Heal()
		c.pass(150 * time.Second)
		c.until("the run has ended", func() bool { return c.record("report", 0).State == failover.StateIdle })
		if r := c.record("report", 0); r.Attempt != 1 || r.Result != failover.ResultSucceeded {
			t.Errorf("the record says %v", r)
		}
	})
}

// A run is reclaimed although the answer to the first try is lost.
func TestCarryOn_ReclaimSurvivesLostReply(t *testing.T) {
	for _, fault := range []memory.Fault{
		{LoseReply: true, Broken: true},
		{LoseRequest: true, Broken: true},
		{LoseReply: true},
	} {
		bubble(t, func(c *cluster) {
			a, _ := c.onRunning(endless)
			a.client.Cut()
			c.pass(25 * time.Second)
			lost := 0
			a.client.OnRequest(func(r memory.Request) memory.Fault {
				if r.Kind != memory.Transact || !strings.HasPrefix(r.Txn.Do[0].Key, "runs/") || lost > 0 {
					return memory.Fault{}
				}
				lost++
				return fault
			})
			a.client.Heal()
			c.until("a has reclaimed the run", func() bool { return len(c.seen(observe.Reclaimed)) > 0 })
			c.pass(150 * time.Second)
			c.until("the run has ended", func() bool { return c.record("report", 0).State == failover.StateIdle })
			if r := c.record("report", 0); r.Attempt != 1 || r.Result != failover.ResultSucceeded || lost != 1 {
				t.Errorf("the record says %v, %d answers were lost", r, lost)
			}
		})
	}
}

// A handler that carries on is cancelled when its instance is back and finds
// that an operator has given the run to another instance.
func TestCarryOn_CancelledIfRunIsTaken(t *testing.T) {
	bubble(t, func(c *cluster) {
		a, _ := c.onRunning(endless)
		a.client.Cut()
		c.until("the session is over", func() bool { return len(c.server.Sessions()) == 1 })
		c.put(layout.RunKey("report", 0), c.record("report", 0).TakeOver("ghost@1", time.Now()).Encode())
		a.client.Heal()
		healed := time.Now()
		c.until("a's handler has ended", func() bool { return !c.running(a, 0) })
		if cut := c.find(func(r *ran) bool {
			return r.node == a
		})[0]; !errors.Is(cut.cause, elastic.ErrSessionLost) || time.Since(healed) > time.Minute {
			t.Errorf("a's handler ended %v after a was back, with the cause %v", time.Since(healed), cut.cause)
		}
	})
}

// A run that ends while its instance has no session is recorded under its old
// claim.
func TestCarryOn_RecordsEndWithoutSession(t *testing.T) {
	bubble(t, func(c *cluster) {
		a, _ := c.onRunning(endless)
		c.pass(150 * time.Second)
		a.client.Cut()
		c.until("a's handler has ended", func() bool { return !c.running(a, 0) })
		a.client.Heal()
		c.pass(150 * time.Second)
		c.until("the run has ended", func() bool { return c.record("report", 0).State == failover.StateIdle })
		if r := c.record("report", 0); r.Attempt != 1 || r.Result != failover.ResultSucceeded || c.total() != 1 {
			t.Errorf("the record says %v, and it ran %d times", r, c.total())
		}
	})
}

// An instance that drains before it has a session again opens one to record
// the runs that ended without one.
func TestCarryOn_DrainingInstanceRecordsEnd(t *testing.T) {
	for _, b := range []bool{true, false} {
		bubble(t, func(c *cluster) {
			c.does(sleepFor(40 * time.Second))
			c.jobs = []elastic.Job{endless}
			a := c.start("a")
			c.until("a runs it", func() bool { return c.running(a, 0) })
			if b {
				c.start("b")
			}
			c.pass(20 * time.Second)
			a.client.Cut()
			c.until("a's handler has ended", func() bool { return !c.running(a, 0) })
			c.pass(time.Second)
			a.stop()
			c.pass(2 * time.Second)
			a.client.Heal()
			if err := c.leave(a); err != nil {
				t.Errorf("a drained with the error %v", err)
			}
			if r := c.record("report", 0); r.State != failover.StateIdle || r.Result != failover.ResultSucceeded ||
				r.Attempt != 1 {
				t.Errorf("the record says %v", r)
			}
		})
	}
}

// A handler is cancelled at the end of its time to carry on while the answer to
// its reclaim is under way. The run is then handed over. If the instance
// forgot it, the run would need another attempt.
func TestCarryOn_ReclaimUnderWayIsHandedOver(t *testing.T) {
	const slow = 2 * time.Second // of the answer
	reached := false
	// The moment of the reclaim varies by a second, so it takes several tries.
	for try := 0; !reached && try < 150; try++ {
		bubble(t, func(c *cluster) {
			a, _ := c.onRunning(endless)
			before := c.record("report", 0)
			a.client.Cut()
			c.pass(38500*time.Millisecond + time.Duration(try%30)*100*time.Millisecond)
			a.client.OnRequest(func(r memory.Request) memory.Fault {
				if r.Kind != memory.Transact || !strings.HasPrefix(r.Txn.Do[0].Key, "runs/") {
					return memory.Fault{}
				}
				return memory.Fault{After: slow}
			})
			a.client.Heal()
			c.until("the handler has ended", func() bool { return !c.running(a, 0) })
			now := c.record("report", 0)
			reached = now.State == failover.StateRunning && now.Fence == before.Fence+1 && now.Attempt == 1
			c.pass(5 * time.Minute)
			c.until("the run has ended", func() bool { return c.record("report", 0).State == failover.StateIdle })
			for _, e := range c.seen(observe.TookOver) {
				if e.Code == "run_forgotten" {
					t.Errorf("got %v, want the run handed over", e)
				}
			}
			if r := c.record("report", 0); r.Result != failover.ResultSucceeded {
				t.Errorf("got the record %v, want a success", r)
			}
		})
	}
	if !reached {
		t.Error("no handler ended while the answer to its reclaim was under way")
	}
}
