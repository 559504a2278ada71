package etcd

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func BenchmarkCommit(b *testing.B) {
	e := server(b)
	s, raw := openAt(b, e.Addr(), storetest.Namespace()), admin(b, e)
	n, err := s.NewSession(b.Context(), store.SessionOptions{TTL: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	held := n.(*session)
	for _, keys := range []int{2, 100} {
		b.Run(fmt.Sprintf("compare-and-set of %d keys", keys), func(b *testing.B) {
			var create store.Txn
			name := storetest.Namespace() // the benchmark may run several times
			for i := range keys {
				create.Do = append(create.Do, store.Create(fmt.Sprintf("%s/%d", name, i), nil))
			}
			ours := storetest.Commit(b, s, create)
			for i := range create.Do {
				create.Do[i].Key = "raw/" + create.Do[i].Key
			}
			rawRevision := int64(storetest.Commit(b, s, create)[0])
			value := make([]byte, 100)
			guard := held.guard.Load()
			storetest.SideBySide(b, func() error {
				txn := store.Txn{Session: n}
				for i := range keys {
					key := fmt.Sprintf("%s/%d", name, i)
					txn.If = append(txn.If, store.At(key, ours[i]))
					txn.Do = append(txn.Do, store.Set(key, value))
				}
				r, err := s.Commit(context.Background(), txn)
				ours = r.Versions
				return err
			}, func() error {
				ifs := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(held.marker), "=", guard)}
				var thens []clientv3.Op
				for i := range keys {
					key := s.keys.key(fmt.Sprintf("raw/%s/%d", name, i))
					ifs = append(ifs, clientv3.Compare(clientv3.ModRevision(key), "=", rawRevision))
					thens = append(thens, clientv3.OpPut(key, string(value), clientv3.WithIgnoreLease()))
				}
				reply, err := raw.Txn(context.Background()).If(ifs...).Then(thens...).Commit()
				if err != nil || !reply.Succeeded {
					return fmt.Errorf("not applied: %v, %w", reply, err)
				}
				rawRevision = reply.Header.Revision
				return nil
			})
		})
	}
}

// BenchmarkThroughput has 32 workers commit at once, each on a key of its own,
// through the driver and by hand in turns.
func BenchmarkThroughput(b *testing.B) {
	const workers, turn = 32, 200
	e := server(b)
	s, raw := openAt(b, e.Addr(), storetest.Namespace()), admin(b, e)
	n, err := s.NewSession(b.Context(), store.SessionOptions{TTL: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	held := n.(*session)
	value := make([]byte, 100)
	versions, revisions := make([]store.Version, workers), make([]int64, workers)
	for w := range workers {
		versions[w] = storetest.Commit(b, s, storetest.Do(store.Create(fmt.Sprintf("ours/%d", w), value)))[0]
		revisions[w] = int64(storetest.Commit(b, s, storetest.Do(store.Create(fmt.Sprintf("raw/%d", w), value)))[0])
	}
	ours := func(w int) error {
		key := fmt.Sprintf("ours/%d", w)
		r, err := s.Commit(context.Background(), store.Txn{Session: n, If: []store.Cond{store.At(key, versions[w])}, Do: []store.Op{store.Set(key, value)}})
		if err == nil {
			versions[w] = r.Versions[0]
		}
		return err
	}
	guard := held.guard.Load()
	byHand := func(w int) error {
		key := s.keys.key(fmt.Sprintf("raw/%d", w))
		reply, err := raw.Txn(context.Background()).If(
			clientv3.Compare(clientv3.ModRevision(held.marker), "=", guard), clientv3.Compare(clientv3.ModRevision(key), "=", revisions[w]),
		).Then(clientv3.OpPut(key, string(value), clientv3.WithIgnoreLease())).Commit()
		if err == nil {
			revisions[w] = reply.Header.Revision
		}
		return err
	}
	all := func(f func(w int) error) time.Duration {
		start := time.Now()
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for range turn {
					if err := f(w); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		return time.Since(start)
	}
	var took, tookByHand time.Duration
	turns := 0
	for b.Loop() {
		took += all(ours)
		tookByHand += all(byHand)
		turns++
	}
	count := float64(turns * workers * turn)
	b.ReportMetric(count/took.Seconds(), "commits/s")
	b.ReportMetric(count/tookByHand.Seconds(), "raw/s")
	b.ReportMetric(tookByHand.Seconds()/took.Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}

// How long the keys of a dead process live.
func BenchmarkFailover(b *testing.B) {
	e := server(b)
	ns := storetest.Namespace()
	storetest.Failover(b, store.DefaultTTL, openAt(b, e.Addr(), ns), func() (store.Store, func()) {
		p := testservers.StartProxy(b, e.Addr())
		return openAt(b, p.Addr(), ns), func() { p.Hold(testservers.Both) }
	})
}

func BenchmarkFirstContentOf10000Keys(b *testing.B) {
	s := openAt(b, server(b).Addr(), storetest.Namespace())
	storetest.Fill(b, s, 10_000)
	storetest.FirstContent(b, s, "jobs", 10_000)
}
