package zookeeper

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// ttl is the shortest session that the test servers grant but one, so that a
// renewal has some room on a busy machine.
const ttl = 2 * time.Second

func TestMain(m *testing.M) { storetest.Main(m) }

// server starts a ZooKeeper for one test.
func server(t testing.TB, config ...string) *testservers.ZooKeeper {
	t.Helper()
	return testservers.StartZooKeeper(t, config...)
}

// backend is the driver with a server, to the claims that hold for all that
// have one.
func backend(z *testservers.ZooKeeper) storetest.Backend {
	return storetest.Backend{
		Server: z, TTL: ttl,
		Open: func(t testing.TB, addrs, namespace string) store.Store { return openAt(t, addrs, namespace) },
	}
}

func guardOf(n store.Session) int64 { return int64(n.(*session).guard.Load()) }

// openAt opens a store at some addresses under a namespace.
func openAt(t testing.TB, addrs, namespace string) *client {
	t.Helper()
	return storetest.MustOpen(t, "zookeeper://"+addrs+"/"+namespace).Driver().(*client)
}

func newSession(t *testing.T, s store.Store) *session {
	t.Helper()
	return storetest.Session(t, s, ttl).(*session)
}
