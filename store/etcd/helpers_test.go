package etcd

import (
	"context"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	"google.golang.org/grpc"
)

// ttl is the shortest session that the test servers grant but one, so that a
// renewal has some room on a busy machine.
const ttl = 2 * time.Second

func TestMain(m *testing.M) { storetest.Main(m) }

// server starts an etcd for one test.
func server(t testing.TB, args ...string) *testservers.Etcd {
	t.Helper()
	return testservers.StartEtcd(t, args...)
}

// backend is the driver with a server, to the claims that hold for all that
// have one.
func backend(e *testservers.Etcd) storetest.Backend {
	return storetest.Backend{
		Server: e, TTL: ttl,
		Open:   func(t testing.TB, addrs, namespace string) store.Store { return openAt(t, addrs, namespace) },
		Hasten: func(s store.Store) { hasty(s.(*client)) },
	}
}

// lose has a session find out that it is lost.
func lose(n store.Session) { n.(*session).Life.End(store.ErrSessionLost) }

func guardOf(n store.Session) int64 { return int64(n.(*session).guard.Load()) }

// openAt opens a store at an address under a fresh namespace, or a given one.
func openAt(t testing.TB, addr, namespace string, more ...grpc.DialOption) *client {
	t.Helper()
	s, err := tryOpen(addr, namespace, more...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(storetest.Bounded(t, time.Second)) })
	return s
}

func tryOpen(addr, namespace string, more ...grpc.DialOption) (*client, error) {
	c, err := store.ParseURL("etcd://" + addr + "/" + namespace)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), storetest.Patience)
	defer cancel()
	return open(ctx, c, more...)
}

func newSession(t *testing.T, s store.Store) *session {
	t.Helper()
	return storetest.Session(t, s, ttl).(*session)
}
