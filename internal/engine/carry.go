package engine

import (
	"context"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/internal/runctx"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// A run of a job that carries on does not end with its session. Its record says for how long it may go on, and from the moment at which others have a
// proof that its instance is dead they wait as long. A session that is not renewed ends after its deadline; so a handler that is
// cancelled at the deadline plus that time has ended before another begins, though neither knows of the other. If somebody ends the session, or deletes
// the instance's key, the time counts from when this process hears of it. If it has a session again in time, it claims the run anew.

// carry is what a run knows that may outlive its session.
type carry struct {
	ctx     context.Context         // of the handler
	limited context.Context         // the same with the timeout of the job
	cancel  context.CancelCauseFunc // of ctx
	untimed context.CancelFunc      // of limited's timer; nil: it has none
	unwatch func() bool             // ends the wait for the end of limited

	stop  func()        // of the wait for the end of the session that holds the claim
	by    *member       // who has asked last to have the run's claim
	prior observe.Prior // the claim that this one replaces
	asked uint64        // the fence of that claim
}

// startCarry makes the context of a handler that may outlive its session.
func (e *Engine) startCarry(r *run, timeout time.Duration) {
	ctx, cancel := context.WithCancelCause(runctx.WithRun(e.work, r))
	c := &carry{ctx: ctx, limited: ctx, cancel: cancel, stop: func() {}}
	r.carry = c
	if timeout > 0 {
		c.limited, c.untimed = context.WithTimeoutCause(ctx, timeout, ErrTimeout)
	}
	c.unwatch = context.AfterFunc(c.limited, func() {
		e.post(func() { e.watchRun(r, time.Now()) })
	})
	r.live.hold.more = time.Duration(r.spec.CarryOn)
	r.live.hold.end = cancel
	r.carryOn(e.me)
}

// end ends the context of the handler.
func (c *carry) end(cause error) {
	c.cancel(cause)
	if c.untimed != nil {
		c.untimed()
	}
}

// carryOn has the handler cancelled when a member's session has been over for as long as the run may go on without it.
func (r *run) carryOn(m *member) {
	r.carry.stop()
	r.live.hold.member.Store(m)
	cancel, most := r.carry.cancel, time.Duration(r.spec.CarryOn)
	claimed, done := context.WithCancel(r.carry.ctx)
	stop := context.AfterFunc(m.ctx, func() {
		if waitUntil(claimed, m.over().Add(most)) {
			cancel(ErrSessionLost)
		}
	})
	r.carry.stop = func() { done(); stop() }
}

// glance is how often the clocks are looked at during a long wait.
const glance = time.Second

// waitUntil waits for a time by the monotonic or the wall clock, whichever is there first: the one stands still while the machine is
// suspended, the other can be set. It returns false if ctx ends before.
func waitUntil(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
		}
		now := time.Now()
		left := min(t.Sub(now), t.Round(0).Sub(now.Round(0)))
		if left <= 0 {
			return true
		}
		timer.Reset(min(left, glance))
	}
}

// reclaim claims a run anew whose handler has gone on since the last session.
func (e *Engine) reclaim(s *shard) {
	r, next := s.run, s.record.Reclaim(e.me.id)
	if next.Fence >= r.ceiling { // it would be one of those for which the work may be divided otherwise
		r.end(ErrSessionLost)
		return
	}
	r.carry.by, r.carry.asked = e.me, next.Fence
	r.carry.prior = s.prior()
	e.write(s, next, []store.Cond{store.Exists(layout.InstanceKey(e.me.id))}, false, nil, func() { e.recognize(s) })
}

// recognize takes a record that this process has claimed anew for that of the run which it has. The answer to that claim may have been lost.
func (e *Engine) recognize(s *shard) {
	r := s.run
	if r == nil || r.carry == nil || r.carry.by == nil || s.record.Owner != r.carry.by.id || s.record.Fence != r.carry.asked {
		return
	}
	m := r.carry.by
	r.owner, r.fence, r.carry.by = m.id, r.carry.asked, nil
	r.live.Fence.Store(r.fence)
	if r.phase == failover.PhaseWorking {
		r.carryOn(m)
	}
	ev := s.runEvent(observe.Reclaimed)
	ev.Prior, ev.Subject = r.carry.prior, r.carry.prior.Owner
	e.emit(ev)
}
