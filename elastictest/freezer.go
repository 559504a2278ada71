package elastictest

import (
	"context"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// freezer holds a process at the places where it meets the world.
type freezer struct {
	mu     sync.Mutex
	thawed chan struct{} // nil if it is not frozen
	told   chan struct{} // closed when it has learned what else waited; nil if it was never frozen
	since  time.Time     // it is frozen
	before time.Duration // how long it was frozen before that, in all
}

func newFreezer() *freezer { return &freezer{} }

func (f *freezer) freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.thawed == nil {
		f.thawed, f.since = make(chan struct{}), time.Now()
		if f.told == nil {
			f.told = make(chan struct{})
		}
	}
}

func (f *freezer) thaw() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.thawed != nil {
		close(f.thawed)
		f.thawed = nil
		f.before += time.Since(f.since)
	}
}

// tell lets the process learn of the end of its sessions. It comes after all
// else that has waited: that order is the worst for it.
func (f *freezer) tell() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told != nil && f.thawed == nil {
		close(f.told)
		f.told = nil
	}
}

func (f *freezer) frozen() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.thawed != nil
}

// wait returns when the process is not frozen.
func (f *freezer) wait() {
	f.mu.Lock()
	thawed := f.thawed
	f.mu.Unlock()
	if thawed != nil {
		<-thawed
	}
}

// waitTold returns when the process is not frozen, and has learned what else
// waited.
func (f *freezer) waitTold() {
	f.mu.Lock()
	told := f.told
	f.mu.Unlock()
	if told != nil {
		<-told
	}
}

// lost is how long the process was frozen in all, up to now or to the moment in
// which it was frozen last.
func (f *freezer) lost() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.before
}

// freezing is a store whose every call and answer, and the end of whose
// sessions, waits while the process is frozen.
type freezing struct {
	store.Store
	freezer *freezer
}

func (s freezing) Get(ctx context.Context, key string) (store.Entry, error) {
	s.freezer.wait()
	defer s.freezer.wait()
	return s.Store.Get(ctx, key)
}

func (s freezing) List(ctx context.Context, prefix string) ([]store.Entry, error) {
	s.freezer.wait()
	defer s.freezer.wait()
	return s.Store.List(ctx, prefix)
}

// Digest returns a digest of the keys below prefix.
func (s freezing) Digest(ctx context.Context, prefix string) (store.Digest, error) {
	s.freezer.wait()
	defer s.freezer.wait()
	return s.Store.(store.Digester).Digest(ctx, prefix)
}

func (s freezing) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	s.freezer.wait()
	defer s.freezer.wait()
	if own, ok := t.Session.(*freezingSession); ok {
		t.Session = own.Session
	}
	return s.Store.Commit(ctx, t)
}

func (s freezing) NewSession(ctx context.Context, o store.SessionOptions) (store.Session, error) {
	s.freezer.wait()
	defer s.freezer.wait()
	inner, err := s.Store.NewSession(ctx, o)
	if err != nil {
		return nil, err
	}
	own := &freezingSession{Session: inner, done: make(chan struct{})}
	go func() {
		<-inner.Done() // closed at the latest when the client is
		s.freezer.waitTold()
		close(own.done)
	}()
	return own, nil
}

func (s freezing) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	s.freezer.wait()
	defer s.freezer.wait()
	w, err := s.Store.Watch(ctx, prefix)
	if err != nil {
		return nil, err
	}
	return freezingWatch{w, s.freezer}, nil
}

// freezingSession is a session of whose end its process learns only when it is
// not frozen.
type freezingSession struct {
	store.Session
	done chan struct{}
}

func (s *freezingSession) Done() <-chan struct{} { return s.done }

func (s *freezingSession) Err() error {
	select {
	case <-s.done:
		return s.Session.Err()
	default:
		return nil
	}
}

func (s *freezingSession) Deadline() time.Time { return s.Session.Deadline() }

type freezingWatch struct {
	store.Watch
	freezer *freezer
}

func (w freezingWatch) Next(ctx context.Context) (store.Update, error) {
	defer w.freezer.wait()
	return w.Watch.Next(ctx)
}
