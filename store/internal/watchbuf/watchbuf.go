// Package watchbuf holds what the reader of a watch has not been told yet: at
// most one state of a key, however slow the reader is. Drivers put what they
// hear of the store into it in the form in which they hear it: changes in the
// order in which they were made, the same state several times, or the whole
// content again and again.
package watchbuf

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// Change is the state of one key, as the store reports it.
type Change struct {
	Entry   store.Entry // only its key counts if it is deleted
	Deleted bool
}

// Buffer is between a driver and the reader of one watch. It is safe for
// concurrent use, and Next is for one reader. Make it with [New].
//
// News is any state that the reader does not know yet: a write of a key other
// than the one it was told of last, by its Created and Version, and the absence
// of a key that it was told of. So a driver may say a state twice, but must
// never say an older one after a newer one.
type Buffer struct {
	wake chan struct{} // holds a token when there may be something to tell

	mu      sync.Mutex
	whole   bool                   // changed is the whole content
	changed map[string]store.Entry // created or set
	deleted map[string]bool        // keys the reader knows of, and that are no more
	known   map[string]write       // keys the reader knows of: a delete of another key is no news
	stale   bool
	told    bool      // what the reader knows of stale
	heard   time.Time // last sign of life
	err     error     // the end
}

// write identifies one write of a key. The version alone does
// not in ZooKeeper, where it begins again.
type write struct {
	created uint64
	version store.Version
}

func writeOf(e store.Entry) write { return write{e.Created, e.Version} }

// New returns a buffer that has nothing to tell.
func New() *Buffer {
	return &Buffer{wake: make(chan struct{}, 1), changed: map[string]store.Entry{}, deleted: map[string]bool{}, known: map[string]write{}}
}

// change runs f and wakes the reader.
func (m *Buffer) change(f func()) {
	m.mu.Lock()
	f()
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Reset replaces everything by a content that was just read. The reader is told
// all of it.
func (m *Buffer) Reset(entries []store.Entry) {
	m.change(func() {
		m.whole, m.stale, m.heard = true, false, time.Now()
		clear(m.deleted)
		clear(m.changed)
		for _, e := range entries {
			m.changed[e.Key] = e
		}
	})
}

// Apply adds changes that have just come, all at once, so that a commit is
// never split. No changes are a sign of life.
func (m *Buffer) Apply(changes []Change) {
	m.change(func() {
		m.stale, m.heard = false, time.Now()
		for _, c := range changes {
			if c.Deleted {
				m.remove(c.Entry.Key)
			} else {
				m.set(c.Entry)
			}
		}
	})
}

// Replace is Apply for a driver that has just read the whole content and does
// not know what of it has changed.
func (m *Buffer) Replace(entries []store.Entry) {
	m.change(func() {
		m.stale, m.heard = false, time.Now()
		there := make(map[string]bool, len(entries))
		for _, e := range entries {
			there[e.Key] = true
			m.set(e)
		}
		for key := range m.changed {
			if !there[key] {
				m.remove(key)
			}
		}
		for key := range m.known {
			if !there[key] {
				m.remove(key)
			}
		}
	})
}

// set takes note of a key's state. mu is held.
func (m *Buffer) set(e store.Entry) {
	delete(m.deleted, e.Key)
	if known, ok := m.known[e.Key]; ok && !m.whole && known == writeOf(e) {
		return
	}
	m.changed[e.Key] = e
}

// remove takes note of a key's absence. mu is held.
func (m *Buffer) remove(key string) {
	delete(m.changed, key)
	if _, known := m.known[key]; known && !m.whole {
		m.deleted[key] = true
	}
}

// HeardAt takes note of a sign of life that came at a time, maybe some time
// ago: everything that was news then is here.
func (m *Buffer) HeardAt(t time.Time) {
	m.change(func() {
		m.stale = false
		if t.After(m.heard) {
			m.heard = t
		}
	})
}

// LostContact tells the reader that the content may be old, until the next
// Reset, Apply, Replace or HeardAt.
func (m *Buffer) LostContact() { m.change(func() { m.stale = true }) }

// HeardSince reports whether there was a sign of life after a time.
func (m *Buffer) HeardSince(t time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.heard.Before(t)
}

// Len is for how many keys there is something to tell.
func (m *Buffer) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.changed) + len(m.deleted)
}

// End ends the buffer with the error that Next returns from now on. The first
// error stays.
func (m *Buffer) End(err error) {
	m.change(func() {
		if m.err == nil {
			m.err = err
		}
	})
}

// Next waits until there is something to tell, and empties the buffer: see
// [store.Watch].
func (m *Buffer) Next(ctx context.Context) (store.Update, error) {
	for {
		if err := ctx.Err(); err != nil {
			return store.Update{}, err
		}
		u, ok, err := m.take()
		if ok || err != nil {
			return u, err
		}
		select {
		case <-ctx.Done():
		case <-m.wake:
		}
	}
}

// take empties the buffer.
func (m *Buffer) take() (store.Update, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return store.Update{}, false, m.err
	}
	if !m.whole && len(m.changed) == 0 && len(m.deleted) == 0 && m.stale == m.told {
		return store.Update{}, false, nil
	}
	u := store.Update{Reset: m.whole, Stale: m.stale, AsOf: m.heard}
	if m.whole {
		clear(m.known)
	}
	for key, e := range m.changed {
		u.Entries = append(u.Entries, e)
		m.known[key] = writeOf(e)
	}
	slices.SortFunc(u.Entries, func(a, b store.Entry) int { return cmp.Compare(a.Key, b.Key) })
	u.Deleted = slices.Sorted(maps.Keys(m.deleted))
	for key := range m.deleted {
		delete(m.known, key)
	}
	clear(m.changed)
	clear(m.deleted)
	m.whole, m.told = false, m.stale
	return u, true, nil
}
