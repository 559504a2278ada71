package etcd

import (
	"context"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/sessions"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

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
	reply, class, why := s.submit(ctx, p)
	if class != nil {
		return store.Result{}, failed(class, why)
	}
	if !reply.Succeeded {
		return store.Result{}, p.conflict(reply)
	}
	return p.result(reply), nil
}

// commit is Commit for a transaction that the session guards: the marker must
// be at the version that the session knows.
func (s *session) commit(ctx context.Context, t store.Txn) (store.Result, error) {
	ctx, cancel := s.Context(ctx)
	defer cancel()

	p := s.store.plan(t, s)
	for {
		if err := s.Err(); err != nil {
			return store.Result{}, err
		}
		seen, guard := s.store.revision.Load(), s.guard.Load()
		p.guard(guard)
		reply, class, why := s.store.submit(ctx, p)
		switch class {
		case nil:
		case store.ErrUnknown:
			return store.Result{}, s.settle(p, guard, seen, why)
		case store.ErrSessionLost:
			s.Life.End(store.ErrSessionLost)
			return store.Result{}, failed(class, why)
		default:
			if err := s.Err(); err != nil {
				return store.Result{}, err
			}
			return store.Result{}, failed(class, why)
		}
		if reply.Succeeded {
			return p.result(reply), nil
		}
		marker := p.marker(reply)
		if marker == 0 {
			s.Life.End(store.ErrSessionLost)
			return store.Result{}, store.ErrSessionLost
		}
		if conflict := p.conflict(reply); conflict != nil {
			return store.Result{}, conflict
		}
		// Another transaction's lost reply has moved the marker while this one
		// was on its way.
		s.guard.Learn(guard, marker)
	}
}

// submit sends a transaction once. Without a class the server has answered it.
// The class ErrUnknown means that it was sent, and that it may have been
// applied or may be yet; any other, that it never will be. The last result is
// the reason.
func (s *client) submit(ctx context.Context, p *plan) (reply *pb.TxnResponse, class, why error) {
	var sending sending
	reply, err := s.kv.Txn(context.WithValue(ctx, sendingKey{}, &sending), p.request, callOptions...)
	if err == nil {
		s.saw(reply.Header.Revision)
		return reply, nil, nil
	}
	if sending.sent {
		err = sending.err
	}
	switch class = refusal(err); {
	case class != nil:
	case sending.sent:
		class = store.ErrUnknown
	case s.running.Closed():
		class = store.ErrClosed
	default:
		class = store.ErrUnavailable
	}
	return nil, class, reason(ctx, err)
}

// settle makes an unknown outcome final before it is reported: no copy of the
// transaction that is still on its way can commit afterwards. If that cannot be
// had, the session is over, which comes to the same.
func (s *session) settle(p *plan, guard, seen int64, why error) error {
	if !noSpace(why) { // which is an answer, and there is only one copy
		if _, err := s.guard.Seal(s.Life, s.Granted, guard, s.moveMarker); err != nil {
			return failed(err, why)
		}
	}
	if s.refuted(p, seen) {
		return failed(store.ErrUnavailable, why)
	}
	return failed(store.ErrUnknown, why)
}

// moveMarker writes the marker if it is at a version, and returns the version
// at which it is then: see sessions.Guard.Seal.
func (s *session) moveMarker(from int64) (int64, error) {
	ctx, cancel := context.WithTimeout(s.Life.Context(), s.attempt())
	defer cancel()
	key := []byte(s.marker)
	reply, err := s.store.kv.Txn(ctx, &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: key, Target: pb.Compare_MOD, Result: pb.Compare_EQUAL, TargetUnion: &pb.Compare_ModRevision{ModRevision: from}}},
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, IgnoreValue: true, IgnoreLease: true}}}},
		Failure: []*pb.RequestOp{readRevisions(key)},
	}, callOptions...)
	switch {
	case err == nil:
	case refusal(err) != nil, noSpace(err):
		return 0, failed(store.ErrSessionLost, err)
	default:
		return 0, err
	}
	s.store.saw(reply.Header.Revision)
	if reply.Succeeded {
		return reply.Header.Revision, nil
	}
	moved, _ := revisions(reply, 0)
	if moved == 0 {
		return 0, store.ErrSessionLost
	}
	return moved, nil
}

// refuted reports whether a read shows that a sealed transaction was not
// applied. It is an attempt: without an answer, or without proof, the outcome
// stays unknown.
func (s *session) refuted(p *plan, seen int64) bool {
	ctx, cancel := context.WithTimeout(s.Life.Context(), min(s.attempt(), time.Second))
	defer cancel()
	read := &pb.TxnRequest{}
	for _, key := range p.keys {
		read.Success = append(read.Success, readRevisions([]byte(key)))
	}
	reply, err := s.store.kv.Txn(ctx, read, callOptions...)
	// A store that was restored from a backup counts its revisions again.
	return err == nil && reply.Header.Revision >= seen && p.refutes(reply, seen)
}
