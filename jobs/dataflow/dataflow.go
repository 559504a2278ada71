package dataflow

import (
	"context"
	"fmt"
	"slices"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/faults"
)

// Dataflow is an [elastic.Handler] that fetches and processes items until there are none. It keeps nothing between runs, and is as
// safe for concurrent use as its functions are: they are called from many goroutines, for one shard never twice at a time.
type Dataflow[T any] struct {
	// Fetch returns items that wait for this shard, or none if there are no more: the run ends then. It must not return
	// again what Process has done, or the run never ends.
	Fetch func(ctx context.Context, run elastic.Run) ([]T, error)

	// Process does what is to be done with items that were fetched. An error ends the run, which counts as failed; what was not
	// processed is for the next fire to fetch.
	Process func(ctx context.Context, run elastic.Run, items []T) error

	// Batch is how many items Process gets at most at a time. Zero: all that were fetched at once.
	Batch int

	// Passes is how often Fetch is called at most in one run. Zero: until it returns nothing, as ElasticJob does with
	// streaming.process. 1: one pass, as ElasticJob does without it.
	Passes int
}

// Validate returns all that is wrong with the settings in one error. Handle returns it, too, instead of doing anything, and no retry
// is made.
func (d Dataflow[T]) Validate() error {
	var list faults.List
	if d.Fetch == nil {
		list.AddField("fetch", "is nil")
	}
	if d.Process == nil {
		list.AddField("process", "is nil")
	}
	checkBound(&list, "batch", d.Batch)
	checkBound(&list, "passes", d.Passes)
	return list.ErrOf("dataflow.Dataflow is not valid")
}

// Handle runs the shard until nothing is left, a function returns an error, ctx ends, or the shard moves to another instance. When ctx ends
// it returns the cause; when the shard moves it stops before the next fetch or batch and returns [elastic.HandOver].
func (d Dataflow[T]) Handle(ctx context.Context, run elastic.Run) error {
	if err := d.Validate(); err != nil {
		return elastic.Permanent(err)
	}
	for pass := 1; d.Passes == 0 || pass <= d.Passes; pass++ {
		if err := stop(ctx, run); err != nil {
			return err
		}
		items, err := d.Fetch(ctx, run)
		if err != nil {
			return fmt.Errorf("fetch, pass %d: %w", pass, err)
		}
		if len(items) == 0 {
			return nil
		}
		for batch := range batches(items, d.Batch) {
			if err := stop(ctx, run); err != nil {
				return err
			}
			if err := d.Process(ctx, run, batch); err != nil {
				return fmt.Errorf("process %d items, pass %d: %w", len(batch), pass, err)
			}
		}
	}
	return nil
}

// stop returns why a run goes no further, if so.
func stop(ctx context.Context, run elastic.Run) error {
	if err := lost(ctx, run); err != nil {
		return err
	}
	if run.Moving() {
		return elastic.HandOver("the shard moves, and stops between two batches")
	}
	return nil
}

// lost returns why a run has ended, if so. It asks the clocks, too: a process that was stopped must do nothing more when it wakes, and may not have learned
// yet that it has lost its session.
func lost(ctx context.Context, run elastic.Run) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !run.Held():
		return elastic.ErrSessionLost
	}
	return nil
}

// batches cuts items into parts of at most size, or leaves them whole if size is zero.
func batches[T any](items []T, size int) func(yield func([]T) bool) {
	if size == 0 {
		size = len(items)
	}
	return slices.Chunk(items, size)
}

func checkBound(list *faults.List, field string, value int) {
	if value < 0 {
		list.AddField(field, "must not be negative, is %d", value)
	}
}
