package etcd

import (
	"testing"

	"github.com/elasticjob-go/elastic/internal/testservers"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// admin is an etcd client of its own, for what an operator or a stranger does.
func admin(t testing.TB, e *testservers.Etcd) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{e.Addr()}, Logger: zap.NewNop(), DialOptions: dialOptions})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
