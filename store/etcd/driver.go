package etcd

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/store"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// driver is a namespace of an etcd cluster.
type driver struct {
	client *clientv3.Client
	kv     pb.KVClient // the client library's connection without its layers
	leases pb.LeaseClient
	lines  *lines
	layout layout

	// Fixed but for tests.
	timeout              time.Duration // of what no caller bounds
	page                 int           // see page
	probeEvery, patience time.Duration // see probeEvery

	revision atomic.Int64 // the highest that the server has told us

	ctx    context.Context // ends with the store
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine of the store

	mu       sync.Mutex
	closed   bool
	sessions map[*session]bool
	watches  map[*watch]bool
	probing  bool
}

func newStore(client *clientv3.Client, lines *lines, l layout, ctx context.Context, cancel context.CancelFunc) *driver {
	conn := client.ActiveConnection()
	return &driver{
		client: client, kv: pb.NewKVClient(conn), leases: pb.NewLeaseClient(conn), lines: lines, layout: l,
		timeout: store.DefaultRequestTimeout, page: page, probeEvery: probeEvery, patience: patience,
		ctx: ctx, cancel: cancel, sessions: map[*session]bool{}, watches: map[*watch]bool{},
	}
}

// caps: etcd's own limits are 128 operations, of which the guard takes one, and 1.5 MiB for a request, in which a key
// may appear as a condition, in the write and in the read of its reason.
var caps = store.Caps{
	Driver:         "etcd",
	StrongVersions: true,
	AtomicList:     true,
	AtomicWatch:    true,
	MaxOps:         127,
	MaxValue:       1 << 20,
	MaxTxn:         1<<20 + 64<<10,
	MinTTL:         time.Second,
	MaxTTL:         24 * time.Hour,
	// A lease is looked at every half second, and its revocation is a commit like any other.
	ExpiryLag: time.Second,
}

// Caps tells what etcd can do.
func (s *driver) Caps() store.Caps { return caps }

// Close ends sessions and watches, then the connection.
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
	s.client.Close()
	s.wg.Wait()
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

// saw takes note of the revision in a reply: whatever is sent from now on is applied at a higher one.
func (s *driver) saw(revision int64) { raise(&s.revision, revision) }

// raise sets n to at least v.
func raise(n *atomic.Int64, v int64) {
	for old := n.Load(); old < v && !n.CompareAndSwap(old, v); old = n.Load() {
	}
}
