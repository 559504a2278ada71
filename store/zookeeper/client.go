package zookeeper

import (
	"context"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/closer"
)

// readerTTL is that of the session that reads and watches, which nothing is
// kept alive by: a connection that is silent for a third of it is given up.
const readerTTL = store.DefaultTTL

// client is a store: a namespace of a ZooKeeper ensemble.
type client struct {
	hosts   ensemble
	keys    keyspace
	caps    store.Caps
	timeout time.Duration // of what no caller bounds

	running *closer.Set[*watch]
	feed    feed

	mu     sync.Mutex
	reader *link // for reads, watches, and transactions without a session; another when its session has ended
}

func newStore(h ensemble, keys keyspace, c store.Caps) *client {
	s := &client{hosts: h, keys: keys, caps: c, timeout: store.DefaultRequestTimeout, running: closer.New[*watch]()}
	s.feed = feed{store: s, wake: make(chan struct{}, 1), dirty: map[string]bool{}}
	return s
}

// capsOf are what servers can do that grant TTLs within bounds. ZooKeeper's own
// limit is 1 MiB for a request. In the worst case each byte of a key is written
// as three, each key is prefixed with a namespace of maxNamespace bytes, and
// each operation takes 60 bytes besides: 256 × (2 × 900 + 400 + 60) bytes more
// than what MaxTxn counts, which is 579 KB. There is no limit on operations;
// more of them would leave less for values.
func capsOf(minTTL, maxTTL time.Duration) store.Caps {
	return store.Caps{
		Driver:   "zookeeper",
		MaxOps:   256,
		MaxValue: 440 << 10,
		MaxTxn:   456 << 10,
		MinTTL:   minTTL,
		MaxTTL:   maxTTL,
		// Sessions expire at ticks. Unless configured otherwise, the bounds are
		// 2 and 20 of them.
		ExpiryLag: max(minTTL/2, maxTTL/20),
	}
}

// Caps tells what ZooKeeper can do.
func (s *client) Caps() store.Caps { return s.caps }

// Close ends sessions and watches, then the connection.
func (s *client) Close(ctx context.Context) error {
	defer s.hosts.dialer.Close()
	return s.running.Close(ctx, s.dismiss)
}

// dismiss ends the reader. There is nothing in its session; it dies by itself
// if the server can't be told now.
func (s *client) dismiss(ctx context.Context) error {
	s.mu.Lock()
	reader := s.reader
	s.mu.Unlock()
	switch {
	case reader == nil:
	case reader.current() == nil:
		reader.end(errAbandoned)
	default:
		ctx, cancel := context.WithTimeout(ctx, s.timeout)
		defer cancel()
		reader.leave(ctx)
	}
	return nil
}

// dial begins a link, unless the store is closed.
func (s *client) dial(l *link, ttl time.Duration) error {
	begun := make(chan error, 1)
	begin := func() {
		run, err := newLink(l, ttl)
		begun <- err
		if err == nil {
			run()
		}
	}
	if !s.running.Go(begin) {
		return store.ErrClosed
	}
	return <-begun
}

// connection returns the reader and its wire, once there is one.
func (s *client) connection(ctx context.Context) (*link, *wire, error) {
	for {
		s.mu.Lock()
		var err error
		if s.reader == nil || s.reader.ctx.Err() != nil {
			last := s.reader
			s.reader = &link{hosts: s.hosts, idly: true, onEvent: s.feed.event, onRenewed: func(time.Time, time.Duration) {}}
			if last != nil {
				s.reader.fault = last.lastFault()
			}
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
		if ctx.Err() != nil || s.running.Closed() {
			return nil, nil, err
		}
	}
}
