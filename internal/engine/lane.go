package engine

import (
	"context"
	"errors"
	"time"

	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// lane sends writes to the store, one transaction at a time. What is asked for while one is under way waits and shares the
// next: however many shards are due at once, they begin in as few commits as the store's transactions allow.
type lane struct {
	queue   []*move
	sending bool
	linger  lingering
	limit   int // moves in the next transaction; 0: as many as fit
}

// move is one write that somebody wants.
type move struct {
	guards  []store.Cond  // what must hold besides; moves of one job share them
	at      store.Version // of op.Key, which must be unchanged; zero: the op's own precondition is enough
	op      store.Op
	patient bool // nobody waits for it: it may linger to share a commit with others
	member  *member
	done    func(v store.Version, err error) // called on the loop
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
	m.member = e.me
	l.queue = append(l.queue, m)
}

// flush sends what is queued, if nothing is under way.
func (e *Engine) flush(l *lane) {
	if l.sending || len(l.queue) == 0 || e.pause.on {
		return
	}
	if e.me == nil || l.queue[0].member != e.me {
		e.dropQueue(l)
		return
	}
	if l.linger != held && e.working > 0 && allPatient(l.queue) {
		if l.linger == notLingering {
			l.linger = holding
			e.after(lingerTime, func() {
				if l.linger == holding {
					l.linger = held
				}
			})
		}
		return
	}
	l.linger = notLingering
	txn, n := pack(l.queue, l.limit, e.cfg.Store.Caps())
	txn.Session = e.me.session
	batch := l.queue[:n:n]
	l.queue = l.queue[n:]
	l.sending = true
	e.background(func(ctx context.Context) {
		r, err := e.cfg.Store.Commit(ctx, txn)
		e.post(func() { e.sent(l, batch, r, err) })
	})
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
}

// sent takes the answer to a transaction.
func (e *Engine) sent(l *lane, batch []*move, r store.Result, err error) {
	l.sending = false
	if err == nil {
		e.recovered()
		l.limit = 0
		for i, m := range batch {
			m.done(r.Versions[i], nil)
		}
		return
	}
	conflict, refused := errors.Is(err, store.ErrConflict), refusal(err)
	if len(batch) > 1 && (conflict || refused) {
		e.retryWithoutCulprit(l, batch, err)
		return
	}
	l.limit = 0
	fail := func() {
		for _, m := range batch {
			m.done(0, err)
		}
	}
	switch {
	case refused:
		// It says nothing about other writes, so they go on; this one is not tried again at once.
		e.emit(observe.Event{Kind: observe.Trouble, Shard: -1, Subject: batch[0].op.Key, Err: err, Detail: "the store refuses to write it"})
		e.after(longestPause, fail)
		return
	case conflict, errors.Is(err, store.ErrSessionLost): // the conflict is somebody's move; of the session membership hears
	default:
		e.troubled("commit", err)
	}
	fail()
}

// refusal says whether the store will have a write neither now nor later.
func refusal(err error) bool {
	return errors.Is(err, store.ErrTooLarge) || errors.Is(err, store.ErrPermission) || errors.Is(err, store.ErrInvalid)
}

// retryWithoutCulprit fails the moves that a transaction failed on, and queues the others again. If the store does not
// tell which they are, halves are tried.
func (e *Engine) retryWithoutCulprit(l *lane, batch []*move, err error) {
	key := conflictKey(err)
	rest := make([]*move, 0, len(batch)+len(l.queue))
	for _, m := range batch {
		if key != "" && m.names(key) {
			m.done(0, err)
			continue
		}
		rest = append(rest, m)
	}
	if len(rest) == len(batch) {
		l.limit = len(batch) / 2
	}
	l.queue = append(rest, l.queue...)
}

func (m *move) names(key string) bool {
	if m.op.Key == key {
		return true
	}
	for _, c := range m.guards {
		if c.Key == key {
			return true
		}
	}
	return false
}

func conflictKey(err error) string {
	var c *store.ConflictError
	if errors.As(err, &c) {
		return c.Key
	}
	return ""
}

func allPatient(queue []*move) bool {
	for _, m := range queue {
		if !m.patient {
			return false
		}
	}
	return true
}

// pack makes one transaction of as many moves from the front of the queue as a store takes, and returns how many. One always
// fits: if it is too large by itself the store will say so.
func pack(queue []*move, limit int, caps store.Caps) (store.Txn, int) {
	p := packer{versions: map[string]store.Version{}, keys: map[string]bool{}, written: map[string]bool{}, caps: caps}
	for n, m := range queue {
		if limit > 0 && n == limit || !p.add(m, n == 0) {
			return p.txn, n
		}
	}
	return p.txn, len(queue)
}

type packer struct {
	txn      store.Txn
	versions map[string]store.Version // of the conditions
	keys     map[string]bool          // in conditions and writes
	written  map[string]bool
	bytes    int
	caps     store.Caps
}

// add takes a move into the transaction if it fits, or if it must.
func (p *packer) add(m *move, must bool) bool {
	var buf [8]store.Cond
	conds := append(buf[:0], m.guards...)
	if m.at != 0 {
		conds = append(conds, store.At(m.op.Key, m.at))
	}
	// What one move guards, another must not write: conditions are looked at before all writes, so both would pass, and what
	// is written were no longer what was guarded.
	clash := p.keys[m.op.Key]
	keys, bytes := 0, len(m.op.Key)+len(m.op.Value)
	if !p.keys[m.op.Key] {
		keys++
	}
	for _, c := range conds {
		v, there := p.versions[c.Key]
		clash = clash || there && v != c.Version || p.written[c.Key]
		if !there {
			bytes += len(c.Key)
		}
		if !p.keys[c.Key] && c.Key != m.op.Key {
			keys++
		}
	}
	if !must && (clash || len(p.keys)+keys > p.caps.MaxOps || p.bytes+bytes > p.caps.MaxTxn) {
		return false
	}
	for _, c := range conds {
		if _, there := p.versions[c.Key]; !there {
			p.versions[c.Key], p.keys[c.Key] = c.Version, true
			p.txn.If = append(p.txn.If, c)
		}
	}
	p.keys[m.op.Key], p.written[m.op.Key] = true, true
	p.bytes += bytes
	p.txn.Do = append(p.txn.Do, m.op)
	return true
}
