package engine

import (
	"fmt"
	"testing"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// The loop's part of a snapshot of 10,000 jobs.
func BenchmarkSnapshot(b *testing.B) {
	e := New(Config{})
	for i := range 10_000 {
		name := fmt.Sprintf("job-%05d", i)
		for _, prefix := range []string{layout.Jobs, layout.Assignments} {
			e.replica.entries[prefix][name] = store.Entry{Key: prefix + "/" + name, Version: 1}
		}
	}
	for b.Loop() {
		if s := e.snapshot(nil); len(s.Jobs) != 10_000 {
			b.Fatal(len(s.Jobs))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/job")
}
