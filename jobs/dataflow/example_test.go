package dataflow_test

import (
	"context"
	"fmt"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/jobs/dataflow"
)

// Each shard sends reminders for its orders, two at a time, until none is left.
func ExampleDataflow() {
	unpaid := []string{"A-17", "A-20", "A-23"}

	handler := dataflow.Dataflow[string]{
		Fetch: func(context.Context, elastic.Run) ([]string, error) { // SELECT … WHERE reminded = 0 AND id % $total = $item LIMIT 2
			return unpaid[:min(2, len(unpaid))], nil
		},
		Process: func(_ context.Context, run elastic.Run, orders []string) error { // UPDATE … SET reminded = 1
			fmt.Println("shard", run.Shard, "reminds of", orders)
			unpaid = unpaid[len(orders):]
			return nil
		},
	}
	fmt.Println(handler.Handle(context.Background(), elastic.Run{Job: "reminders", Shard: 1, Shards: 3}))
	// Output:
	// shard 1 reminds of [A-17 A-20]
	// shard 1 reminds of [A-23]
	// <nil>
}

// With one pass, a fire processes the items of one fetch. The next fire
// processes the others.
func ExampleDataflow_onePass() {
	handler := dataflow.Dataflow[int]{
		Passes: 1,
		Batch:  2,
		Fetch:  func(context.Context, elastic.Run) ([]int, error) { return []int{1, 2, 3}, nil },
		Process: func(_ context.Context, _ elastic.Run, items []int) error {
			fmt.Println(items)
			return nil
		},
	}
	fmt.Println(handler.Handle(context.Background(), elastic.Run{}))
	// Output:
	// [1 2]
	// [3]
	// <nil>
}

// positions keeps cursors in memory. A program keeps them in a table, beside
// the effects.
type positions map[int]dataflow.Cursor[int]

func (c positions) Claim(_ context.Context, p dataflow.Partition) (dataflow.Cursor[int], error) {
	at, there := c[p.Number]
	if !there {
		at.Of = p.Of
	}
	at.Fence = max(at.Fence, p.Fence())
	c[p.Number] = at
	return at, nil
}

func (c positions) Save(_ context.Context, p dataflow.Partition, offset int) (bool, error) {
	if c[p.Number].Fence > p.Fence() {
		return false, nil // another run has claimed the partition since
	}
	c[p.Number] = dataflow.Cursor[int]{Of: p.Of, Fence: p.Fence(), Offset: offset}
	return true, nil
}

// Each of the four partitions of a log continues at its own offset. The first
// of three shards has the partitions 0 and 3.
func ExampleResuming() {
	log := [][]string{{"signed up", "ordered", "paid", "left"}, {"signed up"}, {}, {"ordered"}}
	var kept dataflow.Cursors[int] = positions{0: dataflow.Cursor[int]{Of: 4, Offset: 1}}

	handler := dataflow.Resuming[string, int]{
		Partitions: 4, // for ever
		Cursors:    kept,
		Fetch: func(_ context.Context, p dataflow.Partition, from int) ([]string, int, error) {
			to := min(from+2, len(log[p.Number]))
			return log[p.Number][from:to], to, nil
		},
		Process: func(_ context.Context, p dataflow.Partition, items []string) error {
			fmt.Println("partition", p.Number, items)
			return nil
		},
	}
	fmt.Println(handler.Handle(context.Background(), elastic.Run{Job: "events", Shard: 0, Shards: 3}))
	// Output:
	// partition 0 [ordered paid]
	// partition 0 [left]
	// partition 3 [ordered]
	// <nil>
}
