package dataflow

import (
	"context"
	"fmt"
	"slices"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/faults"
)

// Dataflow is an [elastic.Handler] that fetches and processes items until there
// are none. It keeps no state between runs. Its functions are called from many
// goroutines, but never twice at a time for one shard.
type Dataflow[T any] struct {
	// Fetch returns items of the shard, or none if there are no more, which
	// ends the run. It must not return items that Process has processed,
	// otherwise the run never ends.
	Fetch func(ctx context.Context, run elastic.Run) ([]T, error)

	// Process processes items that were fetched. An error ends the run, which
	// counts as failed. The next fire fetches the items that were not
	// processed.
	Process func(ctx context.Context, run elastic.Run, items []T) error

	// Batch is the largest number of items that Process gets at a time. Zero
	// means all that one fetch returned.
	Batch int

	// Passes is the largest number of fetches in one run. Zero means no limit,
	// as in ElasticJob with streaming.process. 1 is one pass, as in ElasticJob
	// without it.
	Passes int
}

// Validate returns all faults of the settings in one error. Handle returns the
// same error, without a retry, before it does anything.
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

// Handle runs the shard until nothing is left, a function returns an error, ctx
// ends, or the shard moves to another instance. When ctx ends it returns the
// cause. When the shard moves it stops before the next fetch or batch, and
// returns [elastic.HandOver].
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

// stop returns the reason why a run must stop here; nil if it can continue.
func stop(ctx context.Context, run elastic.Run) error {
	if err := lost(ctx, run); err != nil {
		return err
	}
	if run.Moving() {
		return elastic.HandOver("the shard moves, and stops between two batches")
	}
	return nil
}

// lost returns the reason why a run has ended; nil if it has not. It also asks
// the clock: a process that was suspended can wake up before it learns that its
// session is lost, and must not do any more work.
func lost(ctx context.Context, run elastic.Run) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !run.Held():
		return elastic.ErrSessionLost
	}
	return nil
}

// batches divides items into parts of at most size. Zero means one part.
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
