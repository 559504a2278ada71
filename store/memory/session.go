package memory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// A session is renewed each renewShare of its TTL, so that one lost renewal,
// found out when the next is due, still leaves time for another before the
// deadline.
const renewShare = 3

// The local deadline lies before the server's by a fifth of the TTL: timers are
// late, and what the process runs must have stopped by the time the server lets
// another client have it. One second is enough for that whatever the TTL; more
// would only make the session less patient with a slow network.
const (
	marginShare = 5
	maxMargin   = time.Second
)

func margin(ttl time.Duration) time.Duration { return min(ttl/marginShare, maxMargin) }

// session is the client's end of a lease. Server.mu guards the fields that
// change.
type session struct {
	client *Client
	ttl    time.Duration
	lease  *lease // what is the server's in there must only be looked at by requests that arrive

	deadline time.Time
	timer    *time.Timer // runs lapse at the deadline, or before
	guard    uint64      // as far as this client knows
	sealed   chan struct{}
	err      error
	gone     bool // the server has said that it does not hold the session
	done     chan struct{}
}

func (ss *session) ID() string         { return ss.lease.id }
func (ss *session) Token() uint64      { return ss.lease.token }
func (ss *session) TTL() time.Duration { return ss.ttl }

// Done looks at the clock besides: after the process stood still its code may
// run before its timers do.
func (ss *session) Done() <-chan struct{} {
	ss.client.server.mu.Lock()
	defer ss.client.server.mu.Unlock()
	ss.look(time.Now())
	return ss.done
}

// look ends the session if its deadline has passed. The caller holds s.mu.
func (ss *session) look(now time.Time) {
	if !now.Before(ss.deadline) {
		ss.finish(store.ErrSessionLost)
	}
}

func (ss *session) Deadline() time.Time {
	ss.client.server.mu.Lock()
	defer ss.client.server.mu.Unlock()
	return ss.deadline
}

func (ss *session) Err() error {
	ss.client.server.mu.Lock()
	defer ss.client.server.mu.Unlock()
	ss.look(time.Now())
	return ss.err
}

// finish ends the session for this process. The caller holds s.mu.
func (ss *session) finish(err error) {
	if ss.err != nil {
		return
	}
	ss.err = err
	if ss.timer != nil {
		ss.timer.Stop()
	}
	close(ss.done)
}

// lapse ends the session at its deadline, which renewals may have moved since
// the timer was set.
func (ss *session) lapse() {
	s := ss.client.server
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if ss.look(now); ss.err == nil {
		ss.timer.Reset(ss.deadline.Sub(now))
	}
}

// learnGone notes that the server said that the session is over.
func (ss *session) learnGone() {
	s := ss.client.server
	s.mu.Lock()
	defer s.mu.Unlock()
	ss.gone = true
	ss.finish(store.ErrSessionLost)
}

// keep renews the session until it is done.
func (ss *session) keep() {
	every := ss.ttl / renewShare
	next := time.NewTimer(every)
	defer next.Stop()
	for {
		select {
		case <-ss.done:
			return
		case <-next.C:
		}
		select {
		case <-ss.done: // when both are ready chance decides, and runs in virtual time are to repeat
			return
		default:
		}
		sent := time.Now()
		ss.renew(sent, every)
		next.Reset(max(0, every-time.Since(sent)))
	}
}

func (ss *session) renew(sent time.Time, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	s := ss.client.server
	over := false
	fate, _ := ss.client.carry(ctx, Request{Kind: Renew, Session: ss.lease.id}, ss.done, func(now time.Time) {
		if over = s.overdue(ss.lease, now); !over {
			ss.lease.expires = now.Add(ss.ttl)
		}
	})
	switch {
	case fate != answered: // the next renewal may get through
	case over:
		ss.learnGone()
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		if d := sent.Add(ss.ttl - margin(ss.ttl)); d.After(ss.deadline) {
			ss.deadline = d
		}
	}
}

// mayCommit returns the guard for a transaction and a channel that is closed
// when the guard has changed, or why the session can't commit any more. A nil
// session can always.
func (ss *session) mayCommit(now time.Time) (guard uint64, moved <-chan struct{}, err error) {
	if ss == nil {
		return 0, nil, nil
	}
	s := ss.client.server
	s.mu.Lock()
	defer s.mu.Unlock()
	ss.look(now)
	switch {
	case ss.err == nil:
		return ss.guard, ss.sealed, nil
	case ss.client.gone(Transact):
		return 0, nil, ss.client.closedError()
	default:
		return 0, nil, ss.lostError()
	}
}

// lostError is the error of a transaction whose session is over: always an
// ErrSessionLost, and an ErrClosed besides if it was this process that closed
// it.
func (ss *session) lostError() error {
	if errors.Is(ss.err, store.ErrClosed) {
		return fmt.Errorf("%w: %s: %w", store.ErrSessionLost, ss.lease.id, ss.err)
	}
	return fmt.Errorf("%w: %s", store.ErrSessionLost, ss.lease.id)
}

// settle makes sure that a transaction that was sent with a guard, and whose
// reply was lost, is never applied from now on: it has the server change the
// guard, unless that has happened already. It tries until that is acknowledged
// or the session is over, and returns ErrUnknown or ErrSessionLost.
func (ss *session) settle(sent uint64, cause error) error {
	s := ss.client.server
	attempt := max(ss.ttl/20, time.Millisecond) // so that some attempts fit between a renewal and the deadline
	for {
		var guard uint64
		over := false
		ctx, cancel := context.WithTimeout(context.Background(), attempt)
		fate, _ := ss.client.carry(ctx, Request{Kind: Seal, Session: ss.lease.id}, ss.done, func(now time.Time) {
			l := ss.lease
			if over = s.overdue(l, now); over {
				return
			}
			if l.guard == sent { // a late copy of an earlier seal must not change a guard that is in use
				s.rev++
				l.guard = s.rev
			}
			guard = l.guard
		})
		if fate == answered {
			cancel()
			if over {
				ss.learnGone()
				return fmt.Errorf("%w: %s, with a transaction under way: %w", store.ErrSessionLost, ss.lease.id, cause)
			}
			ss.adopt(guard)
			return fmt.Errorf("%w: %w", store.ErrUnknown, cause)
		}
		select {
		case <-ss.done:
			cancel()
			return fmt.Errorf("%w: %s, with a transaction under way: %w", store.ErrSessionLost, ss.lease.id, cause)
		case <-ctx.Done():
			cancel()
		}
	}
}

// adopt takes a guard that the server has acknowledged into use and lets
// transactions that wait for it go on.
func (ss *session) adopt(guard uint64) {
	s := ss.client.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if guard > ss.guard {
		ss.guard = guard
		close(ss.sealed)
		ss.sealed = make(chan struct{})
	}
}

// Close ends the session.
func (ss *session) Close(ctx context.Context) error {
	s := ss.client.server
	s.mu.Lock()
	ss.finish(store.ErrClosed)
	gone := ss.gone
	s.mu.Unlock()
	if gone {
		return nil
	}
	fate, err := ss.client.carry(ctx, Request{Kind: CloseSession, Session: ss.lease.id}, nil, func(now time.Time) {
		if !s.overdue(ss.lease, now) {
			s.end(ss.lease, Ended, now)
		}
	})
	if fate == lost || fate == unkept {
		return fmt.Errorf("close session %s: %w: %w", ss.lease.id, store.ErrUnknown, err)
	}
	if err != nil {
		return fmt.Errorf("close session %s: %w", ss.lease.id, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ss.gone = true
	return nil
}
