package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// lane sends writes to the store. Moves that are asked for while a transaction
// is under way wait and share the next: however many shards are due at once, they
// begin in as few commits as the store's transactions allow. A second transaction
// is sent beside the first only where one does not hold all moves, and no key of
// the one is written by the other.
//
// Keys whose last write failed are sent apart from all others, so that one that
// the store does not take stops itself alone.
type lane struct {
	queue  []*move
	sound  [2]slot // for keys whose last write did not fail
	again  slot    // for all others
	linger lingering
	size   sizes
	faults faults
	held   []*heldBatch
	parked []*parkedBatch
	wake   time.Time // a timer wakes the loop then, for what may not be sent yet
}

// slot is the place of one transaction that is under way.
type slot struct {
	taken bool
	keys  packer // of the transaction
	limit int    // moves in the next transaction; 0: as many as fit
}

// heldBatch is moves that failed, and whose owners are told so after a pause.
type heldBatch struct {
	moves []*move
	err   error
	until time.Time
}

// move is one write that somebody wants.
type move struct {
	guards  []store.Cond  // what must hold besides; moves of one job share them
	at      store.Version // of op.Key, which must be unchanged; zero: the op's own precondition is enough
	op      store.Op
	also    []store.Op // written with op, or not at all
	patient bool       // nobody waits for it: it may linger to share a commit with others
	waited  bool       // it did not fit in a transaction that was sent

	shown  uint64 // changes of the replica when its guards were compared with it
	member *member
	done   func(v store.Version, err error) // called on the loop
}

// lingering is whether patient moves are being held back.
type lingering uint8

const (
	notLingering lingering = iota
	holding
	held // long enough
)

// lingerTime is how long a completion waits for others to share its commit. Handlers that begin together mostly end together; a
// crash within this time repeats a run that had finished, which a crash a moment earlier would do, too.
const lingerTime = 5 * time.Millisecond

// send queues a write.
func (e *Engine) send(l *lane, m *move) {
	m.member, m.shown = e.me, e.replica.changes
	l.queue = append(l.queue, m)
}

// flush sends what is queued, as far as it may be sent now.
func (e *Engine) flush(l *lane) {
	e.unpark(l)
	if len(l.queue) == 0 {
		return
	}
	if e.me == nil || l.queue[0].member != e.me {
		e.dropQueue(l)
		return
	}
	if !e.me.alive() {
		// Nothing is sent in a session that has reached its deadline. What is queued
		// is dropped when the loop has been told that the session is lost.
		e.me.giveUp(ErrSessionLost)
		return
	}
	e.answerOutdated(l)
	if len(l.faults.failing) == 0 {
		e.flushSound(l, l.queue, nil)
		return
	}
	now := time.Now()
	var sound, due, early []*move
	for _, m := range l.queue {
		x := l.faults.failing[m.op.Key]
		switch {
		case x == nil:
			sound = append(sound, m)
		case now.Before(x.until) || now.Before(l.faults.until):
			early = append(early, m)
			e.wakeAt(l, maxTime(x.until, l.faults.until))
		default:
			due = append(due, m)
		}
	}
	if !l.again.taken && len(due) > 0 {
		// What was tried least goes first, and by itself: it may have failed
		// only because it shared a transaction.
		slices.SortStableFunc(due, func(a, b *move) int {
			return cmp.Compare(l.faults.tries(a.op.Key), l.faults.tries(b.op.Key))
		})
		first, n := l.faults.failing[due[0].op.Key], 0
		for n < len(due) && l.faults.tries(due[n].op.Key) == first.tries {
			n++
		}
		most := l.size.retry
		if first.refused {
			most = 1 // together with others it would only be refused again
		}
		p := e.pack(l, &l.again, due[:n:n], most)
		e.transact(l, &l.again, p)
		due = append(p.rest, due[n:]...)
	}
	e.flushSound(l, sound, append(due, early...))
}

// alikeMost is how many moves are sent in the order of their keys: they fit in
// one transaction.
const alikeMost = 16

// flushSound sends moves of keys that did not fail before; others stay in the
// queue as well.
func (e *Engine) flushSound(l *lane, sound, others []*move) {
	defer func() { l.queue = append(sound, others...) }()
	if len(sound) == 0 || e.lingers(l, sound) {
		return
	}
	if len(sound) <= alikeMost {
		// Moves that came at one instant are sent in the same order each time, so
		// that a simulation repeats. In a longer queue that would be unfair.
		slices.SortStableFunc(sound, func(a, b *move) int { return cmp.Compare(a.op.Key, b.op.Key) })
	}
	for i := range l.sound {
		at := &l.sound[i]
		if at.taken || len(sound) == 0 {
			continue
		}
		beside := l.sound[1-i].taken
		if beside && at.limit > 0 {
			return // halves are tried one after the other
		}
		p := e.pack(l, at, sound, 0)
		if len(p.batch) == 0 || beside && !p.full && !p.batch[0].waited {
			return // it shares the next transaction with others
		}
		l.linger = notLingering
		e.transact(l, at, p)
		sound = p.rest
	}
}

// lingers reports whether all moves may wait, and have not waited long enough.
func (e *Engine) lingers(l *lane, sound []*move) bool {
	if l.linger == held || e.working == 0 || l.sound[0].taken || l.sound[1].taken || !allPatient(sound) {
		return false
	}
	if l.linger == notLingering {
		l.linger = holding
		e.after(lingerTime, func() {
			if l.linger == holding {
				l.linger = held
			}
		})
	}
	return true
}

// transact sends a transaction.
func (e *Engine) transact(l *lane, at *slot, p packed) {
	if len(p.batch) == 0 {
		return
	}
	txn, batch := p.txn, p.batch
	txn.Session = e.me.session
	at.taken = true
	e.background(func(ctx context.Context) {
		r, err := e.cfg.Store.Commit(ctx, txn)
		e.post(func() {
			at.taken = false
			e.sent(l, at, batch, txn.Bytes(), r, err)
		})
	})
}

// halve has the next transactions of the kind hold half of the moves of one that
// failed, to find the move that it failed on.
func (l *lane) halve(at *slot, batch []*move) {
	if at == &l.again {
		at.limit = len(batch) / 2
		return
	}
	for i := range l.sound {
		l.sound[i].limit = len(batch) / 2
	}
}

// wakeAt has the loop look at the lane again at a time. All that a lane waits
// for goes through this one timer, so that what is due at one moment shares a
// transaction.
func (e *Engine) wakeAt(l *lane, at time.Time) {
	if now := time.Now(); l.wake.After(now) && !at.Before(l.wake) {
		return
	}
	l.wake = at
	e.after(time.Until(at), func() { e.tellDue(l) })
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// dropQueue fails what was queued in a session that is over. Nothing of it was sent.
func (e *Engine) dropQueue(l *lane) {
	keep := l.queue[:0:0]
	for _, m := range l.queue {
		if e.me != nil && m.member == e.me {
			keep = append(keep, m)
			continue
		}
		m.done(0, store.ErrSessionLost)
	}
	l.queue = keep
	for _, p := range l.parked {
		for _, m := range p.moves {
			m.done(0, store.ErrSessionLost)
		}
	}
	l.parked = nil
	for len(l.held) > 0 {
		e.tellHeld(l, l.held[0])
	}
}

// sent takes the answer to a transaction.
func (e *Engine) sent(l *lane, at *slot, batch []*move, bytes int, r store.Result, err error) {
	if err == nil {
		at.limit = 0
		e.fitted(l, batch, bytes)
		e.worked(&l.faults, keysOf(batch)...)
		written := 0
		for _, m := range batch {
			m.done(r.Versions[written], nil)
			written += 1 + len(m.also)
		}
		return
	}
	conflict, refused := errors.Is(err, store.ErrConflict), refusal(err)
	if conflict {
		e.fitted(l, batch, bytes)
		e.worked(&l.faults, keysOf(batch)...)
	}
	switch {
	case len(batch) > 1 && conflict:
		e.settleConflict(l, at, batch, err)
		return
	case len(batch) > 1 && refused:
		// The store does not tell which move it refuses.
		l.halve(at, batch)
		l.queue = append(batch, l.queue...)
		return
	}
	at.limit = 0
	switch {
	case errors.Is(err, store.ErrEnded):
		e.end(err)
	case conflict, errors.Is(err, store.ErrSessionLost), errors.Is(err, store.ErrClosed):
		// The conflict is the owners' business; of the session membership hears.
	default:
		e.pauseBatch(l, batch, bytes, err)
		return
	}
	for _, m := range batch {
		m.done(0, err)
	}
}

// pauseBatch raises an alarm, and tells the owners of moves that failed after a pause.
func (e *Engine) pauseBatch(l *lane, batch []*move, bytes int, err error) {
	ev := observe.Event{
		Job:    jobOf(batch),
		Args:   map[string]string{"operation": "commit", "keys": strconv.Itoa(len(batch)), "bytes": strconv.Itoa(bytes)},
		Detail: fmt.Sprintf("commit of %d keys and %d bytes", len(batch), bytes),
		Err:    err,
	}
	if len(batch) == 1 {
		ev.Subject = batch[0].op.Key
	}
	if refusal(err) {
		ev.Detail = "the store refuses to write it"
	}
	pause := e.troubled(&l.faults, keysOf(batch), ev)
	if !refusal(err) {
		l.size.failed(batch, bytes, l.faults.tries(batch[0].op.Key))
	}
	h := &heldBatch{batch, err, time.Now().Add(pause)}
	l.held = append(l.held, h)
	e.wakeAt(l, h.until)
}

// tellDue tells the owners of those moves whose pause is over that they failed.
func (e *Engine) tellDue(l *lane) {
	now := time.Now()
	for _, h := range slices.Clone(l.held) {
		if now.Before(h.until) {
			e.wakeAt(l, h.until)
			continue
		}
		e.tellHeld(l, h)
	}
}

// tellHeld tells the owners of moves that they failed, unless it was done before.
func (e *Engine) tellHeld(l *lane, h *heldBatch) {
	i := slices.Index(l.held, h)
	if i < 0 {
		return
	}
	l.held = slices.Delete(l.held, i, i+1)
	for _, m := range h.moves {
		m.done(0, h.err)
	}
}

func keysOf(batch []*move) []string {
	keys := make([]string, len(batch))
	for i, m := range batch {
		keys[i] = m.op.Key
	}
	return keys
}

// jobOf returns the job that all moves are about; empty if there are several.
func jobOf(batch []*move) string {
	job := ""
	for i, m := range batch {
		kind, name, _ := strings.Cut(m.op.Key, "/")
		name, _, _ = strings.Cut(name, "/")
		if kind == layout.Instances || i > 0 && name != job {
			return ""
		}
		job = name
	}
	return job
}

// refusal says whether the store will have a write neither now nor later.
func refusal(err error) bool {
	return errors.Is(err, store.ErrTooLarge) || errors.Is(err, store.ErrPermission) || errors.Is(err, store.ErrInvalid)
}

func allPatient(queue []*move) bool {
	for _, m := range queue {
		if !m.patient {
			return false
		}
	}
	return true
}
