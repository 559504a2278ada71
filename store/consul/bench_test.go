package consul

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	"github.com/hashicorp/consul/api"
)

// fill creates keys below a prefix.
func fill(b *testing.B, s *client, prefix string, n int) {
	b.Helper()
	for i := 0; i < n; {
		var txn store.Txn
		for ; len(txn.Do) < maxOps && i < n; i++ {
			txn.Do = append(txn.Do, store.Create(fmt.Sprintf("%s/%05d", prefix, i), []byte("0123456789012345678901234567890123456789")))
		}
		storetest.Commit(b, s, txn)
	}
}

func BenchmarkFirstContent(b *testing.B) {
	s := openAt(b, server(b).Addr(), storetest.Namespace())
	fill(b, s, "w", 10_000)
	storetest.FirstContent(b, s, "w", 10_000)
}

// BenchmarkChange is how long it takes from the commit of a change below a
// prefix of so many keys until its watcher is told.
func BenchmarkChange(b *testing.B) {
	c := server(b)
	for _, keys := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprintf("of one key in %d", keys), func(b *testing.B) {
			s := openAt(b, c.Addr(), storetest.Namespace())
			fill(b, s, "w", keys)
			w, err := s.Watch(b.Context(), "w")
			if err != nil {
				b.Fatal(err)
			}
			for range 2 { // the first content, and whatever came with it
				w.Next(storetest.Bounded(b, time.Second))
			}
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				v := storetest.Commit(b, s, storetest.Do(store.Set("w/00000", nil)))[0]
				for told := store.Version(0); told != v; {
					u, err := w.Next(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					if len(u.Entries) > 0 {
						told = u.Entries[0].Version
					}
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/change")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func BenchmarkCommit(b *testing.B) {
	c := server(b)
	s, raw := openAt(b, c.Addr(), storetest.Namespace()), admin(b, c)
	n, err := s.NewSession(b.Context(), store.SessionOptions{TTL: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	held := n.(*session)
	for _, keys := range []int{2, maxOps} {
		b.Run(fmt.Sprintf("compare-and-set of %d keys", keys), func(b *testing.B) {
			name := storetest.Namespace() // the benchmark may run several times
			var create store.Txn
			for i := range keys {
				create.Do = append(create.Do, store.Create(fmt.Sprintf("%s/%d", name, i), nil))
			}
			ours := storetest.Commit(b, s, create)
			for i := range create.Do {
				create.Do[i].Key = "raw/" + create.Do[i].Key
			}
			theirs := uint64(storetest.Commit(b, s, create)[0])
			value := make([]byte, 100)
			guard := held.guard.Load()
			storetest.SideBySide(b, func() error {
				txn := store.Txn{Session: held}
				for i := range keys {
					key := fmt.Sprintf("%s/%d", name, i)
					txn.If = append(txn.If, store.At(key, ours[i]))
					txn.Do = append(txn.Do, store.Set(key, value))
				}
				r, err := s.Commit(context.Background(), txn)
				ours = r.Versions
				return err
			}, func() error {
				ops := api.KVTxnOps{{Verb: api.KVCheckIndex, Key: held.marker, Index: guard}}
				for i := range keys {
					ops = append(ops, &api.KVTxnOp{Verb: api.KVCAS, Key: s.keys.key(fmt.Sprintf("raw/%s/%d", name, i)), Index: theirs, Value: value, Flags: newNonce()})
				}
				ok, reply, _, err := raw.KV().Txn(ops, nil)
				if err != nil || !ok {
					return fmt.Errorf("not applied: %v, %w", reply, err)
				}
				theirs = index(reply.Results)
				return nil
			})
		})
	}
}
