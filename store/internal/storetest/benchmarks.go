package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// SideBySide compares a commit with the same transaction made by hand with the
// client library: both take turns, so that whatever else the machine does hits
// both. It reports the medians and their ratio.
func SideBySide(b *testing.B, commit, raw func() error) {
	timed := func(f func() error) time.Duration {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	var commits, raws []time.Duration
	for b.Loop() {
		commits = append(commits, timed(commit))
		raws = append(raws, timed(raw))
	}
	slices.Sort(commits)
	slices.Sort(raws)
	commit50, raw50 := commits[len(commits)/2], raws[len(raws)/2]
	b.ReportMetric(float64(commit50.Microseconds()), "µs/commit")
	b.ReportMetric(float64(raw50.Microseconds()), "µs/raw")
	b.ReportMetric(float64(commit50)/float64(raw50), "ratio")
	b.ReportMetric(0, "ns/op")
}

// Fill makes keys of a few hundred bytes below jobs, in directories of a
// hundred.
func Fill(b *testing.B, s store.Store, keys int) {
	b.Helper()
	value := make([]byte, 300)
	for i := 0; i < keys; {
		var txn store.Txn
		for ; i < keys && len(txn.Do) < 100; i++ {
			txn.Do = append(txn.Do, store.Create(fmt.Sprintf("jobs/%03d/shards/%d", i/100, i), value))
		}
		Commit(b, s, txn)
	}
}

// FirstContent measures what a process waits for at its start: the content of a
// prefix with so many keys.
func FirstContent(b *testing.B, s store.Store, prefix string, keys int) {
	for b.Loop() {
		w, err := s.Watch(b.Context(), prefix)
		if err != nil {
			b.Fatal(err)
		}
		u, err := w.Next(b.Context())
		if err != nil || len(u.Entries) != keys {
			b.Fatalf("%d keys, %v", len(u.Entries), err)
		}
		w.Close()
	}
}
