package sharding

import (
	"fmt"
	"strings"
	"testing"
)

// The budget of 100,000 shards over 100 instances is 10 ms.
func BenchmarkAssign(b *testing.B) {
	for _, size := range []struct{ shards, instances int }{{1, 7}, {20, 5}, {1000, 10}, {100_000, 100}} {
		full := fleet(size.instances)
		for _, strategy := range strategies {
			// The previous owners come out of a document of the store: no two
			// strings share memory.
			prev := strategy.Assign("job", size.shards, full, nil)
			for shard, id := range prev {
				prev[shard] = strings.Clone(id)
			}
			for _, change := range []struct {
				name string
				live []Instance
				prev []string
			}{
				{"first", full, nil},
				{"same", full, prev},
				{"leave", full[1:], prev},
				{"join", fleet(size.instances + 1), prev},
			} {
				name := fmt.Sprintf(
					"%s/shards=%d/instances=%d/%s", strategy.Name(), size.shards, size.instances, change.name,
				)
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					var got []string
					for b.Loop() {
						got = strategy.Assign("job", size.shards, change.live, change.prev)
					}
					b.ReportMetric(float64(moves(change.prev, got)), "moved")
				})
			}
		}
	}
}

func BenchmarkValid(b *testing.B) {
	live := fleet(100)
	owners := Sticky.Assign("job", 100_000, live, nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := Valid(owners, len(owners), live); err != nil {
			b.Fatal(err)
		}
	}
}
