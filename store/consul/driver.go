package consul

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// driver is a namespace of a Consul data centre.
type driver struct {
	hosts  *hosts
	token  *token
	layout layout
	caps   store.Caps

	// namespace and partition of Consul Enterprise, which transactions name in each operation.
	namespace, partition string

	// Fixed but for tests.
	timeout              time.Duration // of what no caller bounds
	wait                 time.Duration // see wait
	probeEvery, patience time.Duration // see probeEvery
	silence              time.Duration // see silence
	leaderEvery          time.Duration // see leaderEvery

	index  atomic.Uint64 // the highest that Consul has told us
	lastly atomic.Int64  // when Consul was heard of last, counted from epoch

	ctx    context.Context // ends with the store
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine of the store

	mu       sync.Mutex
	closed   bool
	sessions map[*session]bool
	watches  map[*watch]bool
	probing  bool
}

// Consul's own limits: 128 operations, of which the guard takes one and each key up to two (what must hold for it, and the
// write); 512 KiB for the body of a request, which is JSON with the values in base64 (4/3), and in which each key
// appears up to twice. So 63 keys of the longest, twice, with the longest namespace, leave 270 KiB for their values.
// Names that must be escaped take up to three times their size; a body that is too large for that is refused before it
// is sent, see plan.size.
const (
	maxOps   = 63
	maxValue = 256 << 10
	maxTxn   = 320 << 10
	maxBody  = 512 << 10
)

// maxTTL is Consul's.
const maxTTL = 24 * time.Hour

// capsFor says what a server can do that grants sessions from a TTL on, to a store whose sessions have another by default.
func capsFor(least, ttl time.Duration) store.Caps {
	if ttl <= 0 {
		ttl = store.DefaultTTL
	}
	return store.Caps{
		Driver:         "consul",
		StrongVersions: true,
		AtomicList:     true,
		AtomicWatch:    true,
		MaxOps:         maxOps,
		MaxValue:       maxValue,
		MaxTxn:         maxTxn,
		MinTTL:         least,
		MaxTTL:         maxTTL,
		// Consul ends a session when twice its TTL has passed (structs.SessionTTLMultiplier), by a commit like any other.
		ExpiryLag: min(max(ttl, least), maxTTL) + time.Second,
	}
}

// Caps tells what Consul can do.
func (s *driver) Caps() store.Caps { return s.caps }

// Close ends sessions and watches, then the connections.
func (s *driver) Close(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	sessions, watches := keys(s.sessions), keys(s.watches)
	s.mu.Unlock()
	if !first {
		s.wg.Wait()
		return nil
	}
	for _, w := range watches {
		w.Close()
	}
	farewells := make([]error, len(sessions))
	var wg sync.WaitGroup
	for i, n := range sessions {
		wg.Go(func() { farewells[i] = n.Close(ctx) })
	}
	wg.Wait()
	s.cancel()
	s.wg.Wait()
	s.hosts.closeIdle()
	return errors.Join(farewells...)
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

// adopt starts a session's goroutines, unless the store is closed.
func (s *driver) adopt(n *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.sessions[n] = true
	s.wg.Go(n.renew)
	s.wg.Go(func() { n.life.Watch(n.ttl) })
	return true
}

func (s *driver) forget(n *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, n)
}

var epoch = time.Now()

// heard takes note of an answer of a host, which is a sign of life of the leader.
func (s *driver) heard(h *host) {
	now := int64(time.Since(epoch))
	raise(&h.answered, now)
	raise(&s.lastly, now)
}

// quietFor is how long ago the last sign of life was.
func (s *driver) quietFor() time.Duration { return time.Since(epoch) - time.Duration(s.lastly.Load()) }

// raise sets n to at least v.
func raise(n *atomic.Int64, v int64) {
	for old := n.Load(); old < v && !n.CompareAndSwap(old, v); old = n.Load() {
	}
}

// saw takes note of an index in a reply: whatever is sent from now on is applied at a higher one.
func (s *driver) saw(index uint64) {
	for old := s.index.Load(); old < index && !s.index.CompareAndSwap(old, index); old = s.index.Load() {
	}
}
