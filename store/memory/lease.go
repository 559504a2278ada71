package memory

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// lease is a session as the server sees it.
type lease struct {
	id      string
	token   uint64
	ttl     time.Duration
	expires time.Time
	timer   *time.Timer
	ended   bool
	guard   uint64          // what a transaction of this session must carry; a seal changes it
	keys    map[string]bool // the ephemeral keys
	session *session        // the client's end
}

// grant starts a session. The caller holds s.mu.
func (s *Server) grant(ss *session, now time.Time) {
	s.rev++
	s.keep(nil) // the token must not come back
	l := &lease{
		id: fmt.Sprintf("s%d", s.rev), token: s.rev, ttl: ss.ttl, expires: now.Add(ss.ttl),
		guard: s.rev, keys: map[string]bool{}, session: ss,
	}
	ss.lease, ss.guard = l, l.guard
	ss.client.sessions[ss] = true
	s.leases[l.id] = l
	l.timer = time.AfterFunc(l.ttl, func() { s.expire(l) })
	s.log(Commit{Cause: Started, Rev: s.rev, Time: now, Client: ss.client.name, Session: l.id})
}

// expire is the timer of a lease. Renewals don't reset the timer: it looks how
// far they came.
func (s *Server) expire(l *lease) {
	s.mu.Lock()
	if now := time.Now(); !s.overdue(l, now) && !l.ended {
		l.timer.Reset(l.expires.Sub(now))
	}
	s.unlockAndTell()
}

// overdue ends a lease whose time has come, without waiting for its timer, and
// reports whether it is over. The caller holds s.mu.
func (s *Server) overdue(l *lease, now time.Time) bool {
	if !l.ended && !now.Before(l.expires) {
		s.end(l, Expired, now)
	}
	return l.ended
}

// end deletes a session and its ephemeral keys in one commit. The caller holds
// s.mu.
func (s *Server) end(l *lease, cause Cause, now time.Time) {
	l.ended = true
	l.timer.Stop()
	delete(s.leases, l.id)
	ss := l.session
	delete(ss.client.sessions, ss)

	s.rev++
	gone := slices.Sorted(maps.Keys(l.keys))
	changes := make([]change, len(gone))
	ops := make([]store.Op, len(gone))
	for i, key := range gone {
		s.keys.remove(key)
		changes[i] = change{key: key}
		ops[i] = store.Delete(key)
	}
	s.publish(now, changes)
	s.log(Commit{Cause: cause, Rev: s.rev, Time: now, Client: ss.client.name, Session: l.id, Do: ops})
	if ss.client.healed == nil {
		ss.gone = true
		ss.finish(store.ErrSessionLost)
	}
}
