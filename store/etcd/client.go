package etcd

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/atomicmax"
	"github.com/elasticjob-go/elastic/store/internal/closer"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// client is a store: a namespace of an etcd cluster.
type client struct {
	client *clientv3.Client
	kv     pb.KVClient // the client library's connection without its layers
	leases pb.LeaseClient
	auth   pb.AuthClient

	account *account // nil without a user
	release func()   // of the account
	conns   *conns
	keys    keyspace

	// Fixed but for tests.
	timeout              time.Duration // of what no caller bounds
	page                 int           // see page
	probeEvery, patience time.Duration // see probeEvery

	revision atomic.Int64 // the highest that the server has told us

	running *closer.Set[*watch]
	probing sync.Once // begins with the first watch
}

func newStore(conns *conns, keys keyspace, set *closer.Set[*watch]) *client {
	return &client{
		conns:      conns,
		keys:       keys,
		timeout:    store.DefaultRequestTimeout,
		page:       page,
		probeEvery: probeEvery,
		patience:   patience,
		running:    set,
	}
}

// use gives the store its connection.
func (s *client) use(client *clientv3.Client) {
	conn := client.ActiveConnection()
	s.client = client
	s.kv = pb.NewKVClient(conn)
	s.leases = pb.NewLeaseClient(conn)
	s.auth = pb.NewAuthClient(conn)
}

// caps: etcd's own limits are 128 operations, of which the guard takes one, and
// 1.5 MiB for a request, in which a key may appear as a condition, in the write
// and in the read of its reason.
var caps = store.Caps{
	Driver:         "etcd",
	StrongVersions: true,
	AtomicList:     true,
	AtomicWatch:    true,
	Digest:         true,
	MaxOps:         127,
	MaxValue:       1 << 20,
	MaxTxn:         1<<20 + 64<<10,
	MinTTL:         time.Second,
	MaxTTL:         24 * time.Hour,
	// A lease is looked at every half second, and its revocation is a commit
	// like any other.
	ExpiryLag: time.Second,
}

// Caps tells what etcd can do.
func (s *client) Caps() store.Caps { return caps }

// Close ends sessions and watches, then the connection, which another call of
// Close may still need for its farewells.
func (s *client) Close(ctx context.Context) error {
	err := s.running.Close(ctx)
	if s.running.Context().Err() != nil {
		s.client.Close()
		s.conns.dialer.Close()
		s.release()
	}
	return err
}

// saw takes note of the revision in a reply: whatever is sent from now on is
// applied at a higher one.
func (s *client) saw(revision int64) { atomicmax.Raise(&s.revision, revision) }
