package observe_test

import (
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/observe"
)

// A program reads the state of its scheduler, as an exporter of metrics does.
func ExampleStats() {
	s := observe.Stats{ // elastic.Scheduler.Stats returns it
		Running:   3,
		History:   &observe.HistoryStats{Lag: 2 * time.Second},
		Limit:     4,
		Held:      2,
		Health:    observe.Health{Started: true, Held: true, Instance: "a@x4k2"},
		Instances: observe.Instances{Up: 3, Draining: 1},
		Jobs:      []observe.JobStats{{Name: "report", Owned: 5, Running: 3}},
		Prefixes:  []observe.PrefixStats{{Name: "jobs", Watched: true, Synced: true, Age: 12 * time.Second}},
	}
	fmt.Printf("%s runs %d of %d, %d wait\n", s.Health.Instance, s.Running, s.Limit, s.Held)
	for _, j := range s.Jobs {
		fmt.Printf("%s: %d shards here, %d run\n", j.Name, j.Owned, j.Running)
	}
	for _, p := range s.Prefixes {
		fmt.Printf("%s: as of %s ago\n", p.Name, p.Age)
	}
	if h := s.History; h != nil {
		fmt.Println("the history is behind by", h.Lag)
	}
	fmt.Println(s.Instances.Up, "instances are up")
	// Output:
	// a@x4k2 runs 3 of 4, 2 wait
	// report: 5 shards here, 3 run
	// jobs: as of 12s ago
	// the history is behind by 2s
	// 3 instances are up
}

// The waits for the loop are counted by size.
func ExampleDistribution() {
	d := observe.Distribution{
		Bounds: []time.Duration{time.Millisecond, time.Second},
		Counts: []uint64{97, 3, 0},
		Sums:   []time.Duration{20 * time.Millisecond, 30 * time.Millisecond, 0},
	}
	total := uint64(0)
	for _, n := range d.Counts {
		total += n
	}
	fmt.Printf("%d of %d took at most %s\n", d.Counts[0], total, d.Bounds[0])
	// Output:
	// 97 of 100 took at most 1ms
}
