// Package sessions has what the sessions of remote stores share: the deadline
// by the clocks of this process (Lifetime), the marker that settles lost
// answers (Guard), and the accessors of store.Session (Base).
package sessions

import (
	"context"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
)

// The rhythm of a session, as parts of its time to live. With the default of 10
// s an answer is waited for 2.5 s, and the session is given up after 9 s. A
// session of an hour is no reason to wait for minutes, so there are bounds.
const (
	attempts = 4  // an answer is waited for as long as a quarter of the TTL
	glances  = 20 // the clocks are looked at every twentieth of the TTL, at least every second
	margins  = 10 // the deadline is a tenth of the TTL early

	longestGlance = time.Second
)

// Margin is how much earlier than the store a session with a TTL gives itself
// up. The store counts the TTL from when it has the renewal, which is after we
// sent it, so that the margin is not for the network. It is for clocks that run
// at different speeds (a quartz is wrong by less than one part in a thousand),
// and for the time between a deadline and the moment at which the last
// goroutine has noticed, on a machine that is busy or collects garbage.
func Margin(ttl time.Duration) time.Duration { return ttl / margins }

// Attempt is how long one attempt may take of what must succeed before the
// deadline of a session with a TTL.
func Attempt(ttl time.Duration) time.Duration { return ttl / attempts }

// Retry is the pause between two such attempts.
func Retry(ttl time.Duration) *backoff.Backoff {
	return &backoff.Backoff{Next: min(ttl/200, 50*time.Millisecond), Most: min(ttl/20, 500*time.Millisecond)}
}

// Lifetime is the life of one session in this process. It begins without a
// deadline, which is for ever, and never revives once it has ended. It is safe
// for concurrent use; make it with [New].
type Lifetime struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	once   sync.Once
	onEnd  func(reason error)

	mu       sync.Mutex
	deadline time.Time
}

// New begins a life. onEnd is called once, at its end, by the caller that ended
// it or found it ended; it must not block.
func New(onEnd func(reason error)) *Lifetime {
	l := &Lifetime{onEnd: onEnd}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	return l
}

// Context ends with the life.
func (l *Lifetime) Context() context.Context { return l.ctx }

// Done is closed at the end. Like Err it looks at the clocks itself.
func (l *Lifetime) Done() <-chan struct{} {
	l.look()
	return l.ctx.Done()
}

// Err returns what the life has ended with, nil before. It looks at the clocks
// itself: a caller that asks after the deadline gets the truth, even if no
// timer has fired yet.
func (l *Lifetime) Err() error {
	l.look()
	return context.Cause(l.ctx)
}

// Deadline is the time until which the session is surely alive.
func (l *Lifetime) Deadline() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deadline
}

// Renewed moves the deadline on: the store has acknowledged a renewal that was
// sent at a time, and keeps the session for the TTL from then on at least. An
// acknowledgement that comes after the deadline revives nothing, and none moves
// it back.
func (l *Lifetime) Renewed(sent time.Time, ttl time.Duration) {
	deadline := sent.Add(ttl - Margin(ttl))
	l.look()
	l.mu.Lock()
	defer l.mu.Unlock()
	if deadline.After(l.deadline) && l.ctx.Err() == nil {
		l.deadline = deadline
	}
}

// End ends the life for a reason, the first that comes.
func (l *Lifetime) End(reason error) {
	l.once.Do(func() {
		l.cancel(reason)
		l.onEnd(reason)
	})
}

// Watch ends the life with ErrSessionLost at its deadline. It returns when the
// life has ended.
func (l *Lifetime) Watch(ttl time.Duration) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-timer.C:
		}
		l.look()
		timer.Reset(min(max(time.Until(l.Deadline()), 0), ttl/glances, longestGlance))
	}
}

// look ends the life if its deadline has passed.
func (l *Lifetime) look() {
	now, deadline := time.Now(), l.Deadline()
	if l.ctx.Err() == nil && !deadline.IsZero() && passed(deadline, now, now.Round(0)) {
		l.End(store.ErrSessionLost)
	}
}

// passed reports whether a deadline has passed by the monotonic clock or by the
// wall clock, which both times hold. The monotonic clock stands still while the
// machine is suspended; the wall clock is right afterwards. A wall clock that
// is set forward by more than the rest of a session costs that session, which
// is harmless.
func passed(deadline, monotonic, wall time.Time) bool {
	return !monotonic.Before(deadline) || !wall.Before(deadline.Round(0))
}
