package zookeeper

import (
	"testing"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

func BenchmarkFirstContentOf10000Keys(b *testing.B) {
	z := server(b)
	ns := storetest.Namespace()
	storetest.Fill(b, openAt(b, z.Addr(), ns), 10_000)
	for name, params := range map[string]string{"persistent": "", "classic": "?watch=classic"} {
		b.Run(name, func(b *testing.B) { storetest.FirstContent(b, openAt(b, z.Addr(), ns+params), "jobs", 10_000) })
	}
}

func BenchmarkGet(b *testing.B) {
	s := openAt(b, server(b).Addr(), storetest.Namespace())
	storetest.Commit(b, s, storetest.Do(store.Create("k", make([]byte, 300))))
	for b.Loop() {
		if _, err := s.Get(b.Context(), "k"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	s := openAt(b, server(b).Addr(), storetest.Namespace())
	n, err := s.NewSession(b.Context(), store.SessionOptions{})
	if err != nil {
		b.Fatal(err)
	}
	storetest.Commit(b, s, storetest.Do(store.Create("k", nil)))
	value := make([]byte, 300)
	for b.Loop() {
		if _, err := s.Commit(b.Context(), store.Txn{Session: n, Do: []store.Op{store.Set("k", value)}}); err != nil {
			b.Fatal(err)
		}
	}
}

// How long the keys of a dead process live, with ticks of two seconds as
// ZooKeeper has them by default.
func BenchmarkFailover(b *testing.B) {
	z := server(b, "tickTime=2000")
	ns := storetest.Namespace()
	storetest.Failover(b, store.DefaultTTL, openAt(b, z.Addr(), ns), func() (store.Store, func()) {
		p := testservers.StartProxy(b, z.Addr())
		return openAt(b, p.Addr(), ns), func() { p.Hold(testservers.Both) }
	})
}
