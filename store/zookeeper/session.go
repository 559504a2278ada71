package zookeeper

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/sessions"
	"github.com/go-zookeeper/zk"
)

// session is a session of ZooKeeper's with a connection of its own, and a
// marker that dies with it.
type session struct {
	sessions.Base
	store  *client
	link   *link
	name   string
	marker string

	guard sessions.Guard[int32] // the marker's version; it only grows
}

// NewSession connects once more, and makes a marker.
func (s *client) NewSession(ctx context.Context, o store.SessionOptions) (store.Session, error) {
	ttl := o.TTL
	if ttl <= 0 {
		ttl = store.DefaultTTL
	}
	ttl = min(max(ttl, s.caps.MinTTL), s.caps.MaxTTL)
	for {
		n := &session{store: s, name: o.Name}
		n.Life = sessions.New(n.ended)
		n.link = &link{hosts: s.hosts, onEvent: func(string) {}, onRenewed: n.Life.Renewed}
		if err := s.dial(n.link, ttl); err != nil {
			return nil, s.readError(err)
		}
		err := n.begin(ctx)
		if err == nil && s.running.AddSession(n, n.watch) {
			return n, nil
		}
		lost := n.Life.Err() == store.ErrSessionLost
		n.Life.End(store.ErrClosed)
		n.link.end(errAbandoned)
		switch {
		case err == nil:
			return nil, store.ErrClosed
		case lost && ctx.Err() == nil && !s.running.Closed(): // it was never returned to a caller
		default:
			return nil, s.readError(err)
		}
	}
}

// watch ends the session at its deadline, or with its link.
func (s *session) watch() {
	defer context.AfterFunc(s.link.ctx, func() { s.Life.End(store.ErrSessionLost) })()
	s.Life.Watch(s.Granted)
}

// begin waits for the connection and makes the marker. Its value is the name
// that the session was given, for operators. It is written twice, as the answer
// to the second tells of the first.
func (s *session) begin(ctx context.Context) error {
	if _, err := s.link.ready(ctx); err != nil {
		return err
	}
	s.link.mu.Lock()
	s.Identity = sessionID(s.link.session)
	s.link.mu.Unlock()
	s.Granted = s.link.ttl()
	s.marker = s.store.keys.marker(s.Identity)
	name := []byte(s.name)
	for {
		answers, err := call(ctx, func() ([]zk.MultiResponse, error) {
			return s.link.conn.Multi(
				&zk.CreateRequest{Path: s.marker, Data: name, Acl: s.store.hosts.acl(), Flags: zk.FlagEphemeral},
				&zk.SetDataRequest{Path: s.marker, Data: name})
		})
		if len(answers) == 2 && answers[0].Error == nil && answers[1].Error == nil {
			s.Fence = uint64(answers[1].Stat.Czxid)
			s.guard.Store(answers[1].Stat.Version)
			return nil
		}
		if len(answers) > 0 && answers[0].Error != nil {
			err = answers[0].Error
		}
		switch {
		case errors.Is(err, zk.ErrNoNode):
			if err := s.link.makeDirectories(ctx, []string{s.store.keys.markers()}); err != nil {
				return err
			}
		case errors.Is(err, zk.ErrNodeExists): // by an attempt whose answer was lost
			stat, err := call(ctx, func() (*zk.Stat, error) { return s.link.conn.Set(s.marker, name, -1) })
			if err == nil {
				s.Fence = uint64(stat.Czxid)
				s.guard.Store(stat.Version)
				return nil
			}
			if !errors.Is(err, zk.ErrConnectionClosed) {
				return err
			}
		case !errors.Is(err, zk.ErrConnectionClosed):
			return cmp.Or(err, errBroken)
		}
		if _, err := s.link.ready(ctx); err != nil {
			return err
		}
	}
}

// Close ends the session, which deletes its keys at once.
func (s *session) Close(ctx context.Context) error {
	s.Life.End(store.ErrClosed)
	ctx, cancel := context.WithTimeout(ctx, s.store.timeout)
	defer cancel()
	if err := s.link.leave(ctx); err != nil {
		return failed(store.ErrUnavailable, err)
	}
	return nil
}

// ended does what is left to do when the session has ended for this process. If
// it is lost it may be alive in the store for a while yet; then it is closed
// there, if that can be, so that others need not wait for the TTL.
func (s *session) ended(reason error) {
	s.store.running.RemoveSession(s)
	if reason == store.ErrSessionLost && !s.store.running.Go(s.abandon) {
		s.link.end(errAbandoned)
	}
}

func (s *session) abandon() {
	ctx, cancel := context.WithTimeout(s.store.running.Context(), s.Granted)
	defer cancel()
	s.link.leave(ctx)
}

// attempt is the time limit of one request that must succeed before the
// deadline.
func (s *session) attempt() time.Duration { return s.Attempt(s.store.timeout) }
