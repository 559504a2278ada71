package zookeeper

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance/servers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// ttl is the shortest session that the test servers grant but one, so that a renewal has some room on a busy machine.
const ttl = 2 * time.Second

func TestMain(m *testing.M) { storetest.Main(m) }

// server starts a ZooKeeper for one test.
func server(t testing.TB, config ...string) *servers.ZooKeeper {
	t.Helper()
	return servers.StartZooKeeper(t, config...)
}

// openAt opens a store at some addresses under a namespace.
func openAt(t testing.TB, addrs, namespace string) *driver {
	t.Helper()
	return storetest.MustOpen(t, "zookeeper://"+addrs+"/"+namespace).Driver().(*driver)
}

// behindProxy opens two stores on a fresh namespace, the first behind a proxy.
func behindProxy(t *testing.T, z *servers.ZooKeeper) (*servers.Proxy, *driver, *driver) {
	t.Helper()
	p := servers.StartProxy(t, z.Addr())
	ns := storetest.Namespace()
	return p, openAt(t, p.Addr(), ns), openAt(t, z.Addr(), ns)
}

func newSession(t *testing.T, s *driver) *session {
	t.Helper()
	n, err := s.NewSession(storetest.Bounded(t, storetest.Patience), store.SessionOptions{TTL: ttl, Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	return n.(*session)
}
