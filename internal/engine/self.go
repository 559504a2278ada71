package engine

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// self is what this instance tells the others about itself.
func (e *Engine) self() layout.Instance {
	i := layout.Instance{
		Name:      e.cfg.Name,
		Host:      e.cfg.Host,
		PID:       e.cfg.PID,
		Weight:    e.cfg.Weight,
		State:     layout.Up,
		Labels:    e.cfg.Labels,
		Exclusive: e.cfg.Exclusive,
		Sets:      e.mySets.hashes(),
		Level:     layout.Level,
		Started:   e.started,
	}
	switch {
	case e.drain.on:
		i.State = layout.Draining
	case e.clocks.outlier:
		i.State = layout.ClockOff
	}
	return i
}

// publishSelf writes the instance's key when what it says is no longer true. With
// a set that it did not name before it writes the header of that: it conflicts if
// the set was swept in between.
func (e *Engine) publishSelf() {
	m := e.me
	if !e.selfChanged || m == nil || m.writing {
		return
	}
	e.selfChanged = false
	e.changeSets()
	doc := e.self()
	if doc.Equal(m.doc) {
		return
	}
	m.writing = true
	key := layout.InstanceKey(m.id)
	e.send(&e.docs, &move{at: m.version, op: store.Set(key, doc.Encode()), also: e.mySets.headers(m.doc.Sets), done: func(v store.Version, err error) {
		switch {
		case e.me != m:
		case err == nil:
			e.published(m, doc, v)
		case errors.Is(err, store.ErrConflict) && conflictKey(err) == key:
			e.evicted("instance_key_changed", "the instance's key was changed or deleted by another program")
		case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrUnknown):
			e.readSelf(m, func(entry store.Entry) {
				switch {
				case bytes.Equal(entry.Value, doc.Encode()):
					e.published(m, doc, entry.Version)
				case entry.Version == m.version: // it was not written: a set may be gone
					e.writeSets(m, slices.Clone(e.mySets.list), func() {
						m.writing = false
						e.selfChanged = true
					})
				default:
					e.evicted("instance_key_changed", "the instance's key was changed by another program")
				}
			})
		default:
			m.writing = false
			e.selfChanged = true
		}
	}})
}

// published notes what the store says about this instance.
func (e *Engine) published(m *member, doc layout.Instance, v store.Version) {
	m.doc, m.version, m.writing = doc, v, false
	e.selfChanged = true // it may have changed meanwhile
}

// lookForSelf asks the store for this instance's key, because a watch says that it is gone. A watch can be behind the store, that of a server
// which has just started too, and to give up a session that lives costs every run.
func (e *Engine) lookForSelf() {
	m := e.me
	if m == nil || m.looking {
		return
	}
	m.looking = true
	e.readSelf(m, func(store.Entry) {
		m.looking = false
		e.doubt(layout.Instances)
	})
}

// readSelf reads the instance's key until there is an answer. If it is gone, somebody declared this instance dead, and so it is.
func (e *Engine) readSelf(m *member, found func(store.Entry)) {
	e.background(func(ctx context.Context) {
		entry, err := e.cfg.Store.Get(ctx, layout.InstanceKey(m.id))
		e.post(func() {
			switch {
			case e.me != m:
			case err == nil:
				e.worked(&e.reading, layout.InstanceKey(m.id))
				found(entry)
			case errors.Is(err, store.ErrNotFound):
				e.worked(&e.reading, layout.InstanceKey(m.id))
				e.evicted("instance_key_gone", "the instance's key is gone from the store")
			case ended(err):
				e.end(err)
			default:
				ev := observe.Event{
					Subject: layout.InstanceKey(m.id),
					Args:    map[string]string{"operation": "read"},
					Detail:  "read the instance's key",
					Err:     err,
				}
				e.after(e.troubled(&e.reading, []string{ev.Subject}, ev), func() { e.readSelf(m, found) })
			}
		})
	})
}
