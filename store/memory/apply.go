package memory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// errGuardMoved refuses a transaction that was sent before its session was
// sealed. It never leaves the driver.
var errGuardMoved = fmt.Errorf("%w: the session was sealed meanwhile", store.ErrUnavailable)

// apply executes a transaction, all of it or nothing. Values in t belong to the
// server from now on. The caller holds s.mu.
func (s *Server) apply(client string, ss *session, guard uint64, t store.Txn, now time.Time) (store.Result, error) {
	var l *lease
	var id string
	if ss != nil {
		l = ss.lease
		if id = l.id; s.overdue(l, now) {
			return store.Result{}, fmt.Errorf("%w: %s", store.ErrSessionLost, l.id)
		}
		if guard != l.guard {
			return store.Result{}, errGuardMoved
		}
	}
	if len(t.If)+len(t.Do) > s.caps.MaxOps && t.Keys() > s.caps.MaxOps {
		return store.Result{}, fmt.Errorf("%w: %d keys, the server takes %d", store.ErrTooLarge, t.Keys(), s.caps.MaxOps)
	}
	if err := s.conflict(t); err != nil {
		return store.Result{}, err
	}
	if len(t.Do) == 0 {
		return store.Result{}, nil
	}

	s.rev++
	versions := make([]store.Version, len(t.Do))
	changes := make([]change, len(t.Do))
	for i, op := range t.Do {
		changes[i].key = op.Key
		old := s.keys.get(op.Key)
		if op.Kind == store.OpDelete {
			if old != nil && old.lease != nil {
				delete(old.lease.keys, op.Key)
			}
			s.keys.remove(op.Key)
			continue
		}
		r := &record{
			key:     op.Key,
			value:   op.Value,
			version: store.Version(s.rev),
			rev:     s.rev,
			created: s.rev,
		}
		if s.weakVersions {
			r.version = 1
		}
		switch {
		case old != nil:
			r.created, r.lease = old.created, old.lease
			if s.weakVersions {
				r.version = old.version + 1
			}
		case op.Kind == store.OpCreateEphemeral:
			r.lease = l
			l.keys[op.Key] = true
		}
		s.keys.put(r)
		changes[i].record, versions[i] = r, r.version
	}
	s.keep(changes)
	s.publish(now, changes)
	s.log(Commit{
		Cause:   Committed,
		Rev:     s.rev,
		Time:    now,
		Client:  client,
		Session: id,
		If:      t.If,
		Do:      t.Do,
	})
	return store.Result{Versions: versions}, nil
}

// conflict returns the conditions of t that do not hold, those of its writes
// included.
func (s *Server) conflict(t store.Txn) error {
	var failed []store.Conflict
	for _, c := range t.If {
		r := s.keys.get(c.Key)
		switch {
		case r == nil:
			failed = append(failed, store.Conflict{Key: c.Key, Reason: store.Absent})
		case c.Version != 0 && c.Version != r.version:
			failed = append(failed, store.Conflict{Key: c.Key, Reason: store.Changed})
		}
	}
	conditions := failed
	for _, op := range t.Do {
		present := s.keys.get(op.Key) != nil
		creates := op.Kind == store.OpCreate || op.Kind == store.OpCreateEphemeral
		if creates != present {
			continue
		}
		reason := store.Absent
		if creates {
			reason = store.Present
		}
		named := func(c store.Conflict) bool { return c.Key == op.Key }
		if !slices.ContainsFunc(conditions, named) {
			failed = append(failed, store.Conflict{Key: op.Key, Reason: reason})
		}
	}
	switch {
	case len(failed) == 0:
		return nil
	case s.firstConflict:
		return &store.ConflictError{Key: failed[0].Key, Reason: failed[0].Reason}
	}
	return store.NewConflictError(failed)
}

// publish gives the changes of one commit to the topics above their keys: one
// look-up for each ancestor of each key, whatever is watched elsewhere. The
// caller holds s.mu.
func (s *Server) publish(now time.Time, changes []change) {
	if len(s.topics) == 0 {
		return
	}
	s.touched = s.touched[:0]
	for _, c := range changes {
		s.offer("", now, c)
		for i := 0; ; i++ {
			slash := strings.IndexByte(c.key[i:], '/')
			if slash < 0 {
				break
			}
			i += slash
			s.offer(c.key[:i], now, c)
		}
	}
	for _, t := range s.touched {
		t.trim()
		for _, w := range t.watches {
			w.rouse()
		}
	}
	clear(s.touched)
}

func (s *Server) offer(prefix string, now time.Time, c change) {
	t := s.topics[prefix]
	if t == nil {
		return
	}
	if t.last != s.rev {
		t.last = s.rev
		t.begin(now)
		s.touched = append(s.touched, t)
	}
	t.add(c)
}
