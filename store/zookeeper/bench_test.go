package zookeeper

import (
	"fmt"
	"testing"

	"github.com/elasticjob-go/elastic/conformance/servers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// fill makes keys of a few hundred bytes in directories of a hundred.
func fill(b *testing.B, s *driver, keys int) {
	b.Helper()
	value := make([]byte, 300)
	for i := 0; i < keys; {
		var txn store.Txn
		for ; i < keys && len(txn.Do) < 100; i++ {
			txn.Do = append(txn.Do, store.Create(fmt.Sprintf("jobs/%03d/shards/%d", i/100, i), value))
		}
		storetest.Commit(b, s, txn)
	}
}

// What a process waits for at its start: the content of a prefix with 10,000 keys.
func BenchmarkFirstContentOf10000Keys(b *testing.B) {
	z := server(b)
	ns := storetest.Namespace()
	s := openAt(b, z.Addr(), ns)
	fill(b, s, 10_000)
	for name, params := range map[string]string{"persistent": "", "classic": "?watch=classic"} {
		b.Run(name, func(b *testing.B) {
			s := openAt(b, z.Addr(), ns+params)
			for b.Loop() {
				w, err := s.Watch(b.Context(), "jobs")
				if err != nil {
					b.Fatal(err)
				}
				u, err := w.Next(b.Context())
				if err != nil || len(u.Entries) != 10_000 {
					b.Fatalf("%d keys, %v", len(u.Entries), err)
				}
				w.Close()
			}
		})
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

// How long the keys of a dead process live, with ticks of two seconds as ZooKeeper has them by default.
func BenchmarkFailover(b *testing.B) {
	z := server(b, "tickTime=2000")
	ns := storetest.Namespace()
	storetest.Failover(b, store.DefaultTTL, openAt(b, z.Addr(), ns), func() (store.Store, func()) {
		p := servers.StartProxy(b, z.Addr())
		return openAt(b, p.Addr(), ns), func() { p.Hold(servers.Both) }
	})
}
