package memory_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// filled returns a client of a server with n keys in runs/{job}/{shard}, 10,000
// shards to a job, each with a value of 200 bytes.
func filled(b *testing.B, n int) *memory.Client {
	b.Helper()
	c := memory.NewServer().Connect("bench")
	b.Cleanup(func() { c.Close(context.Background()) })
	value := make([]byte, 200)
	for i := range n {
		if _, err := c.Commit(b.Context(), store.Txn{Do: []store.Op{store.Create(shard(i), value)}}); err != nil {
			b.Fatal(err)
		}
	}
	return c
}

func shard(i int) string { return fmt.Sprintf("runs/job%02d/%05d", i/10_000, i%10_000) }

// A claim: three conditions and two writes, in a session, among 100,000 keys.
func BenchmarkCommit(b *testing.B) {
	c := filled(b, 100_000)
	ss, err := c.NewSession(b.Context(), store.SessionOptions{})
	if err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 200)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i += 7919
		x := i % 90_000
		t := store.Txn{
			Session: ss,
			If:      []store.Cond{store.Exists(shard(x)), store.Exists(shard(x + 1)), store.Exists(shard(x + 2))},
			Do:      []store.Op{store.Set(shard(x), value), store.Set(shard(x+3), value)},
		}
		if _, err := c.Commit(b.Context(), t); err != nil {
			b.Fatal(err)
		}
	}
}

// One job of 10,000 shards in a namespace of 100,000 keys.
func BenchmarkList(b *testing.B) {
	c := filled(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		if got, err := c.List(b.Context(), "runs/job05"); err != nil || len(got) != 10_000 {
			b.Fatal(len(got), err)
		}
	}
}

// A commit that 1,000 watches see, and the reading of their updates.
func BenchmarkFanOut(b *testing.B) {
	const watches = 1000
	c := filled(b, 1)
	var all []store.Watch
	for range watches {
		w, err := c.Watch(b.Context(), "runs")
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, w)
		w.Next(b.Context())
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Commit(b.Context(), store.Txn{Do: []store.Op{store.Set(shard(0), nil)}}); err != nil {
			b.Fatal(err)
		}
		for _, w := range all {
			if u, err := w.Next(b.Context()); err != nil || len(u.Entries) != 1 {
				b.Fatal(u, err)
			}
		}
	}
}

// The same commit when the 1,000 watches are of other prefixes.
func BenchmarkCommitBesideWatches(b *testing.B) {
	c := filled(b, 1)
	for i := range 1000 {
		if _, err := c.Watch(b.Context(), fmt.Sprintf("other/%d", i)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Commit(b.Context(), store.Txn{Do: []store.Op{store.Set(shard(0), nil)}}); err != nil {
			b.Fatal(err)
		}
	}
}
