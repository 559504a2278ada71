// Package closer ends the goroutines, sessions and watches of a store when the
// store is closed. Afterwards none can begin.
package closer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// Session is a session that is ended when the store is closed.
type Session interface {
	Close(ctx context.Context) error
}

// Watch is a watch that is closed before that, so that its reader hears of the
// end and not of silence.
type Watch interface {
	comparable
	Close() error
}

// Set holds the open sessions and watches of one store, with watches of the
// driver's own type. It is safe for concurrent use; make it with [New].
type Set[W Watch] struct {
	ctx        context.Context
	cancel     context.CancelFunc
	goroutines sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	sessions map[Session]bool
	watches  map[W]bool
}

// New returns the set of a store in which nothing runs yet.
func New[W Watch]() *Set[W] {
	s := &Set[W]{sessions: map[Session]bool{}, watches: map[W]bool{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Context ends with the store, after its sessions.
func (s *Set[W]) Context() context.Context { return s.ctx }

// Closed reports whether Close was called.
func (s *Set[W]) Closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Go runs f in a goroutine that Close waits for. It returns false, as all that
// begins something does, if the store is closed.
func (s *Set[W]) Go(f func()) bool { return s.begin(func() {}, f) }

// AddSession takes a session in, which Close ends unless it is removed before,
// and runs what it consists of.
func (s *Set[W]) AddSession(n Session, run ...func()) bool {
	return s.begin(func() { s.sessions[n] = true }, run...)
}

// AddWatch takes a watch in, which is closed with the store unless it is
// removed before, and runs what it consists of.
func (s *Set[W]) AddWatch(w W, run ...func()) bool {
	return s.begin(func() { s.watches[w] = true }, run...)
}

func (s *Set[W]) begin(register func(), run ...func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	register()
	for _, f := range run {
		s.goroutines.Go(f)
	}
	return true
}

// RemoveSession forgets a session that has ended, or was never added.
func (s *Set[W]) RemoveSession(n Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, n)
}

// RemoveWatch forgets a watch that was closed, or was never added.
func (s *Set[W]) RemoveWatch(w W) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watches, w)
}

// Watches returns those that are open now.
func (s *Set[W]) Watches() []W {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.watches))
}

// Close closes all watches, ends all sessions and the others at the same time,
// ends the context, and returns when no goroutine is left. It returns the
// errors of the sessions' ends. Only the first call does all that; any other
// waits until it is done: its caller may close what the ends still need.
func (s *Set[W]) Close(ctx context.Context, others ...func(context.Context) error) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	ends := others[:len(others):len(others)]
	for n := range s.sessions {
		ends = append(ends, n.Close)
	}
	s.mu.Unlock()
	defer s.goroutines.Wait()
	if !first {
		<-s.ctx.Done()
		return nil
	}
	for _, w := range s.Watches() {
		w.Close()
	}
	errs := make([]error, len(ends))
	var said sync.WaitGroup
	for i, end := range ends {
		said.Go(func() { errs[i] = end(ctx) })
	}
	said.Wait()
	s.cancel()
	return errors.Join(errs...)
}
