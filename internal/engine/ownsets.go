package engine

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// setsApart is how long an instance waits at least between two sets, so that
// jobs that are added one after the other share one.
const setsApart = time.Second

// ownSets are the sets that this instance names, or will name with its next
// write. All of it belongs to the loop.
type ownSets struct {
	list    []layout.JobSet
	names   map[string]bool // that the list amounts to
	pending map[string]bool // names that were added or removed since
	writing bool
	changed time.Time // when the list last changed, by the monotonic clock
	waits   bool      // a timer calls when the list may change again
}

// hashes returns the names of the sets.
func (o *ownSets) hashes() []string {
	all := make([]string, len(o.list))
	for i, s := range o.list {
		all[i] = s.Hash()
	}
	return all
}

// headers returns the writes of the headers of the sets that are not among those
// with the given hashes.
func (o *ownSets) headers(but []string) (ops []store.Op) {
	for _, s := range o.list {
		if hash := s.Hash(); !slices.Contains(but, hash) {
			ops = append(ops, store.Set(layout.SetKey(hash, 0), s.Documents()[0]))
		}
	}
	return ops
}

// restart makes one set of all jobs, for an instance that joins: programs with
// the same jobs then name the same set.
func (o *ownSets) restart(names map[string]bool) {
	o.list = []layout.JobSet{setOf(names, false)}
	o.names = names
	o.pending = map[string]bool{}
	o.writing = false
	o.changed = time.Time{}
}

// after returns the sets when some jobs have come and some have gone: those there
// are, and one of what came and one of what went, so that no key is larger than
// the change.
func (o *ownSets) after(came, went map[string]bool) []layout.JobSet {
	next := slices.Clone(o.list)
	if len(went) > 0 {
		next = append(next, setOf(went, true))
	}
	if len(came) > 0 {
		next = append(next, setOf(came, false))
	}
	if len(next) <= layout.MaxSets {
		return next
	}
	all := maps.Clone(o.names)
	change(all, came, went)
	return []layout.JobSet{setOf(all, false)}
}

// change adds names to a set, and takes others away.
func change(names, came, went map[string]bool) {
	maps.Copy(names, came)
	for name := range went {
		delete(names, name)
	}
}

func setOf(names map[string]bool, minus bool) layout.JobSet {
	return layout.NewJobSet(slices.Collect(maps.Keys(names)), minus)
}

// ownNames returns the names of the jobs that were added.
func (e *Engine) ownNames() map[string]bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	names := make(map[string]bool, len(e.registered))
	for name := range e.registered {
		names[name] = true
	}
	return names
}

// moved returns which jobs have come and which have gone since the sets were
// made, by the names that were added or removed since.
func (e *Engine) moved() (came, went map[string]bool) {
	came, went = map[string]bool{}, map[string]bool{}
	e.mu.Lock()
	defer e.mu.Unlock()
	for name := range e.mySets.pending {
		_, has := e.registered[name]
		switch {
		case has && !e.mySets.names[name]:
			came[name] = true
		case !has && e.mySets.names[name]:
			went[name] = true
		}
	}
	return came, went
}

// changeSets writes the sets that this instance needs and does not name yet.
// When they are in the store its key is written.
func (e *Engine) changeSets() {
	m, o := e.me, &e.mySets
	if m == nil || o.writing || len(o.pending) == 0 {
		return
	}
	if wait := setsApart - time.Since(o.changed); wait > 0 {
		if !o.waits {
			o.waits = true
			e.after(wait, func() {
				o.waits = false
				e.selfChanged = true
			})
		}
		return
	}
	came, went := e.moved()
	clear(o.pending)
	if len(came)+len(went) == 0 {
		return
	}
	o.writing = true
	next := o.after(came, went)
	e.writeSets(m, next, func() {
		o.writing = false
		o.list = next
		change(o.names, came, went)
		o.changed = time.Now()
		e.selfChanged = true
	})
}

// writeSets writes the sets that are not in the store, until all are, and then
// has the loop call done, unless the session is over by then.
func (e *Engine) writeSets(m *member, all []layout.JobSet, done func()) {
	e.background(func(ctx context.Context) {
		err := e.putSets(ctx, m.session, all)
		e.post(func() {
			switch {
			case e.me != m:
			case err == nil:
				e.worked(&e.docs.faults, layout.JobSets)
				done()
			case ended(err):
				e.end(err)
			default:
				ev := observe.Event{
					Subject: layout.JobSets,
					Args:    map[string]string{"operation": "commit"},
					Detail:  "write a set of jobs",
					Err:     err,
				}
				e.after(e.troubled(&e.docs.faults, []string{layout.JobSets}, ev), func() {
					if e.me == m {
						e.writeSets(m, all, done)
					}
				})
			}
		})
	})
}

// setSpread is the time over which instances that start together with a large set
// that is not in the store write it: mostly one does. A small set is not worth the
// wait.
const (
	setSpread = 100 * time.Millisecond
	smallSet  = 64 // names
)

// putSets writes those of the sets that are not in the store.
func (e *Engine) putSets(ctx context.Context, session store.Session, all []layout.JobSet) error {
	for _, s := range all {
		there, err := e.hasSet(ctx, s)
		if err == nil && !there && len(s.Names) > smallSet {
			sleep(ctx, e.random(setSpread))
			there, err = e.hasSet(ctx, s)
		}
		if err == nil && !there {
			err = e.putSet(ctx, session, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hasSet reports whether a set is in the store: one with a header is complete.
func (e *Engine) hasSet(ctx context.Context, s layout.JobSet) (bool, error) {
	_, err := e.cfg.Store.Get(ctx, layout.SetKey(s.Hash(), 0))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// putSet writes the documents of a set that are missing, or have another
// content: in one transaction where they fit into a value, and otherwise one by
// one with the header last. A conflict means that another instance of this
// program was faster.
func (e *Engine) putSet(ctx context.Context, session store.Session, s layout.JobSet) error {
	hash := s.Hash()
	entries, err := e.cfg.Store.List(ctx, layout.SetsOf(hash))
	if err != nil {
		return err
	}
	have := map[string]store.Entry{}
	for _, entry := range entries {
		have[entry.Key] = entry
	}
	var txns []store.Txn
	docs := s.Documents()
	for i := range docs {
		part := (i + 1) % len(docs)
		key := layout.SetKey(hash, part)
		entry, there := have[key]
		if there && bytes.Equal(entry.Value, docs[part]) {
			continue
		}
		if len(docs) > 2 || len(txns) == 0 {
			txns = append(txns, store.Txn{Session: session})
		}
		txn := &txns[len(txns)-1]
		if there {
			txn.If = append(txn.If, store.At(key, entry.Version))
			txn.Do = append(txn.Do, store.Set(key, docs[part]))
		} else {
			txn.Do = append(txn.Do, store.Create(key, docs[part]))
		}
	}
	for _, txn := range txns {
		if _, err := e.cfg.Store.Commit(ctx, txn); err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return nil
}

// renewEvery is how many resync periods pass between two looks at all of a large
// set.
const renewEvery = 10

// renewSets writes those of this instance's sets again that are missing in the
// store, or damaged: other instances can't know its jobs without them.
func (e *Engine) renewSets() {
	m, own := e.me, slices.Clone(e.mySets.list)
	if m == nil {
		return
	}
	whole := e.clocks.written%renewEvery == 0
	e.background(func(ctx context.Context) {
		for _, s := range own {
			key := layout.SetKey(s.Hash(), 0)
			if len(s.Documents()) > 2 && !whole {
				if _, err := e.cfg.Store.Get(ctx, key); !errors.Is(err, store.ErrNotFound) {
					continue
				}
			}
			_ = e.putSet(ctx, m.session, s) // it is tried again in the next period
		}
	})
}
