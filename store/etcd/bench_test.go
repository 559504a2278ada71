package etcd

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance/servers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// BenchmarkCommit compares a commit with the same transaction made by hand with the client library: both take turns, so
// that whatever else the machine does hits both. It reports the medians and their ratio.
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
			var commits, raws []time.Duration
			guard := held.guard.Load()
			for b.Loop() {
				txn := store.Txn{Session: n}
				for i := range keys {
					key := fmt.Sprintf("%s/%d", name, i)
					txn.If = append(txn.If, store.At(key, ours[i]))
					txn.Do = append(txn.Do, store.Set(key, value))
				}
				start := time.Now()
				r, err := s.Commit(context.Background(), txn)
				commits = append(commits, time.Since(start))
				if err != nil {
					b.Fatal(err)
				}
				ours = r.Versions

				start = time.Now()
				ifs := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(held.marker), "=", guard)}
				var thens []clientv3.Op
				for i := range keys {
					key := s.layout.key(fmt.Sprintf("raw/%s/%d", name, i))
					ifs = append(ifs, clientv3.Compare(clientv3.ModRevision(key), "=", rawRevision))
					thens = append(thens, clientv3.OpPut(key, string(value), clientv3.WithIgnoreLease()))
				}
				reply, err := raw.Txn(context.Background()).If(ifs...).Then(thens...).Commit()
				raws = append(raws, time.Since(start))
				if err != nil || !reply.Succeeded {
					b.Fatal(reply, err)
				}
				rawRevision = reply.Header.Revision
			}
			slices.Sort(commits)
			slices.Sort(raws)
			ours50, raw50 := commits[len(commits)/2], raws[len(raws)/2]
			b.ReportMetric(float64(ours50.Microseconds()), "µs/commit")
			b.ReportMetric(float64(raw50.Microseconds()), "µs/raw")
			b.ReportMetric(float64(ours50)/float64(raw50), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkThroughput has 32 workers commit at once, each on a key of its own, through the driver and by hand in turns.
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
		key := s.layout.key(fmt.Sprintf("raw/%d", w))
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
		p := servers.StartProxy(b, e.Addr())
		return openAt(b, p.Addr(), ns), func() { p.Hold(servers.Both) }
	})
}

// What a process waits for at its start: the content of a prefix with 10,000 keys.
func BenchmarkFirstContentOf10000Keys(b *testing.B) {
	s := openAt(b, server(b).Addr(), storetest.Namespace())
	value := make([]byte, 300)
	for i := 0; i < 10_000; {
		var txn store.Txn
		for ; len(txn.Do) < 100; i++ {
			txn.Do = append(txn.Do, store.Create(fmt.Sprintf("jobs/%03d/shards/%d", i/100, i), value))
		}
		storetest.Commit(b, s, txn)
	}
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
}
