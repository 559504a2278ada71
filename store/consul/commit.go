package consul

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/sessions"
	"github.com/hashicorp/consul/api"
)

// lockDelayed is the pause before a key is locked again that was refused for
// the lock delay of a session that has just ended. Ours have the shortest that
// there is, a millisecond; a stranger's may be long.
func lockDelayed() *backoff.Backoff {
	return &backoff.Backoff{Next: 2 * time.Millisecond, Most: 100 * time.Millisecond}
}

// Commit applies a transaction in one request.
func (s *client) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	if s.running.Closed() {
		return store.Result{}, store.ErrClosed
	}
	if t.Session != nil {
		n, err := sessions.Of(t, func(n *session) bool { return n.store == s })
		if err != nil {
			return store.Result{}, err
		}
		return n.commit(ctx, t)
	}
	p := s.plan(t, nil)
	if err := p.fits(); err != nil || len(p.ops) == 0 {
		return store.Result{}, err
	}
	reply, err := s.submit(ctx, p.ops)
	if err != nil {
		return store.Result{}, failed(s.class(err), err)
	}
	if reply.Errors == nil {
		return p.applied(reply)
	}
	return store.Result{}, refused(p.fault(reply.Errors))
}

// applied returns the result for an answer without errors.
func (p *plan) applied(reply *api.KVTxnResponse) (store.Result, error) {
	if p.filtered(reply.Results) {
		return store.Result{}, fmt.Errorf("%w: the token may not read all keys of the transaction", store.ErrPermission)
	}
	return p.result(index(reply.Results)), nil
}

// fits refuses what Consul would refuse.
func (p *plan) fits() error {
	if n := p.size(); n > maxBody {
		return fmt.Errorf("%w: the transaction takes up to %d bytes as JSON with base64 and escaped names, "+
			"consul takes %d", store.ErrTooLarge, n, maxBody)
	}
	return nil
}

// refused is the error for a transaction that was not applied, and would not be
// if it were sent again at once.
func refused(f fault, err error) error {
	switch f {
	case conflict:
		return err
	case denied:
		return failed(store.ErrPermission, err)
	}
	return failed(store.ErrUnavailable, err)
}

// commit is Commit for a transaction that the session guards: the marker must
// be at the index that the session knows.
func (s *session) commit(ctx context.Context, t store.Txn) (store.Result, error) {
	ctx, cancel := s.Context(ctx)
	defer cancel()

	p := s.store.plan(t, s)
	if err := p.fits(); err != nil {
		return store.Result{}, err
	}
	for delayed := lockDelayed(); ; {
		if err := s.Err(); err != nil {
			return store.Result{}, err
		}
		sent, guard := s.store.index.Load(), s.guard.Load()
		p.guard(guard)
		reply, err := s.store.submit(ctx, p.ops)
		switch class := s.store.class(err); {
		case err == nil:
		case class == store.ErrUnknown:
			return s.settle(p, guard, sent, err)
		default:
			if ended := s.Err(); ended != nil {
				return store.Result{}, ended
			}
			return store.Result{}, failed(class, err)
		}
		if reply.Errors == nil {
			return p.applied(reply)
		}
		f, why := p.fault(reply.Errors)
		switch f {
		case guardMoved: // by the seal of another transaction, whose reply was lost
			err = s.learnGuard(ctx, guard)
		case lockDelay:
			delayed.Wait(ctx)
			if err = ctx.Err(); err != nil {
				err = failed(store.ErrUnavailable, fmt.Errorf("%w: %w", why, err))
			}
		case sessionGone:
			s.Life.End(store.ErrSessionLost)
			err = failed(store.ErrSessionLost, why)
		default:
			err = refused(f, why)
		}
		if ended := s.Err(); ended != nil && f != sessionGone {
			return store.Result{}, ended
		}
		if err != nil {
			return store.Result{}, err
		}
	}
}

// submit sends a transaction, a second time only if the first has surely not
// been applied and never will be. The reply has errors if it was not applied.
func (s *client) submit(ctx context.Context, ops api.KVTxnOps) (reply *api.KVTxnResponse, err error) {
	err = s.ask(ctx, false, func(ctx context.Context, h *host) error {
		var ok bool
		ok, reply, _, err = h.api.KV().Txn(ops, s.query(ctx))
		if err == nil && ok == (len(reply.Errors) > 0) {
			return errors.New("the answer to a transaction makes no sense")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.saw(index(reply.Results))
	return reply, nil
}

// settle makes an unknown outcome final before it is reported: no copy of the
// transaction that is still on its way can commit afterwards. If that cannot be
// had, the session is over, which comes to the same. Then it looks what the
// outcome was.
func (s *session) settle(p *plan, guard, sent uint64, why error) (store.Result, error) {
	sealed, err := s.guard.Seal(s.Life, s.Granted, guard, s.moveMarker)
	if err != nil {
		return store.Result{}, failed(err, why)
	}
	if sealed <= sent { // the store was restored from a backup, and counts its indexes again
		return store.Result{}, failed(store.ErrUnknown, why)
	}
	applied, refuted := s.verdict(p, sent)
	switch {
	case applied != 0:
		return p.result(applied), nil
	case refuted:
		return store.Result{}, failed(store.ErrUnavailable, why)
	}
	return store.Result{}, failed(store.ErrUnknown, why)
}

// errGone says that the marker, and so the session, is no more.
var errGone = fmt.Errorf("%w: the session is gone", store.ErrSessionLost)

// moveMarker writes the marker if it is at an index, and returns the index at
// which it is then: see sessions.Guard.Seal.
func (s *session) moveMarker(from uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(s.Life.Context(), s.attempt())
	defer cancel()
	at, err := s.writeMarker(ctx, from)
	if refusal(err) == store.ErrPermission {
		err = failed(store.ErrSessionLost, err)
	}
	return at, err
}

func (s *session) writeMarker(ctx context.Context, from uint64) (uint64, error) {
	check, set := s.store.op(checkAt, s.marker), s.store.op(api.KVSet, s.marker)
	check.Index = from
	set.Value, set.Flags = []byte(s.name), newNonce()
	reply, err := s.store.submit(ctx, api.KVTxnOps{check, set})
	if err != nil {
		return 0, err
	}
	if reply.Errors == nil {
		return index(reply.Results), nil
	}
	for _, e := range reply.Errors {
		p := &plan{ops: api.KVTxnOps{check, set}, keys: []string{"", ""}, guarded: true}
		if f, err := p.faultOf(e); f == denied {
			return 0, failed(store.ErrPermission, err)
		}
	}
	return s.readMarker(ctx)
}

// readMarker returns the index at which the marker is. A marker that is not
// locked by the session is none.
func (s *session) readMarker(ctx context.Context) (uint64, error) {
	pair, err := s.store.get(ctx, s.marker)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return 0, errGone
	case err != nil:
		return 0, err
	case pair.Session != s.Identity:
		return 0, errGone
	}
	return pair.ModifyIndex, nil
}

// learnGuard finds out the index of the marker, which is not what the session
// thought.
func (s *session) learnGuard(ctx context.Context, thought uint64) error {
	now, err := s.readMarker(ctx)
	switch {
	case err == nil:
		s.guard.Learn(thought, now)
		return nil
	case errors.Is(err, errGone):
		s.Life.End(store.ErrSessionLost)
		return store.ErrSessionLost
	}
	return s.store.readError(err)
}

// verdict reads what has become of a sealed transaction. It is an attempt:
// without an answer the outcome stays unknown.
func (s *session) verdict(p *plan, sent uint64) (applied uint64, refuted bool) {
	ctx, cancel := context.WithTimeout(s.Life.Context(), min(s.attempt(), time.Second))
	defer cancel()
	if len(p.do) == 0 {
		return 0, true
	}
	reply, err := s.store.submit(ctx, s.store.evidence(p))
	if err != nil || reply.Errors != nil {
		return 0, false
	}
	return p.verdict(reply.Results, sent)
}
