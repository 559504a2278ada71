package engine

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// watched are the prefixes of which every instance keeps a replica.
var watched = []string{layout.Instances, layout.Clocks, layout.Jobs, layout.Assignments, layout.Signals, layout.Cordons}

// replica is what the watches have told. It can be behind the store, so nothing that must be true rests on it: every write
// that it leads to compares the versions that it was computed from.
type replica struct {
	entries map[string]map[string]store.Entry // by prefix, by the last segment of the key
	changes uint64                            // grows with each update
	moved   map[string]uint64                 // by prefix: grows with each update that changed something
	synced  map[string]bool                   // by prefix: the first content has arrived
	peers   []*peer                           // the live instances, oldest first
	byID    map[string]*peer                  // the same
	orders  orders                            // the same, in the order in which they lead jobs
	ended   map[string]bool                   // instances of this name that vanished while this process was joining: it may be one of them
}

// peer is a live instance.
type peer struct {
	id      string
	created uint64
	layout.Instance
	readable bool      // if not, it is alive and nothing else is known
	sets     []*jobSet // that it names, or named before while the new ones are read
	coming   []*jobSet // that it names, while one of them is read; nil: sets
	fresh    bool      // its key was shown as a change, not as part of a first content
}

func newReplica() replica {
	r := replica{entries: map[string]map[string]store.Entry{}, synced: map[string]bool{}, ended: map[string]bool{}, moved: map[string]uint64{}}
	for _, prefix := range watched {
		r.entries[prefix] = map[string]store.Entry{}
	}
	return r
}

// ready says whether the first content of every prefix has arrived.
func (r *replica) ready() bool { return len(r.synced) == len(watched) }

func (r *replica) spec(job string) (store.Entry, bool) {
	e, ok := r.entries[layout.Jobs][job]
	return e, ok
}

func (r *replica) assignment(job string) (store.Entry, bool) {
	e, ok := r.entries[layout.Assignments][job]
	return e, ok
}

func (r *replica) signals(job string) (store.Entry, bool) {
	e, ok := r.entries[layout.Signals][job]
	return e, ok
}

// version returns that of a key; zero if the watch shows none.
func (r *replica) version(key string) store.Version {
	prefix := layout.Prefix(key)
	name, _ := layout.NameOf(prefix, key)
	return r.entries[prefix][name].Version
}

// alive says whether an instance is among those that the watch has shown. That it is not is no proof that it is dead: the
// watch may not have shown it yet.
func (r *replica) alive(id string) bool {
	_, ok := r.entries[layout.Instances][id]
	return ok
}

// apply takes an update of a watch and returns the names whose entries are
// different now, and the keys that are no keys of this program.
func (r *replica) apply(prefix string, u store.Update) (changed, stray []string) {
	r.changes++
	have := r.entries[prefix]
	if u.Reset {
		r.synced[prefix] = true
		there := make(map[string]bool, len(u.Entries))
		for _, e := range u.Entries {
			if name, ok := layout.NameOf(prefix, e.Key); ok {
				there[name] = true
			}
		}
		for name := range have {
			if !there[name] {
				delete(have, name)
				changed = append(changed, name)
			}
		}
	}
	for _, key := range u.Deleted {
		name, ok := layout.NameOf(prefix, key)
		if !ok {
			continue
		}
		delete(have, name) // which may not have been there: it came and went between two updates
		changed = append(changed, name)
	}
	for _, e := range u.Entries {
		name, ok := layout.NameOf(prefix, e.Key)
		if !ok {
			stray = append(stray, e.Key)
			continue
		}
		if old, ok := have[name]; ok && old.Version == e.Version && old.Created == e.Created {
			continue
		}
		have[name] = e
		changed = append(changed, name)
	}
	if len(changed) > 0 {
		r.moved[prefix]++
	}
	return changed, stray
}

// follow keeps a watch on a prefix.
func (e *Engine) follow(ctx context.Context, prefix string) {
	for tries := 0; ctx.Err() == nil; tries++ {
		again, forget := context.WithCancel(ctx)
		begun := time.Now()
		e.post(func() { e.doubts[prefix] = followed{begun, forget} })
		err := e.watch(again, prefix, &tries, func(u store.Update) { e.updated(prefix, u) })
		doubted := again.Err() != nil
		forget()
		if doubted {
			continue // at once; if the engine ends, the loop condition says so
		}
		e.post(func() {
			e.meter.saw(prefix, time.Time{}, true)
			e.watchFailed(prefix, err)
		})
		sleep(ctx, e.backoff(tries))
	}
}

// watchFailed raises an alarm when a watch can't be started, or has ended.
func (e *Engine) watchFailed(prefix string, err error) {
	if ended(err) {
		e.end(err)
		return
	}
	e.troubled(&e.watching, []string{prefix}, observe.Event{
		Subject: prefix,
		Args:    map[string]string{"operation": "watch"},
		Detail:  "watch",
		Err:     err,
	})
}

// soundAfter is how long a watch must last before it counts as one that works:
// as long as the longest pause, so that one which fails soon after each start is
// started less and less often.
const soundAfter = longestPause

// watch has the loop call f for the updates of one watch until ctx ends or the
// watch fails. It resets tries when the watch has lasted for a while.
func (e *Engine) watch(ctx context.Context, prefix string, tries *int, f func(store.Update)) error {
	var sound atomic.Bool
	defer func() {
		if sound.Load() {
			*tries = 0
		}
	}()
	shown := false
	return e.updates(ctx, prefix, func(u store.Update) {
		e.post(func() {
			e.answered = e.answered || !u.Stale
			f(u)
		})
		if shown || u.Stale {
			return
		}
		shown = true
		e.after(soundAfter, func() {
			if ctx.Err() == nil {
				sound.Store(true)
				e.worked(&e.watching, prefix)
			}
		})
	})
}

// updates passes on the updates of one watch until ctx ends or the watch fails.
func (e *Engine) updates(ctx context.Context, prefix string, f func(store.Update)) error {
	w, err := e.cfg.Store.Watch(ctx, prefix)
	if err != nil {
		return err
	}
	defer w.Close()
	for {
		u, err := w.Next(ctx)
		if err != nil {
			return err
		}
		f(u)
	}
}

// followed is a watch that can be started again.
type followed struct {
	begun  time.Time // it shows all that was committed before
	forget func()
}

// doubt starts a watch again, because it does not agree with something else that
// the store said. A watch that has begun since then shows that. Several doubts at
// one instant start it once.
func (e *Engine) doubt(prefix string) {
	if w := e.doubts[prefix]; w.forget != nil && time.Now().After(w.begun) {
		w.forget()
	}
}

// updated takes an update of the replica.
func (e *Engine) updated(prefix string, u store.Update) {
	ready := e.replica.ready()
	e.meter.saw(prefix, u.AsOf, u.Stale)
	changed, stray := e.replica.apply(prefix, u)
	e.reportStray(stray...)
	if !ready && e.replica.ready() {
		close(e.looking)
	}
	switch {
	case prefix == layout.Instances && len(changed) > 0:
		e.peersChanged(changed, !u.Reset)
		return
	case prefix == layout.Cordons && len(changed) > 0:
		e.cordonsChanged(changed)
		return
	case prefix == layout.Clocks && len(changed) > 0:
		e.clocksChanged(changed, !u.Reset)
		return
	case prefix == layout.Instances, prefix == layout.Cordons, prefix == layout.Clocks:
		return
	}
	for _, name := range changed {
		if prefix == layout.Jobs {
			e.noteFollowers(name)
		}
		e.sourceMoved(name)
		if j := e.jobs[name]; j != nil {
			e.touch(j)
		}
	}
	if u.Reset {
		// Jobs that are not in the store yet wait for the first content; others may wait for a version that was
		// skipped.
		for _, j := range e.jobs {
			j.awaits.reset(prefix)
			e.touch(j)
		}
		// An assignment whose write had an unknown outcome, and was not applied, is still wrong; nothing else says so.
		e.lookAtAll()
	}
}

// peersChanged derives the list of live instances anew, and tells those whom a difference may concern. fresh says that the changes have
// just been made.
func (e *Engine) peersChanged(names []string, fresh bool) {
	before := make(map[string]*peer, len(e.replica.peers))
	for _, p := range e.replica.peers {
		before[p.id] = p
	}
	var moved []movement
	for _, id := range names {
		old := before[id]
		p := e.readPeer(id, old, fresh)
		if before[id] = p; p == nil {
			delete(before, id)
			e.vanished(id, old != nil)
		}
		if p.sameAs(old) {
			continue
		}
		moved = append(moved, movement{old, p})
	}
	e.replica.peers = e.replica.peers[:0]
	for _, p := range before {
		e.replica.peers = append(e.replica.peers, p)
	}
	slices.SortFunc(e.replica.peers, func(a, b *peer) int {
		return cmp.Or(cmp.Compare(a.created, b.created), strings.Compare(a.id, b.id))
	})
	e.replica.byID, e.replica.orders = before, orders{}
	e.membershipChanged(moved)
	e.greetNew()
	e.judgeClock()
}

// readPeer makes a peer of an instance's key; nil if that is gone.
func (e *Engine) readPeer(id string, old *peer, fresh bool) *peer {
	entry, there := e.replica.entries[layout.Instances][id]
	if !there {
		return nil
	}
	p := &peer{id: id, created: entry.Created, fresh: fresh}
	doc, err := layout.DecodeInstance(entry.Value)
	if err != nil {
		e.emit(observe.Event{
			Kind:    observe.Unreadable,
			Shard:   -1,
			Subject: entry.Key,
			Code:    unreadableCode(entry.Key),
			Args:    map[string]string{"key": entry.Key},
			Detail:  "the instance counts as alive, and gets no shards",
			Err:     err,
		})
	} else {
		p.Instance, p.readable = doc, true
		p.sets = e.namedBy(doc.Sets)
		if old != nil && old.readable && !answeredAll(p.sets) {
			p.sets, p.coming = old.sets, p.sets
		}
	}
	switch {
	case old != nil:
	case e.isMe(id):
		e.clocks.seen(time.Time{}, fresh)
	default:
		e.emit(observe.Event{Kind: observe.Appeared, Shard: -1, Subject: id})
		e.newcomers = true
	}
	return p
}

// greetNew greets the instances that have appeared.
func (e *Engine) greetNew() {
	if e.newcomers {
		e.newcomers = false
		e.greet()
	}
}

// sameAs says whether two peers, either of which may be nil, are the same to everybody's work.
func (p *peer) sameAs(o *peer) bool {
	return p != nil && o != nil && p.readable && o.readable && p.Instance.Equal(o.Instance)
}

// vanished tells the shards whose run belonged to an instance that is gone.
func (e *Engine) vanished(id string, seen bool) {
	if e.isMe(id) {
		e.lookForSelf()
		return
	}
	if e.me == nil && layout.InstanceName(id) == e.cfg.Name {
		e.replica.ended[id] = true
	}
	if seen {
		e.emit(observe.Event{Kind: observe.Vanished, Shard: -1, Subject: id})
	}
	for _, j := range e.jobs {
		for _, s := range j.shards {
			if s.record.Owner == id {
				e.mark(s)
			}
		}
	}
}

// sleep waits for d, or for ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
