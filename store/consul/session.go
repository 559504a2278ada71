package consul

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/sessions"
	"github.com/hashicorp/consul/api"
)

// renewals: a session is renewed in every third of its TTL. With the default of
// 10 s that is every 3.3 s, and an agent that does not answer is asked three
// times before the session is given up after 9 s.
const renewals = 3

// longestAbandon is how long a lost session is tried to be destroyed.
const longestAbandon = time.Minute

// session is a session of Consul's and a marker key that dies with it. It has
// two goroutines: one renews it, the other watches the clocks, so that the
// deadline holds while a renewal hangs.
type session struct {
	sessions.Base
	store  *client
	name   string
	marker string

	guard sessions.Guard[uint64] // the marker's index

	destroyed atomic.Bool // the store has no trace of the session any more
}

// NewSession starts a session and makes its marker.
func (s *client) NewSession(ctx context.Context, o store.SessionOptions) (store.Session, error) {
	if s.running.Closed() {
		return nil, store.ErrClosed
	}
	ttl := o.TTL
	if ttl <= 0 {
		ttl = store.DefaultTTL
	}
	// Consul counts any duration; a text of whole milliseconds is read the same
	// by all versions.
	ttl = min(max(ttl, s.caps.MinTTL), s.caps.MaxTTL).Truncate(time.Millisecond)
	n := &session{store: s, name: o.Name}
	n.Granted = ttl
	sent, id, err := s.createSession(ctx, o.Name, ttl)
	if err != nil {
		return nil, s.readError(err)
	}
	n.Identity, n.marker = id, s.keys.marker(id)
	n.Life = sessions.New(n.ended)
	n.Life.Renewed(sent, ttl)
	if err := n.mark(ctx); err != nil {
		n.Life.End(err)
		s.running.Go(n.abandon)
		return nil, err
	}
	if !s.running.AddSession(n, func() { n.renew(sent) }, func() { n.Life.Watch(n.Granted) }) {
		n.Life.End(store.ErrClosed)
		return nil, store.ErrClosed
	}
	return n, nil
}

// createSession returns when the request was sent to which Consul has answered
// with a session.
//
// Its keys are deleted when it ends. The lock delay, for which no client could
// lock them afterwards, is the shortest that there is: none is not sent, and
// means 15 s. It is bound to no health check, only to the agent's node: as long
// as it is renewed, nothing but that node's departure from the catalogue ends
// it.
func (s *client) createSession(ctx context.Context, name string, ttl time.Duration) (sent time.Time, id string, err error) {
	wanted := &api.SessionEntry{Name: name, TTL: fmt.Sprintf("%dms", ttl.Milliseconds()), Behavior: api.SessionBehaviorDelete, LockDelay: time.Millisecond}
	err = s.ask(ctx, false, func(ctx context.Context, h *host) error {
		sent = time.Now()
		id, _, err = h.api.Session().CreateNoChecks(wanted, s.write(ctx))
		return err
	})
	return sent, id, err
}

// mark creates the marker. Its value is the name that the session was given,
// for operators.
func (s *session) mark(ctx context.Context) error {
	absent, lock := s.store.op(checkAbsent, s.marker), s.store.op(api.KVLock, s.marker)
	lock.Value, lock.Flags, lock.Session = []byte(s.name), newNonce(), s.Identity
	reply, err := s.store.submit(ctx, api.KVTxnOps{absent, lock})
	if err != nil {
		return s.store.readError(err)
	}
	if reply.Errors != nil {
		f, why := (&plan{ops: api.KVTxnOps{absent, lock}, keys: []string{s.marker, s.marker}}).fault(reply.Errors)
		if f == denied {
			return failed(store.ErrPermission, why)
		}
		return failed(store.ErrUnavailable, fmt.Errorf("the session %s ended as it began: %w", s.Identity, why))
	}
	s.Fence = index(reply.Results)
	s.guard.Store(s.Fence)
	return nil
}

// Close ends the session and has Consul destroy it, which deletes its keys at
// once.
func (s *session) Close(ctx context.Context) error {
	s.Life.End(store.ErrClosed)
	ctx, cancel := context.WithTimeout(ctx, s.store.timeout)
	defer cancel()
	return s.destroy(ctx)
}

// ended does what is left to do when the session has ended for this process. If
// it is lost it may be alive in the store for a while yet; then its keys are
// taken away, so that others need not wait for twice the TTL.
func (s *session) ended(reason error) {
	s.store.running.RemoveSession(s)
	if reason == store.ErrSessionLost {
		s.store.running.Go(s.abandon)
	}
}

// abandon destroys a session that has ended.
func (s *session) abandon() {
	ctx, cancel := context.WithTimeout(s.store.running.Context(), min(2*s.Granted, longestAbandon))
	defer cancel()
	s.destroy(ctx)
}

// destroy has Consul delete the session and all its keys, and tries until ctx
// ends. A session that is gone is no error.
func (s *session) destroy(ctx context.Context) error {
	if s.destroyed.Load() {
		return nil
	}
	err := s.store.ask(ctx, true, func(ctx context.Context, h *host) error {
		_, err := h.api.Session().Destroy(s.Identity, s.store.write(ctx))
		return err
	})
	if err != nil {
		class := refusal(err)
		if class == nil {
			class = store.ErrUnavailable
		}
		return failed(class, err)
	}
	s.destroyed.Store(true)
	return nil
}

// attempt is the time limit of one request that must succeed before the
// deadline.
func (s *session) attempt() time.Duration { return s.Attempt(s.store.timeout) }

// renew keeps the session alive, which was asked for at a time, until it ends.
func (s *session) renew(sent time.Time) {
	ctx := s.Life.Context()
	for pause, failures := time.Until(sent.Add(s.Granted/renewals)), sessions.Retry(s.Granted); ; {
		backoff.Sleep(ctx, pause)
		if ctx.Err() != nil {
			return
		}
		sent, err := s.renewOnce()
		switch {
		case errors.Is(err, errGone):
			s.destroyed.Store(true)
			s.Life.End(store.ErrSessionLost)
			return
		case err != nil:
			pause = failures.Pause()
		default:
			s.Life.Renewed(sent, s.Granted)
			pause, failures = time.Until(sent.Add(s.Granted/renewals)), sessions.Retry(s.Granted)
		}
	}
}

// renewOnce returns when the renewal was sent that Consul has acknowledged.
func (s *session) renewOnce() (sent time.Time, err error) {
	ctx, cancel := context.WithTimeout(s.Life.Context(), s.attempt())
	defer cancel()
	gone := false
	err = s.store.ask(ctx, true, func(ctx context.Context, h *host) error {
		sent = time.Now()
		there, _, err := h.api.Session().Renew(s.Identity, s.store.write(ctx))
		gone = err == nil && there == nil
		return err
	})
	if gone {
		err = errGone
	}
	return sent, err
}
