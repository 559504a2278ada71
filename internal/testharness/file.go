package testharness

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// File is the harness of the file store, with fsync or without.
func File(fsync bool) conformance.Harness { return files{fsync} }

type files struct{ fsync bool }

func (h files) New(t testing.TB) conformance.Namespace {
	url := "file://" + t.TempDir()
	if !h.fsync {
		url += "?fsync=off"
	}
	return &directory{url: url}
}

func (files) Lacks() map[conformance.Fault]string {
	return map[conformance.Fault]string{
		conformance.Pause:       "the server is in the process of its clients",
		conformance.Clusters:    "there is one machine",
		conformance.Credentials: "the file system asks for them; store/file's own tests do",
	}
}

// directory is one directory. The server is in the process of its clients, so a
// restart also restarts them. The stores that the suite holds survive it, by
// continuing with a new client.
type directory struct {
	url string

	restarting sync.RWMutex // held by Restart while there is no server
	mu         sync.Mutex
	phoenixes  map[*phoenix]bool
}

// embedded has the methods of a file store's client beside those of a store:
// those of the memory store with its content.
type embedded interface {
	hooked
	Cut()
	Heal()
	Crash()
	Server() *memory.Server
}

func embeddedIn(s store.Store) embedded { return s.(*store.Portable).Driver().(embedded) }

func (n *directory) Open(t testing.TB) store.Store {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := &phoenix{ns: n}
	p.connect(t)
	if n.phoenixes == nil {
		n.phoenixes = map[*phoenix]bool{}
	}
	n.phoenixes[p] = true
	return p
}

func (n *directory) server() *memory.Server {
	n.mu.Lock()
	defer n.mu.Unlock()
	for p := range n.phoenixes {
		return embeddedIn(p.client).Server()
	}
	panic("no store is open")
}

func (n *directory) ExpireSession(_ testing.TB, id string) { n.server().ExpireSession(id) }
func (n *directory) Compact(testing.TB)                    { n.server().Compact() }
func (n *directory) Cut(_ testing.TB, s store.Store)       { embeddedIn(s.(*phoenix).now()).Cut() }
func (n *directory) Heal(_ testing.TB, s store.Store)      { embeddedIn(s.(*phoenix).now()).Heal() }
func (n *directory) Budget() conformance.Budget            { return memoryBudget }

func (n *directory) Wire(_ testing.TB, s store.Store) conformance.Wire {
	return newMemoryWire(embeddedIn(s.(*phoenix).now()))
}

// Restart kills every client, as a crash of the process does, and opens the
// directory again.
func (n *directory) Restart(t testing.TB) {
	n.restarting.Lock()
	defer n.restarting.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for p := range n.phoenixes {
		embeddedIn(p.client).Crash()
		p.client.Close(ctx) // with an error: it can't end its sessions
	}
	for p := range n.phoenixes {
		p.connect(t)
	}
}

// phoenix is a store that continues with a new client when its client ends.
type phoenix struct {
	ns     *directory
	client store.Store // ns.restarting guards it
}

func (p *phoenix) connect(t testing.TB) {
	c, err := store.Open(context.Background(), p.ns.url)
	if err != nil {
		t.Fatalf("open %s: %v", p.ns.url, err)
	}
	p.client = c
}

func (p *phoenix) now() store.Store {
	p.ns.restarting.RLock()
	defer p.ns.restarting.RUnlock()
	return p.client
}

func (p *phoenix) Get(ctx context.Context, key string) (store.Entry, error) {
	return p.now().Get(ctx, key)
}

func (p *phoenix) List(ctx context.Context, prefix string) ([]store.Entry, error) {
	return p.now().List(ctx, prefix)
}

func (p *phoenix) Digest(ctx context.Context, prefix string) (store.Digest, error) {
	return p.now().(store.Digester).Digest(ctx, prefix)
}

func (p *phoenix) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	return p.now().Commit(ctx, t)
}

func (p *phoenix) NewSession(ctx context.Context, o store.SessionOptions) (store.Session, error) {
	return p.now().NewSession(ctx, o)
}

func (p *phoenix) Caps() store.Caps { return p.now().Caps() }

func (p *phoenix) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	c := p.now()
	w, err := c.Watch(ctx, prefix)
	if err != nil {
		return nil, err
	}
	return &rebornWatch{store: p, client: c, prefix: prefix, watch: w}, nil
}

func (p *phoenix) Close(ctx context.Context) error {
	err := p.now().Close(ctx)
	p.ns.mu.Lock()
	defer p.ns.mu.Unlock()
	delete(p.ns.phoenixes, p)
	return err
}

// rebornWatch is a watch that continues with the next client. Its first Update
// there is a Reset.
type rebornWatch struct {
	store  *phoenix
	client store.Store // only Next uses it
	prefix string

	mu     sync.Mutex
	watch  store.Watch
	closed bool
}

func (w *rebornWatch) Next(ctx context.Context) (store.Update, error) {
	for {
		w.mu.Lock()
		watch, closed := w.watch, w.closed
		w.mu.Unlock()
		u, err := watch.Next(ctx)
		c := w.store.now()
		if closed || c == w.client || !errors.Is(err, store.ErrClosed) {
			return u, err
		}
		next, err := c.Watch(ctx, w.prefix)
		if err != nil {
			return store.Update{}, err
		}
		w.mu.Lock()
		w.client, w.watch = c, next
		if w.closed {
			next.Close()
		}
		w.mu.Unlock()
	}
}

func (w *rebornWatch) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	return w.watch.Close()
}
