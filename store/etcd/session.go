package etcd

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/sessions"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// renewals: a session is renewed in every third of its TTL. With the default of
// 10 s that is every 3.3 s, and a server that does not answer is asked three
// times before the session is given up after 9 s.
const renewals = 3

// longestAbandon is how long the lease of a lost session is tried to be
// revoked.
const longestAbandon = time.Minute

// session is a lease and a marker key that dies with it. It has two goroutines:
// one renews the lease, the other watches the clocks, so that the deadline
// holds while a renewal hangs.
type session struct {
	sessions.Base
	store  *client
	lease  int64
	marker string

	guard sessions.Guard[int64] // the marker's version; it only grows

	revoked atomic.Bool // the store has no trace of the session any more
}

// NewSession takes a lease and puts a marker on it.
func (s *client) NewSession(ctx context.Context, o store.SessionOptions) (store.Session, error) {
	if s.running.Closed() {
		return nil, store.ErrClosed
	}
	ttl := o.TTL
	if ttl <= 0 {
		ttl = store.DefaultTTL
	}
	sent := time.Now()
	grant, err := s.client.Grant(ctx, int64(math.Ceil(ttl.Seconds())))
	if err != nil {
		return nil, s.readError(ctx, err)
	}
	n := &session{store: s, lease: int64(grant.ID)}
	n.Identity = sessionID(n.lease)
	n.Granted = time.Duration(grant.TTL) * time.Second
	n.marker = s.keys.marker(n.Identity)
	n.Life = sessions.New(n.ended)
	n.Life.Renewed(sent, n.Granted)
	if err := n.mark(ctx, o.Name); err != nil {
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

// mark creates the marker. Its value is the name that the session was given,
// for operators.
func (s *session) mark(ctx context.Context, name string) error {
	key := []byte(s.marker)
	reply, err := s.store.kv.Txn(ctx, &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: key, Target: pb.Compare_CREATE, TargetUnion: &pb.Compare_CreateRevision{}}},
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: []byte(name), Lease: s.lease}}}},
		Failure: []*pb.RequestOp{readRevisions(key)},
	}, callOptions...)
	if err != nil {
		return s.store.readError(ctx, err)
	}
	s.store.saw(reply.Header.Revision)
	created := reply.Header.Revision
	if !reply.Succeeded { // the client library has sent it twice, and the first was applied
		if _, created = revisions(reply, 0); created == 0 {
			return fmt.Errorf("%w: the session %s ended as it began", store.ErrUnavailable, s.Identity)
		}
	}
	s.Fence = uint64(created)
	s.guard.Store(created)
	return nil
}

// Close ends the session and revokes its lease, which deletes its keys at once.
func (s *session) Close(ctx context.Context) error {
	s.Life.End(store.ErrClosed)
	ctx, cancel := context.WithTimeout(ctx, s.store.timeout)
	defer cancel()
	return s.revoke(ctx)
}

// ended does what is left to do when the session has ended for this process. If
// it is lost it may be alive in the store for a while yet; then its keys are
// taken away, so that others need not wait for the TTL.
func (s *session) ended(reason error) {
	s.store.running.RemoveSession(s)
	if reason == store.ErrSessionLost {
		s.store.running.Go(s.abandon)
	}
}

// abandon revokes the lease of a session that has ended.
func (s *session) abandon() {
	ctx, cancel := context.WithTimeout(s.store.running.Context(), min(s.Granted, longestAbandon))
	defer cancel()
	s.revoke(ctx)
}

// revoke has the store delete the lease and all keys on it, and tries until ctx
// ends.
func (s *session) revoke(ctx context.Context) error {
	for pause := sessions.Retry(s.Granted); !s.revoked.Load(); pause.Wait(ctx) {
		_, err := s.store.leases.LeaseRevoke(ctx, &pb.LeaseRevokeRequest{ID: s.lease}, callOptions...)
		switch {
		case err == nil, is(rpctypes.Error(err), rpctypes.ErrLeaseNotFound):
			s.revoked.Store(true)
		case refusal(err) != nil:
			return failed(refusal(err), err)
		case ctx.Err() != nil, s.store.running.Context().Err() != nil:
			return failed(store.ErrUnavailable, reason(ctx, err))
		}
	}
	return nil
}

// attempt is the time limit of one request that must succeed before the
// deadline.
func (s *session) attempt() time.Duration { return s.Attempt(s.store.timeout) }

// renew keeps the lease alive, which was asked for at a time, until the session
// ends.
func (s *session) renew(sent time.Time) {
	stream := renewal{session: s}
	defer stream.reset()
	var unanswered time.Time // since when we wait for an answer
	for pause, failures := time.Until(sent.Add(s.Granted/renewals)), sessions.Retry(s.Granted); ; {
		backoff.Sleep(s.Life.Context(), pause)
		if s.Life.Context().Err() != nil {
			return
		}
		sent := time.Now()
		if unanswered.IsZero() {
			unanswered = sent
		}
		ttl, err := stream.ask()
		if tokenRefused(err) && s.store.account != nil {
			// An answer. The old token was good enough until now.
			unanswered = time.Time{}
			if s.store.renewToken(s.Life.Context(), stream.token, err) == nil {
				pause = failures.Pause()
				continue
			}
		}
		if err == nil && ttl <= 0 || is(rpctypes.Error(err), rpctypes.ErrLeaseNotFound) {
			s.revoked.Store(true)
			s.Life.End(store.ErrSessionLost)
			return
		}
		if err != nil {
			if s.store.conns.giveUp(unanswered) {
				unanswered = time.Time{}
			}
			pause = failures.Pause()
			continue
		}
		unanswered = time.Time{}
		s.Life.Renewed(sent, min(ttl, s.Granted))
		pause, failures = time.Until(sent.Add(s.Granted/renewals)), sessions.Retry(s.Granted)
	}
}

// renewal is the stream on which renewals are sent and answered, one after
// another. It is opened when it is needed.
type renewal struct {
	session *session
	stream  pb.Lease_LeaseKeepAliveClient
	token   int // the number of the token that the stream was opened with, or of an earlier one
	cancel  context.CancelFunc
}

// ask renews the lease and returns the time to live that the store gives it, 0
// if there is no such lease. After an error the next call takes a new stream,
// on another connection if there is one.
func (r *renewal) ask() (time.Duration, error) {
	s := r.session
	if r.stream == nil {
		var ctx context.Context
		ctx, r.cancel = context.WithCancel(s.Life.Context())
		timer := time.AfterFunc(s.attempt(), r.cancel)
		_, r.token = s.store.account.current()
		stream, err := s.store.leases.LeaseKeepAlive(ctx, callOptions...)
		timer.Stop()
		if err != nil {
			r.reset()
			return 0, err
		}
		r.stream = stream
	}
	timer := time.AfterFunc(s.attempt(), r.cancel)
	defer timer.Stop()
	err := r.stream.Send(&pb.LeaseKeepAliveRequest{ID: s.lease})
	var reply *pb.LeaseKeepAliveResponse
	if err == nil {
		reply, err = r.stream.Recv()
	}
	if err != nil {
		r.reset()
		return 0, err
	}
	return time.Duration(reply.TTL) * time.Second, nil
}

// reset closes the stream.
func (r *renewal) reset() {
	if r.cancel != nil {
		r.cancel()
	}
	r.stream, r.cancel = nil, nil
}
