package engine

import (
	"errors"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// A transaction that lost a race must not be sent once for each move that lost:
// that costs a commit a job, each with all the rest. So all moves that failed
// are answered together, moves of which the replica shows that they would fail
// are not sent, and where the store names only the first key that failed, the
// rest waits until the watch has shown what the store had.

// settleConflict answers the moves of a transaction that failed on conditions,
// and sees to the others.
func (e *Engine) settleConflict(l *lane, at *slot, batch []*move, err error) {
	at.limit = 0
	c := &store.ConflictError{}
	errors.As(err, &c)
	rest := make([]*move, 0, len(batch)+len(l.queue))
	for _, m := range batch {
		if f, failed := m.failedOn(c); failed {
			m.done(0, f)
			continue
		}
		rest = append(rest, m)
	}
	switch {
	case c.All && len(rest) < len(batch):
	case len(rest) == len(batch):
		l.halve(at, batch) // the store does not tell
	case e.shows(c.Key):
		if rest = e.answerStale(rest); len(rest) > 0 {
			e.park(l, rest, c.Key)
		}
		return
	}
	l.queue = append(rest, l.queue...)
}

// failedOn returns the conflict that is one of the move's own.
func (m *move) failedOn(c *store.ConflictError) (error, bool) {
	for _, g := range m.guards {
		if f, failed := one(c, g.Key); failed {
			return f, true
		}
	}
	if f, failed := one(c, m.op.Key); failed {
		return f, true
	}
	for _, op := range m.also {
		if f, failed := one(c, op.Key); failed {
			return f, true
		}
	}
	return nil, false
}

// one returns the conflict on one key of those that an error names.
func one(c *store.ConflictError, key string) (error, bool) {
	if c.Key == key {
		return &store.ConflictError{Key: key, Reason: c.Reason}, true
	}
	for _, o := range c.Others {
		if o.Key == key {
			return &store.ConflictError{Key: key, Reason: o.Reason}, true
		}
	}
	return nil, false
}

// shows reports whether the replica has the key if the store does: one that a
// watch follows, and that this instance does not write by itself.
func (e *Engine) shows(key string) bool {
	prefix := layout.Prefix(key)
	return prefix != layout.Instances && e.replica.entries[prefix] != nil
}

// outdated returns the conflict that a move would fail with, by what the replica
// shows. Versions in guards come from the replica; so one that differs now is
// old.
func (e *Engine) outdated(m *move) error {
	for _, c := range m.guards {
		if c.Version == 0 || !e.shows(c.Key) {
			continue
		}
		if v := e.replica.version(c.Key); v != c.Version {
			return staleConflict(c.Key, v)
		}
	}
	if !e.shows(m.op.Key) {
		return nil
	}
	v := e.replica.version(m.op.Key)
	switch {
	case m.at != 0 && v != m.at:
		return staleConflict(m.op.Key, v)
	case m.op.Kind == store.OpCreate && v != 0:
		return &store.ConflictError{Key: m.op.Key, Reason: store.Present}
	}
	return nil
}

func staleConflict(key string, now store.Version) error {
	if now == 0 {
		return &store.ConflictError{Key: key, Reason: store.Absent}
	}
	return &store.ConflictError{Key: key, Reason: store.Changed}
}

// answerStale answers the moves that the replica shows to be outdated, and
// returns the others.
func (e *Engine) answerStale(moves []*move) []*move {
	rest := moves[:0]
	for _, m := range moves {
		if m.shown == e.replica.changes {
			rest = append(rest, m)
			continue
		}
		if err := e.outdated(m); err != nil {
			m.done(0, err)
			continue
		}
		m.shown = e.replica.changes
		rest = append(rest, m)
	}
	clear(moves[len(rest):])
	return rest
}

// answerOutdated does the same for the queue of a lane.
func (e *Engine) answerOutdated(l *lane) {
	queue := l.queue
	l.queue = nil // an answer can queue another move
	l.queue = append(e.answerStale(queue), l.queue...)
}

// parkedBatch is moves of a transaction that failed on a key which the replica
// does not show as the store has it yet. Other keys have mostly changed with it.
type parkedBatch struct {
	moves   []*move
	key     string
	version store.Version // as the replica shows it
	until   time.Time     // they are sent then, whatever it shows
	shown   bool          // the replica has shown another version, and until is soon
}

const (
	// parkedFor is how long a watch may take to show what a conflict says. It is
	// long for a watch, and short for a person.
	parkedFor = 500 * time.Millisecond

	// parkedAfter is how long moves wait after the watch has shown the key: a
	// transaction of others can come in several updates.
	parkedAfter = 20 * time.Millisecond
)

func (e *Engine) park(l *lane, moves []*move, key string) {
	b := &parkedBatch{moves: moves, key: key, version: e.replica.version(key), until: time.Now().Add(parkedFor)}
	l.parked = append(l.parked, b)
	e.wakeAt(l, b.until)
}

// unpark queues the moves that have waited long enough.
func (e *Engine) unpark(l *lane) {
	if len(l.parked) == 0 {
		return
	}
	now := time.Now()
	parked := l.parked
	l.parked = nil
	for _, b := range parked {
		if !b.shown && e.replica.version(b.key) != b.version {
			b.shown = true
			b.until = now.Add(parkedAfter)
		}
		if now.Before(b.until) {
			l.parked = append(l.parked, b)
			e.wakeAt(l, b.until)
			continue
		}
		l.queue = append(b.moves, l.queue...)
	}
}

// conflictKey returns the key of a conflict; empty if the store does not tell.
func conflictKey(err error) string {
	var c *store.ConflictError
	if errors.As(err, &c) {
		return c.Key
	}
	return ""
}
