package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
)

// Backend is a driver of stores on a network, and a server for one test. What
// holds for every such driver is a function of this package that takes a
// backend, and whose name is the claim; what is particular to a driver is in
// its own tests.
type Backend struct {
	Server Server
	Open   func(t testing.TB, addrs, namespace string) store.Store // closed after the test
	TTL    time.Duration                                           // of a session whose end is waited for
	Hasten func(s store.Store)                                     // makes it look for signs of life more often; nil if there is nothing to make
}

func (b Backend) hasten(s store.Store) {
	if b.Hasten != nil {
		b.Hasten(s)
	}
}

// Server controls a server of a test.
type Server interface {
	Addr() string
	Kill()
	Restart()
	Pause()
	Resume()
}

// Lasting is the TTL of a session that outlives any test.
const Lasting = time.Minute

// Bulk is a value that is larger than anything else that is on its way, so that
// a test sees it in the proxy.
var Bulk = bytes.Repeat([]byte("x"), 10<<10)

// Two opens two stores on a fresh namespace.
func (b Backend) Two(t testing.TB) (s, other store.Store) {
	t.Helper()
	ns := Namespace()
	return b.Open(t, b.Server.Addr(), ns), b.Open(t, b.Server.Addr(), ns)
}

// BehindProxy opens two stores on a fresh namespace, the first behind a proxy.
func (b Backend) BehindProxy(t testing.TB) (p *testservers.Proxy, s, other store.Store) {
	t.Helper()
	p = testservers.StartProxy(t, b.Server.Addr())
	ns := Namespace()
	return p, b.Open(t, p.Addr(), ns), b.Open(t, b.Server.Addr(), ns)
}

// Session starts a session.
func Session(t testing.TB, s store.Store, ttl time.Duration) store.Session {
	t.Helper()
	n, err := s.NewSession(Bounded(t, Patience), store.SessionOptions{TTL: ttl, Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// In is a transaction of a session without conditions.
func In(n store.Session, ops ...store.Op) store.Txn { return store.Txn{Session: n, Do: ops} }

// AwaitBulk waits until a request with a bulky value is held on its way to the
// server.
func AwaitBulk(t testing.TB, p *testservers.Proxy) {
	t.Helper()
	Await(t, "the request to be on its way", func() bool { return p.Held(testservers.ToServer) >= len(Bulk) })
}
