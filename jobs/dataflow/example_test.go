package dataflow_test

import (
	"context"
	"fmt"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/jobs/dataflow"
)

// Orders are reminded of, two at a time, until none is left that was not.
func ExampleDataflow() {
	unpaid := []string{"A-17", "A-20", "A-23"}

	handler := dataflow.Dataflow[string]{
		Fetch: func(context.Context, elastic.Shard) ([]string, error) { // SELECT … WHERE reminded = 0 AND id % $total = $item LIMIT 2
			return unpaid[:min(2, len(unpaid))], nil
		},
		Process: func(_ context.Context, sh elastic.Shard, orders []string) error { // UPDATE … SET reminded = 1
			fmt.Println("shard", sh.Item, "reminds of", orders)
			unpaid = unpaid[len(orders):]
			return nil
		},
	}
	fmt.Println(handler.Handle(context.Background(), elastic.Shard{Job: "reminders", Item: 1, Total: 3}))
	// Output:
	// shard 1 reminds of [A-17 A-20]
	// shard 1 reminds of [A-23]
	// <nil>
}

// With one pass a fire does what one fetch returns, and leaves the rest to the next.
func ExampleDataflow_onePass() {
	handler := dataflow.Dataflow[int]{
		Passes: 1,
		Batch:  2,
		Fetch:  func(context.Context, elastic.Shard) ([]int, error) { return []int{1, 2, 3}, nil },
		Process: func(_ context.Context, _ elastic.Shard, items []int) error {
			fmt.Println(items)
			return nil
		},
	}
	fmt.Println(handler.Handle(context.Background(), elastic.Shard{}))
	// Output:
	// [1 2]
	// [3]
	// <nil>
}

// A log is read on from where the shard has come to.
func ExampleResuming() {
	events := []string{"signed up", "ordered", "paid", "left"}
	position := 1 // kept where the effects are; one for each shard

	handler := dataflow.Resuming[string, int]{
		Load: func(context.Context, elastic.Shard) (int, error) { return position, nil },
		Fetch: func(_ context.Context, _ elastic.Shard, from int) ([]string, int, error) {
			to := min(from+2, len(events))
			return events[from:to], to, nil
		},
		Process: func(_ context.Context, _ elastic.Shard, items []string) error {
			fmt.Println(items)
			return nil
		},
		Save: func(_ context.Context, _ elastic.Shard, offset int) error {
			position = offset
			return nil
		},
	}
	fmt.Println(handler.Handle(context.Background(), elastic.Shard{}), position)
	// Output:
	// [ordered paid]
	// [left]
	// <nil> 4
}
