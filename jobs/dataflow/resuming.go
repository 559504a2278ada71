package dataflow

import (
	"context"
	"errors"
	"fmt"

	"github.com/elasticjob-go/elastic"
)

// Resuming is an [elastic.Handler] that reads on from where its shard has come to: an offset, which may be a number, a time, a
// key, a page's token. Where offsets are kept is up to Load and Save; best is beside the effects of Process, in one transaction.
//
// An offset is saved after its items were processed, so a run that is cut off in between processes them again. An instance that
// was declared dead while its code still ran could save an old offset over a newer one: let Save refuse what comes with a fence
// ([elastic.Shard.Fence]) smaller than one that it has seen.
//
// Like Dataflow it keeps nothing between runs and is as safe for concurrent use as its functions are.
type Resuming[T, Offset any] struct {
	// Load returns where the shard has come to. It is called once, at the beginning of a run; for a shard that has never
	// saved anything it returns the offset to begin with.
	Load func(ctx context.Context, sh elastic.Shard) (Offset, error)

	// Fetch returns the items after an offset, and the offset after them. The run ends when it returns no items; what it says
	// about the offset is ignored then.
	Fetch func(ctx context.Context, sh elastic.Shard, from Offset) (items []T, next Offset, err error)

	// Process does what is to be done with the items that were fetched. An error ends the run, which counts as failed, and their
	// offset is not saved.
	Process func(ctx context.Context, sh elastic.Shard, items []T) error

	// Save keeps the offset up to which all is processed.
	Save func(ctx context.Context, sh elastic.Shard, offset Offset) error

	// Passes is how often Fetch is called at most in one run. Zero: until it returns nothing.
	Passes int
}

// Validate returns all that is wrong with the settings in one error. Handle returns it, too, instead of doing anything, and no retry
// is made.
func (r Resuming[T, Offset]) Validate() error {
	var faults []error
	for _, f := range []struct {
		name    string
		missing bool
	}{{"load", r.Load == nil}, {"fetch", r.Fetch == nil}, {"process", r.Process == nil}, {"save", r.Save == nil}} {
		if f.missing {
			faults = append(faults, errors.New(f.name+": is nil"))
		}
	}
	return invalid("Resuming", append(faults, checkBounds(0, r.Passes)...))
}

// Handle runs the shard until nothing is left, a function returns an error, ctx ends, or the shard moves to another instance. When ctx ends
// it returns the cause; when the shard moves it stops once its offset is saved and returns [elastic.HandOver].
func (r Resuming[T, Offset]) Handle(ctx context.Context, sh elastic.Shard) error {
	if err := r.Validate(); err != nil {
		return elastic.Permanent(err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	offset, err := r.Load(ctx, sh)
	if err != nil {
		return fmt.Errorf("load the offset: %w", err)
	}
	for pass := 1; r.Passes == 0 || pass <= r.Passes; pass++ {
		if err := stop(ctx, sh); err != nil {
			return err
		}
		items, next, err := r.Fetch(ctx, sh, offset)
		if err != nil {
			return fmt.Errorf("fetch from offset %v, pass %d: %w", offset, pass, err)
		}
		if len(items) == 0 {
			return nil
		}
		if err := lost(ctx, sh); err != nil {
			return err
		}
		if err := r.Process(ctx, sh, items); err != nil {
			return fmt.Errorf("process %d items from offset %v, pass %d: %w", len(items), offset, pass, err)
		}
		if err := r.Save(ctx, sh, next); err != nil {
			return fmt.Errorf("save offset %v, pass %d: %w", next, pass, err)
		}
		offset = next
	}
	return nil
}
