package etcd

import (
	"context"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance/servers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	"google.golang.org/grpc"
)

// ttl is the shortest session that the test servers grant but one, so that a renewal has some room on a busy machine.
const ttl = 2 * time.Second

func TestMain(m *testing.M) { storetest.Main(m) }

// server starts an etcd for one test.
func server(t testing.TB, args ...string) *servers.Etcd {
	t.Helper()
	return servers.StartEtcd(t, args...)
}

// openAt opens a store at an address under a fresh namespace, or a given one.
func openAt(t testing.TB, addr, namespace string, more ...grpc.DialOption) *driver {
	t.Helper()
	s, err := tryOpen(addr, namespace, more...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(storetest.Bounded(t, time.Second)) })
	return s
}

func tryOpen(addr, namespace string, more ...grpc.DialOption) (*driver, error) {
	c, err := store.ParseURL("etcd://" + addr + "/" + namespace)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), storetest.Patience)
	defer cancel()
	return open(ctx, c, more...)
}

func newSession(t *testing.T, s *driver) *session {
	t.Helper()
	n, err := s.NewSession(storetest.Bounded(t, storetest.Patience), store.SessionOptions{TTL: ttl, Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	return n.(*session)
}
