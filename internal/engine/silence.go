package engine

import (
	"context"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// An instance whose heartbeats stand still although the store works is declared
// dead by another, for stores that forget to end a session. The oldest instances
// list the heartbeats, each by its own monotonic count of periods: only versions
// are compared, no clocks.

// silentBeats is how many heartbeats of its own an instance makes before it
// declares one dead that made none in that time. The next oldest waits for one
// more, and so on.
const silentBeats = 5

// listeners is how many of the oldest instances list heartbeats in each period.
// The next as many do so in each second period, and so on, so that the dead at
// the front of the line hide no other.
const listeners = 3

// heard is what this instance knows of another's heartbeats.
type heard struct {
	version store.Version // of the last; zero: none was seen
	written uint64        // clocks.written when it was first seen
}

// lookForSilent lists the heartbeats, if it is this instance's turn.
func (e *Engine) lookForSilent() {
	rank := e.rank()
	if rank < 0 || e.clocks.written%uint64(rank/listeners+1) != 0 {
		return
	}
	m := e.me
	e.background(func(ctx context.Context) {
		entries, err := e.cfg.Store.List(ctx, layout.Heartbeats)
		if err != nil {
			return // it is done again in the next period
		}
		e.post(func() {
			if e.me == m {
				e.hear(entries)
				e.evictSilent()
			}
		})
	})
}

// rank returns this instance's place among the live ones, by age; negative while
// it is not among them.
func (e *Engine) rank() int {
	for i, p := range e.replica.peers {
		if e.isMe(p.id) {
			return i
		}
	}
	return -1
}

// hear notes which heartbeats are new.
func (e *Engine) hear(entries []store.Entry) {
	versions := make(map[string]store.Version, len(entries))
	for _, entry := range entries {
		if id, ok := layout.NameOf(layout.Heartbeats, entry.Key); ok {
			versions[id] = entry.Version
		}
	}
	now := make(map[string]heard, len(e.replica.peers))
	for _, p := range e.replica.peers {
		h, known := e.heard[p.id]
		if v := versions[p.id]; !known || v != h.version {
			h = heard{v, e.clocks.written}
		}
		now[p.id] = h
	}
	e.heard = now
}

// silent is how many heartbeats this instance has made since it saw the last of
// another.
func (e *Engine) silent(id string) uint64 {
	h, known := e.heard[id]
	if !known {
		return 0
	}
	return e.clocks.written - h.written
}

// evictSilent declares instances dead that have been silent for too long; the
// oldest of the others does so first.
func (e *Engine) evictSilent() {
	rank := uint64(0)
	for _, p := range e.replica.peers {
		if e.isMe(p.id) {
			break
		}
		if e.silent(p.id) < silentBeats {
			rank++
		}
	}
	for _, p := range e.replica.peers {
		if e.silent(p.id) >= silentBeats+rank && !e.isMe(p.id) {
			e.evict(p.id)
		}
	}
}

// evict deletes an instance's keys, which makes it dead for all, itself included.
// Its key and its heartbeat must be as they were seen: an instance that has given
// a sign of life since is not evicted.
func (e *Engine) evict(id string) {
	entry := e.replica.entries[layout.Instances][id]
	guards := []store.Cond{store.Exists(layout.InstanceKey(e.me.id))}
	m := &move{at: entry.Version, op: store.Delete(entry.Key)}
	if v := e.heard[id].version; v != 0 {
		key := layout.HeartbeatKey(id)
		guards = append(guards, store.At(key, v))
		m.also = append(m.also, store.Delete(key))
	}
	if _, there := e.replica.entries[layout.Clocks][id]; there {
		m.also = append(m.also, store.Delete(layout.ClockKey(id)))
	}
	m.guards = guards
	m.done = func(_ store.Version, err error) {
		if err != nil {
			return // it lives, is gone, or the next period will show
		}
		e.emit(observe.Event{
			Kind:    observe.Evicted,
			Shard:   -1,
			Subject: id,
			Code:    "instance_silent",
			Args:    map[string]string{"instance": id},
			Detail:  "it gave no sign of life for several minutes, though the store works",
		})
	}
	e.send(&e.docs, m)
}
