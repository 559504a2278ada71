package zookeeper

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/progress"
	"github.com/elasticjob-go/elastic/store/internal/watchbuf"
	"github.com/go-zookeeper/zk"
)

// While there are watches, the server is asked every probeEvery to bring itself
// up to date, and given patience to do so. A server that is cut off from its
// leader, or a connection through which nothing comes, is left for another.
const (
	probeEvery = 5 * time.Second
	patience   = 2 * time.Second
)

// feed tells all watches of a store what has changed. The server tells which
// nodes have, and they are read again, once for all watches: whatever changes
// between the two is told, too, and read once more. When the connection has
// been lost, so has what the server told in between, and everything is read
// again.
//
// One goroutine does all the reading, so that no watch is ever given an older
// state after a newer one. It runs as long as there are watches.
type feed struct {
	store   *client
	classic bool          // without persistent watches: see visit
	wake    chan struct{} // holds a token when there is something to do

	mu      sync.Mutex
	running bool
	dirty   map[string]bool // paths to read again
}

// add takes a watch in, unless the store is closed.
func (f *feed) add(w *watch) bool {
	if !f.store.running.AddWatch(w) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running = f.running || f.store.running.Go(f.run)
	f.rouse()
	return true
}

func (f *feed) remove(w *watch) {
	f.store.running.RemoveWatch(w)
	f.rouse()
}

func (f *feed) all() []*watch { return f.store.running.Watches() }

func (f *feed) rouse() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// event takes note that something has changed at a path.
func (f *feed) event(path string) {
	if _, isKey := f.store.keys.name(path); !isKey && !(f.classic && f.store.keys.isDirectory(path)) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.all() {
		if w.covers(path) {
			f.dirty[path] = true
			f.rouse()
			return
		}
	}
}

// take returns the paths to read again.
func (f *feed) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]string, 0, len(f.dirty))
	for path := range f.dirty {
		all = append(all, path)
	}
	clear(f.dirty)
	return all
}

// done reports whether there is no watch left, and that the goroutine ends.
func (f *feed) done() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.all()) == 0 {
		f.running = false
	}
	return !f.running
}

// run serves the watches on one connection after another.
func (f *feed) run() {
	fresh := backoff.Backoff{Next: 20 * time.Millisecond, Most: 2 * time.Second}
	pause := fresh
	for life := f.store.running.Context(); !f.done() && life.Err() == nil; {
		_, w, err := f.store.connection(life)
		if err != nil { // the store is being closed
			pause.Wait(life)
			continue
		}
		round := &round{feed: f, wire: w, follows: map[*watch]bool{}, armed: map[string]bool{}}
		if f.classic {
			round.known = map[string]bool{}
		}
		began := time.Now()
		round.run()
		for watch := range round.follows {
			watch.box.LostContact()
		}
		if time.Since(began) > probeEvery {
			pause = fresh
		}
		if len(f.all()) > 0 {
			pause.Wait(life)
		}
	}
}

// round is the work of the feed on one connection. Only its goroutine uses it.
type round struct {
	*feed
	wire    *wire
	follows map[*watch]bool // those that have had the whole content on this connection
	armed   map[string]bool // paths that the server follows for us
	known   map[string]bool // without persistent watches: see visit
	goesOn  time.Time       // when the watches that wait were last told so
}

// onward returns a context for a reading that watches which have not begun wait
// for: they have as much time as it makes progress.
func (r *round) onward(ctx context.Context) context.Context {
	const often = 20 * time.Millisecond
	return progress.Also(ctx, func() {
		if time.Since(r.goesOn) < often {
			return
		}
		r.goesOn = time.Now()
		for _, w := range r.all() {
			if !w.started {
				progress.Made(w.start)
			}
		}
	})
}

// run returns when the connection is closed, or there is no watch left.
func (r *round) run() {
	life := r.store.running.Context()
	probe := time.NewTimer(probeEvery)
	defer probe.Stop()
	for {
		for _, w := range r.all() {
			if !r.follows[w] && !r.begin(w) {
				r.wire.leave() // another server may be better
				return
			}
		}
		if r.tidy(); len(r.follows) == 0 && len(r.all()) == 0 {
			return
		}
		if paths := r.take(); len(paths) > 0 && !r.refresh(paths) {
			r.wire.leave()
			return
		}
		select {
		case <-life.Done():
			return
		case <-r.wire.closed:
			return
		case <-r.wake:
		case <-probe.C:
			if time.Since(r.wire.lastProof()) >= probeEvery {
				ctx, cancel := context.WithTimeout(life, patience)
				err := r.wire.askOne(ctx, syncing(r.store.keys.root))
				cancel()
				if err != nil {
					r.wire.leave()
					return
				}
			}
			for w := range r.follows {
				w.box.HeardAt(r.wire.lastProof())
			}
			probe.Reset(time.Until(r.wire.lastProof().Add(probeEvery)))
		}
	}
}

// begin has the server follow a watch's directory, and then reads everything:
// what changes meanwhile is told twice and not never. It returns false if the
// connection is of no use.
func (r *round) begin(w *watch) bool {
	s := r.store
	ctx, cancel := w.context()
	defer cancel()
	got, err := r.everything(r.onward(ctx), w)
	switch {
	case err == nil:
		w.box.Reset(got.sorted())
		w.begun(nil)
		r.follows[w] = true
		return true
	case w.ctx.Err() != nil: // closed
		return true
	case errors.Is(err, errBroken) || w.started && refusal(err) != store.ErrPermission:
		return false
	}
	if err = s.readError(err); w.started {
		w.box.End(err)
	}
	w.begun(err)
	r.remove(w)
	return true
}

func (r *round) everything(ctx context.Context, w *watch) (found, error) {
	first := []ask{barrier(r.store.keys.root)}
	if !r.classic && !r.armed[w.path] {
		first = append(first, arming(w.path))
	}
	// A server without a leader answers everything but this.
	inTime, cancel := context.WithTimeout(ctx, r.store.timeout)
	defer cancel()
	replies, err := r.wire.ask(inTime, first...)
	for _, reply := range replies {
		if err == nil && !errors.Is(reply.err, zk.ErrNoNode) {
			err = reply.err
		}
	}
	if err != nil {
		return found{}, err
	}
	if !r.classic {
		r.armed[w.path] = true
		return r.store.visit(ctx, r.wire, nil, []string{w.path}, nil)
	}
	known := map[string]bool{}
	got, err := r.visit(ctx, []string{w.path}, known)
	if err != nil {
		return found{}, err
	}
	// What is new to us is new to the other watches, which will not be told of
	// it again.
	news := found{absent: got.absent}
	for _, e := range got.entries {
		if !r.known[r.store.keys.key(e.Key)] {
			news.entries = append(news.entries, e)
		}
	}
	maps.Copy(r.known, known)
	for _, path := range got.absent {
		delete(r.known, path)
	}
	r.tell(news)
	return got, nil
}

// visit is the store's visit, with a wait for directories that are watched and
// absent.
func (r *round) visit(ctx context.Context, paths []string, known map[string]bool) (found, error) {
	got, err := r.store.visit(ctx, r.wire, nil, paths, known)
	if err != nil || !r.classic {
		return got, err
	}
	for _, path := range got.absent {
		if !slices.ContainsFunc(r.all(), func(w *watch) bool { return w.path == path }) {
			continue // the directory in which it was tells of its return
		}
		switch err := r.wire.askOne(ctx, isThere(path, true)); {
		case err == nil:
			r.event(path) // it is back already
		case !errors.Is(err, zk.ErrNoNode):
			return got, err
		}
	}
	return got, nil
}

// refresh reads what is told to have changed. It returns false if the
// connection is of no use.
func (r *round) refresh(paths []string) bool {
	got, err := r.visit(r.onward(r.store.running.Context()), paths, r.known)
	if err == nil {
		r.tell(got)
		return true
	}
	if refusal(err) == nil || len(paths) == 1 {
		return r.forbidden(paths, err)
	}
	for _, path := range paths { // to find out which it is
		if !r.refresh([]string{path}) {
			return false
		}
	}
	return true
}

// forbidden ends the watches that must not read what they follow any more.
func (r *round) forbidden(paths []string, err error) bool {
	if refusal(err) != store.ErrPermission {
		return false
	}
	for w := range r.follows {
		if w.covers(paths[0]) {
			w.box.End(r.store.readError(err))
			r.remove(w)
		}
	}
	return true
}

// tell tells the watches what a read has shown. What was absent may have been
// found later, and not the other way round.
func (r *round) tell(got found) {
	paths := make([]string, len(got.entries))
	for i, e := range got.entries {
		paths[i] = r.store.keys.key(e.Key)
	}
	for w := range r.follows {
		var changes []watchbuf.Change
		for _, path := range got.absent {
			if key, isKey := r.store.keys.name(path); isKey && w.covers(path) {
				changes = append(changes, watchbuf.Change{Entry: store.Entry{Key: key}, Deleted: true})
			}
		}
		for i, e := range got.entries {
			if w.covers(paths[i]) {
				e.Value = bytes.Clone(e.Value) // each reader may do with it what it likes
				changes = append(changes, watchbuf.Change{Entry: e})
			}
		}
		if len(changes) > 0 {
			w.box.Apply(changes)
		}
	}
}

// tidy forgets the watches that have been closed.
func (r *round) tidy() {
	needed, gone := map[string]bool{}, false
	open := map[*watch]bool{}
	for _, w := range r.all() {
		open[w], needed[w.path] = true, true
	}
	for w := range r.follows {
		if !open[w] {
			delete(r.follows, w)
			gone = true
		}
	}
	for path := range r.armed {
		if !needed[path] {
			delete(r.armed, path)
			r.wire.begin([]ask{disarming(path)}, 0, nil) // if it is lost, so is the connection
		}
	}
	if gone {
		for path := range r.known {
			if !covered(open, path) {
				delete(r.known, path)
			}
		}
	}
}

func covered(watches map[*watch]bool, path string) bool {
	for w := range watches {
		if w.covers(path) {
			return true
		}
	}
	return false
}

// covers reports whether a path is a watch's directory or below it.
func (w *watch) covers(path string) bool {
	rest, ok := strings.CutPrefix(path, w.path)
	return ok && (rest == "" || rest[0] == '/')
}
