package zookeeper

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// readerTTL is that of the session that reads and watches, which nothing is kept alive by: a connection that is silent
// for a third of it is given up.
const readerTTL = store.DefaultTTL

// driver is a namespace of a ZooKeeper ensemble.
type driver struct {
	hosts   ensemble
	layout  layout
	caps    store.Caps
	timeout time.Duration // of what no caller bounds

	ctx    context.Context // ends with the store
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine of the store

	mu       sync.Mutex
	closed   bool
	reader   *link // for reads, watches, and transactions without a session; another when its session has ended
	sessions map[*session]bool
	feed     feed
}

func newStore(h ensemble, l layout, c store.Caps) *driver {
	s := &driver{hosts: h, layout: l, caps: c, timeout: store.DefaultRequestTimeout, sessions: map[*session]bool{}}
	s.feed = feed{store: s, wake: make(chan struct{}, 1), watches: map[*watch]bool{}, dirty: map[string]bool{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// capsOf are what servers can do that grant TTLs within bounds. ZooKeeper's own limit is 1 MiB for a request. In the
// worst case each byte of a key is written as three, each key is prefixed with a namespace of maxNamespace bytes,
// and each operation takes 60 bytes besides: 127 × (2 × 900 + 400 + 60) bytes more than what MaxTxn counts, which
// is 287 KB. There is no limit on operations.
func capsOf(minTTL, maxTTL time.Duration) store.Caps {
	return store.Caps{
		Driver:   "zookeeper",
		MaxOps:   127,
		MaxValue: 640 << 10,
		MaxTxn:   704 << 10,
		MinTTL:   minTTL,
		MaxTTL:   maxTTL,
		// Sessions expire at ticks. Unless configured otherwise, the bounds are 2 and 20 of them.
		ExpiryLag: max(minTTL/2, maxTTL/20),
	}
}

// Caps tells what ZooKeeper can do.
func (s *driver) Caps() store.Caps { return s.caps }

// Close ends sessions and watches, then the connection.
func (s *driver) Close(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	sessions, reader := keys(s.sessions), s.reader
	s.mu.Unlock()
	if !first {
		s.wg.Wait()
		return nil
	}
	for _, w := range s.feed.all() {
		w.Close()
	}
	farewells := make([]error, len(sessions))
	var wg sync.WaitGroup
	for i, n := range sessions {
		wg.Go(func() { farewells[i] = n.Close(ctx) })
	}
	if reader != nil {
		wg.Go(func() { s.dismiss(ctx, reader) })
	}
	wg.Wait()
	s.cancel()
	s.wg.Wait()
	return errors.Join(farewells...)
}

// dismiss ends the reader. There is nothing in its session; it dies by itself if the server can't be told now.
func (s *driver) dismiss(ctx context.Context, reader *link) {
	if reader.current() == nil {
		reader.end(errAbandoned)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	reader.leave(ctx)
}

func keys[T any](set map[*T]bool) []*T {
	var all []*T
	for k := range set {
		all = append(all, k)
	}
	return all
}

func (s *driver) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// spawn runs f in a goroutine that Close waits for, unless the store is closed.
func (s *driver) spawn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Go(f)
	return true
}

// dial begins a link. mu is held.
func (s *driver) dial(l *link, ttl time.Duration) error {
	if s.closed {
		return store.ErrClosed
	}
	run, err := newLink(l, ttl)
	if err == nil {
		s.wg.Go(run)
	}
	return err
}

// connection returns the reader and its wire, once there is one.
func (s *driver) connection(ctx context.Context) (*link, *wire, error) {
	for {
		s.mu.Lock()
		var err error
		if s.reader == nil || s.reader.ctx.Err() != nil {
			s.reader = &link{hosts: s.hosts, idly: true, onEvent: s.feed.event, onRenewed: func(time.Time, time.Duration) {}}
			err = s.dial(s.reader, min(max(readerTTL, s.caps.MinTTL), s.caps.MaxTTL))
		}
		l := s.reader
		if err != nil {
			s.reader = nil
		}
		s.mu.Unlock()
		if err != nil {
			return nil, nil, err
		}
		w, err := l.ready(ctx)
		if err == nil {
			return l, w, nil
		}
		if ctx.Err() != nil || s.isClosed() {
			return nil, nil, err
		}
	}
}

// adopt takes a session on, unless the store is closed.
func (s *driver) adopt(n *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.sessions[n] = true
	s.wg.Go(n.watch)
	return true
}

func (s *driver) forget(n *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, n)
}
