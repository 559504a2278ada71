package all

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/admin/admintest"
	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
)

// servers start a server of each store, and return the URL of a namespace.
var servers = map[string]func(t *testing.T) func(namespace string) string{
	"etcd":      func(t *testing.T) func(string) string { return testservers.StartEtcd(t).URL },
	"zookeeper": func(t *testing.T) func(string) string { return testservers.StartZooKeeper(t).URL },
	"consul":    func(t *testing.T) func(string) string { return testservers.StartConsul(t).URL },
}

// opener returns a function that opens a namespace, which is closed when the
// test ends.
func opener(url func(string) string, namespace string) func(t *testing.T) store.Store {
	return func(t *testing.T) store.Store {
		t.Helper()
		s, err := store.Open(t.Context(), url(namespace))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(context.Background()) })
		return s
	}
}

// The API of package admin holds on every store.
func TestAdmin_OnEveryStore(t *testing.T) {
	var namespaces atomic.Int64
	for scheme, start := range servers {
		t.Run(scheme, func(t *testing.T) {
			url := start(t)
			admintest.Run(t, func(t *testing.T) *admintest.World {
				open := opener(url, fmt.Sprintf("admin%d", namespaces.Add(1)))
				s := open(t)
				a, err := admin.New(s, admin.As("li"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { a.Close(context.Background()) })
				w := &admintest.World{API: a, Open: open}
				if p, ok := s.(*store.Portable); ok {
					w.Counts = p.Counts
				}
				return w
			})
		})
	}
}

// The outcome of an act whose answer was lost is settled on every store.
func TestAdmin_LostReplies(t *testing.T) {
	var namespaces atomic.Int64
	for scheme, start := range servers {
		t.Run(scheme, func(t *testing.T) {
			url := start(t)
			admintest.RunLost(t, func(t *testing.T) store.Store {
				return opener(url, fmt.Sprintf("lost%d", namespaces.Add(1)))(t)
			})
		})
	}
}
