package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A process can be stopped at any instruction: by SIGSTOP, a suspended machine, a long garbage collection. When it goes on, an answer of the
// store that says "the run is yours" may wait beside the end of the session that this rests on, and nothing orders the two. So whether
// a handler may be entered is not asked of what the process has been told, but of the clocks, in the handler's goroutine, as the last step
// before each call.

// graceShare is the part of a session's TTL for which an instance that has reached its session's deadline waits for its handlers
// before it ends the session. A session that is not ended lives for a tenth of the TTL beyond the deadline at least, whichever the store, so
// the wait costs nothing: a successor could not start earlier, but for this instance itself.
const graceShare = 10

// Held reports whether this instance surely holds the run at this moment: its session has not ended, and its deadline has been reached
// neither by the monotonic nor by the wall clock; or the run may go on without a session, and that time has not passed. Once it returns
// false the context of the handler has ended, with ErrSessionLost as its cause. It is safe for concurrent use.
func (l *Live) Held() bool { return l.heldAt(time.Now()) }

// heldAt is Held for a caller that has just read the clocks.
func (l *Live) heldAt(now time.Time) bool { return l.hold.check(now) }

// hold is the right of a run to go on. The zero hold, which a test has, never
// ends.
type hold struct {
	member atomic.Pointer[member] // whose session has the claim
	more   time.Duration          // for which the run may go on when that session is over
	end    context.CancelCauseFunc
}

// check reports whether the run may go on, and ends its context if not.
func (h *hold) check(now time.Time) bool {
	m := h.member.Load()
	if m == nil {
		return true
	}
	if h.more == 0 {
		if m.aliveAt(now) {
			return true
		}
		m.giveUp(ErrSessionLost)
		return false
	}
	if m.aliveAt(now) || !passed(m.over().Add(h.more)) {
		return true
	}
	h.end(ErrSessionLost)
	return false
}

// alive reports whether the session is surely alive, by what the store has said and by both clocks.
func (m *member) alive() bool { return m.aliveAt(time.Now()) }

// aliveAt is alive for a caller that has just read the clocks.
func (m *member) aliveAt(now time.Time) bool {
	if m.ctx.Err() != nil || m.session.Err() != nil {
		return false
	}
	deadline := m.session.Deadline()
	return deadline.IsZero() || !passedAt(deadline, now)
}

// giveUp ends the contexts of the member's handlers, and notes when that was.
func (m *member) giveUp(cause error) {
	now := time.Now()
	m.ended.CompareAndSwap(nil, &now)
	m.lose(cause)
}

// over returns the time from which on the session is no longer surely alive: its deadline, or when this process gave it up before that. The
// caller has seen that it is not alive.
func (m *member) over() time.Time {
	end := m.session.Deadline()
	if at := m.ended.Load(); at != nil && (end.IsZero() || at.Before(end)) {
		return *at
	}
	if end.IsZero() {
		return time.Now()
	}
	return end
}

// passed reports whether a time has passed by the monotonic or by the wall clock. The one stands still while the machine is suspended, the other
// can be set.
func passed(t time.Time) bool { return passedAt(t, time.Now()) }

func passedAt(t, now time.Time) bool {
	return !now.Before(t) || !now.Round(0).Before(t.Round(0))
}

// awaitHandlers waits until the handlers of a member have returned whose session has reached its deadline, at most for the time in which no other
// instance could start them anyway. A session that has ended otherwise is over in the store as well.
func (m *member) awaitHandlers(ctx context.Context) {
	deadline := m.session.Deadline()
	if deadline.IsZero() || !passed(deadline) {
		return
	}
	left := time.Until(deadline.Add(m.session.TTL() / graceShare))
	if left <= 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-m.handlers.gone():
	case <-timer.C:
	case <-ctx.Done():
	}
}

// tally counts handlers that have not returned. Its zero value has none.
type tally struct {
	mu   sync.Mutex
	n    int
	zero chan struct{} // closed when there are none; nil while no caller waits
}

func (t *tally) add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n += n
	if t.n == 0 && t.zero != nil {
		close(t.zero)
		t.zero = nil
	}
}

// gone returns a channel that is closed when there are none.
func (t *tally) gone() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.zero == nil {
		t.zero = make(chan struct{})
	}
	zero := t.zero
	if t.n == 0 {
		close(t.zero)
		t.zero = nil
	}
	return zero
}
