package conformance

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// bent is a store with some methods replaced.
type bent struct {
	store.Store
	get        func(ctx context.Context, key string) (store.Entry, error)
	list       func(ctx context.Context, prefix string) ([]store.Entry, error)
	digest     func(ctx context.Context, prefix string) (store.Digest, error)
	commit     func(ctx context.Context, t store.Txn) (store.Result, error)
	newSession func(ctx context.Context, o store.SessionOptions) (store.Session, error)
	watch      func(ctx context.Context, prefix string) (store.Watch, error)
	caps       *store.Caps
}

func (b bent) Get(ctx context.Context, key string) (store.Entry, error) {
	if b.get == nil {
		return b.Store.Get(ctx, key)
	}
	return b.get(ctx, key)
}

func (b bent) List(ctx context.Context, prefix string) ([]store.Entry, error) {
	if b.list == nil {
		return b.Store.List(ctx, prefix)
	}
	return b.list(ctx, prefix)
}

func (b bent) Digest(ctx context.Context, prefix string) (store.Digest, error) {
	if b.digest == nil {
		return b.Store.(store.Digester).Digest(ctx, prefix)
	}
	return b.digest(ctx, prefix)
}

func (b bent) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	if ss, ok := t.Session.(*bentSession); ok {
		t.Session = ss.Session
	}
	if b.commit == nil {
		return b.Store.Commit(ctx, t)
	}
	return b.commit(ctx, t)
}

func (b bent) NewSession(ctx context.Context, o store.SessionOptions) (store.Session, error) {
	if b.newSession == nil {
		return b.Store.NewSession(ctx, o)
	}
	return b.newSession(ctx, o)
}

func (b bent) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	if b.watch == nil {
		return b.Store.Watch(ctx, prefix)
	}
	return b.watch(ctx, prefix)
}

func (b bent) Caps() store.Caps {
	if b.caps == nil {
		return b.Store.Caps()
	}
	return *b.caps
}

// bentSession is a session whose Done or Close is replaced.
type bentSession struct {
	store.Session
	done  chan struct{}
	close func(ctx context.Context) error
}

func bendSessions(c *memory.Client, bend func(ss *bentSession)) store.Store {
	return bent{Store: c, newSession: func(ctx context.Context, o store.SessionOptions) (store.Session, error) {
		inner, err := c.NewSession(ctx, o)
		if err != nil {
			return nil, err
		}
		ss := &bentSession{Session: inner, done: make(chan struct{})}
		bend(ss)
		return ss, nil
	}}
}

func (ss *bentSession) Done() <-chan struct{} {
	if ss.done == nil {
		return ss.Session.Done()
	}
	return ss.done
}

func (ss *bentSession) Close(ctx context.Context) error {
	if ss.close == nil {
		return ss.Session.Close(ctx)
	}
	return ss.close(ctx)
}

// bentWatch passes each update through a filter, and drops it if that returns
// false.
type bentWatch struct {
	store.Watch
	filter func(u store.Update) (store.Update, bool)
}

func bendWatches(filter func(u store.Update) (store.Update, bool)) func(c *memory.Client) store.Store {
	return func(c *memory.Client) store.Store {
		return bent{Store: c, watch: func(ctx context.Context, prefix string) (store.Watch, error) {
			w, err := c.Watch(ctx, prefix)
			return bentWatch{w, filter}, err
		}}
	}
}

func (w bentWatch) Next(ctx context.Context) (store.Update, error) {
	for {
		u, err := w.Watch.Next(ctx)
		if err != nil {
			return u, err
		}
		if u, ok := w.filter(u); ok {
			return u, nil
		}
	}
}

// echo delivers each update twice.
type echo struct {
	store.Watch
	last  store.Update
	again bool
}

func (w *echo) Next(ctx context.Context) (u store.Update, err error) {
	if w.again {
		w.again = false
		return w.last, nil
	}
	w.last, err = w.Watch.Next(ctx)
	w.again = err == nil && !w.last.Reset
	return w.last, err
}

// careless fetches in the background and drops an update if its reader has
// stopped to wait.
type careless struct{ store.Watch }

func (w careless) Next(ctx context.Context) (store.Update, error) {
	got := make(chan store.Update)
	fetch, cancel := context.WithCancel(context.Background())
	var err error
	go func() {
		var u store.Update
		u, err = w.Watch.Next(fetch)
		time.Sleep(200 * time.Microsecond)
		select {
		case got <- u:
		case <-ctx.Done():
		}
		close(got)
	}()
	select {
	case u := <-got:
		cancel()
		return u, err
	case <-ctx.Done():
		cancel()
		for range got {
		}
		return store.Update{}, ctx.Err()
	}
}

// fragile closes the watch when a Next is given up.
type fragile struct{ store.Watch }

func (w fragile) Next(ctx context.Context) (store.Update, error) {
	u, err := w.Watch.Next(ctx)
	if err != nil && ctx.Err() != nil {
		w.Watch.Close()
	}
	return u, err
}

// pile keeps every update until it is read.
type pile struct {
	store.Watch
	mu      sync.Mutex
	updates []store.Update
	err     error
}

func newPile(w store.Watch) *pile {
	p := &pile{Watch: w}
	go func() {
		for p.err == nil {
			u, err := w.Next(context.Background())
			p.mu.Lock()
			p.updates, p.err = append(p.updates, u), err
			p.mu.Unlock()
		}
	}()
	return p
}

func (p *pile) Next(ctx context.Context) (store.Update, error) {
	for ctx.Err() == nil {
		p.mu.Lock()
		if len(p.updates) > 0 {
			u := p.updates[0]
			last := len(p.updates) == 1
			p.updates = p.updates[1:]
			err := p.err
			p.mu.Unlock()
			if last && err != nil {
				return u, err
			}
			return u, nil
		}
		p.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	return store.Update{}, ctx.Err()
}

// race returns the result of f, or an error at the end of ctx while f goes on.
func race(ctx context.Context, f func() (store.Result, error), otherwise error) (store.Result, error) {
	type answer struct {
		r   store.Result
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		r, err := f()
		answers <- answer{r, err}
	}()
	select {
	case a := <-answers:
		return a.r, a.err
	case <-ctx.Done():
		return store.Result{}, fmt.Errorf("%w: %w", otherwise, ctx.Err())
	}
}
