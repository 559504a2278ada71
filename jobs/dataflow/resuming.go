package dataflow

import (
	"context"
	"errors"
	"fmt"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/faults"
)

// Resuming is an [elastic.Handler] that continues reading at the last offset of
// each of a fixed number of partitions: of a log, or a table that only grows.
//
// A partition is a part of the data that never changes, such as the events
// whose id divided by 16 leaves 3. Partitions are distributed over the job's
// shards, and move between shards when their number changes. The cursor with
// the offset belongs to the partition. So nothing is skipped, whatever happens
// to shards and instances: an offset never covers data that another shard has
// read.
//
// The next run repeats the work of a run that is interrupted or outdated before
// it saves the offset. Set Transact, and keep the cursors in the same database
// as the effects, to process each item once. With Process it is processed at
// least once.
//
// Resuming keeps no state between runs, and is as safe for concurrent use as
// its functions are. It is not for jobs without claims ([elastic.Job]
// Unclaimed), because these have no fences.
type Resuming[T, Offset any] struct {
	// Partitions is the number of parts of the data, at least 1. It must never
	// change, while the number of shards may. Choose many times the largest
	// number of shards that the job will ever have. A shard without a partition
	// has nothing to do.
	Partitions int

	// Cursors stores the offsets.
	Cursors Cursors[Offset]

	// Fetch returns the items of a partition after an offset, and the offset
	// after these items. If it returns no items, the partition is finished for
	// this run, and next is ignored.
	Fetch func(ctx context.Context, p Partition, from Offset) (items []T, next Offset, err error)

	// Process processes the items that were fetched. An error ends the run,
	// which counts as failed, and the offset is not saved.
	Process func(ctx context.Context, p Partition, items []T) error

	// Transact replaces Process. It processes the items and saves the offset
	// after them in one transaction. If the cursor's fence is greater than
	// p.Fence(), it must do neither, and return ErrOutdated.
	Transact func(ctx context.Context, p Partition, items []T, next Offset) error

	// Passes is the largest number of fetches for a partition in one run. Zero
	// means no limit.
	Passes int
}

// Partition is a part of the data, together with the run that works on it.
type Partition struct {
	Number int // from 0
	Of     int // the number of partitions
	Shard  elastic.Run
}

// Fence returns the fence of the run. The partition's next run has a greater
// one, even if it is another shard's.
func (p Partition) Fence() uint64 { return p.Shard.Fence() }

// Cursor is the position in a partition.
type Cursor[Offset any] struct {
	Of     int    // the number of partitions that the offset was saved for
	Fence  uint64 // of the last run that claimed the partition
	Offset Offset // the position after the last processed item
}

// Cursors stores the cursor of each partition of a job. Its methods are called
// from many goroutines at once. In a database both are one statement:
//
//	Claim: INSERT INTO cursors (job, partition, of, fence) VALUES ($1, $2, $3, $4)
//	       ON CONFLICT (job, partition) DO UPDATE
//	       SET fence = max(cursors.fence, excluded.fence) RETURNING of, fence, "offset"
//	Save:  UPDATE cursors SET "offset" = $4, fence = $3
//	       WHERE job = $1 AND partition = $2 AND fence <= $3
type Cursors[Offset any] interface {
	// Claim raises the fence of a partition's cursor to p.Fence() if it is
	// smaller, and returns the resulting cursor, in one step. It creates a
	// missing cursor, with p.Of partitions and the initial offset.
	Claim(ctx context.Context, p Partition) (Cursor[Offset], error)

	// Save sets the offset and the fence of a partition's cursor if its fence
	// is not greater than p.Fence(). It reports whether it did.
	Save(ctx context.Context, p Partition, offset Offset) (saved bool, err error)
}

// ErrOutdated is returned when another run has claimed the partition: the
// number of shards has changed, or the instance was declared dead. Nothing is
// lost, because the other run continues at the offset that was saved last.
var ErrOutdated = errors.New("another run has claimed the partition since")

// Validate returns all faults of the settings in one error. Handle returns the
// same error, without a retry, before it does anything.
func (r Resuming[T, Offset]) Validate() error {
	var list faults.List
	if r.Partitions < 1 {
		list.AddField("partitions",
			"must be at least 1, is %d; choose many times the number of shards, and never change it", r.Partitions)
	}
	if r.Cursors == nil {
		list.AddField("cursors", "is nil")
	}
	if r.Fetch == nil {
		list.AddField("fetch", "is nil")
	}
	switch {
	case r.Process == nil && r.Transact == nil:
		list.AddField("process", "is nil, and so is transact")
	case r.Process != nil && r.Transact != nil:
		list.AddField("process", "is set, and so is transact; choose one")
	}
	checkBound(&list, "passes", r.Passes)
	return list.ErrOf("dataflow.Resuming is not valid")
}

// Handle works on the shard's partitions, one after the other, until nothing is
// left, a function returns an error, ctx ends, or the shard moves to another
// instance. When ctx ends it returns the cause. When the shard moves it stops
// after the next saved offset, and returns [elastic.HandOver].
func (r Resuming[T, Offset]) Handle(ctx context.Context, run elastic.Run) error {
	if err := r.Validate(); err != nil {
		return elastic.Permanent(err)
	}
	if run.Shards < 1 || run.Shard < 0 || run.Shard >= run.Shards {
		return elastic.Permanent(fmt.Errorf("dataflow.Resuming: shard %d of %d has no partitions", run.Shard, run.Shards))
	}
	for n := run.Shard; n < r.Partitions; n += run.Shards {
		if err := r.readOn(ctx, Partition{n, r.Partitions, run}); err != nil {
			if errors.Is(err, ErrOutdated) && run.Moving() {
				return elastic.HandOver(err.Error())
			}
			return err
		}
	}
	return nil
}

// readOn works on one partition.
func (r Resuming[T, Offset]) readOn(ctx context.Context, p Partition) error {
	if err := stop(ctx, p.Shard); err != nil {
		return err
	}
	offset, err := r.claim(ctx, p)
	if err != nil {
		return err
	}
	for pass := 1; r.Passes == 0 || pass <= r.Passes; pass++ {
		if err := stop(ctx, p.Shard); err != nil {
			return err
		}
		items, next, err := r.Fetch(ctx, p, offset)
		if err != nil {
			return fmt.Errorf("fetch partition %d from offset %v, pass %d: %w", p.Number, offset, pass, err)
		}
		if len(items) == 0 {
			return nil
		}
		if err := lost(ctx, p.Shard); err != nil {
			return err
		}
		if err := r.do(ctx, p, items, next); err != nil {
			return fmt.Errorf("partition %d, %d items from offset %v, pass %d: %w",
				p.Number, len(items), offset, pass, err)
		}
		offset = next
	}
	return nil
}

// claim claims the partition's cursor for the run, and returns its offset.
func (r Resuming[T, Offset]) claim(ctx context.Context, p Partition) (offset Offset, err error) {
	c, err := r.Cursors.Claim(ctx, p)
	switch {
	case err != nil:
		return offset, fmt.Errorf("claim the cursor of partition %d: %w", p.Number, err)
	case c.Fence > p.Fence():
		return offset, fmt.Errorf("claim the cursor of partition %d: %w", p.Number, ErrOutdated)
	case c.Of != p.Of:
		err := fmt.Errorf("claim the cursor of partition %d: it belongs to %d partitions, not %d; "+
			"set Partitions back, or create new cursors",
			p.Number, c.Of, p.Of)
		return offset, elastic.Permanent(err)
	}
	return c.Offset, nil
}

// do processes items and saves the offset after them. It first claims the
// cursor again: the work of an outdated run would be done twice.
func (r Resuming[T, Offset]) do(ctx context.Context, p Partition, items []T, next Offset) error {
	if r.Transact != nil {
		if err := r.Transact(ctx, p, items, next); err != nil {
			return fmt.Errorf("transact: %w", err)
		}
		return nil
	}
	if _, err := r.claim(ctx, p); err != nil {
		return err
	}
	if err := r.Process(ctx, p, items); err != nil {
		return fmt.Errorf("process: %w", err)
	}
	saved, err := r.Cursors.Save(ctx, p, next)
	switch {
	case err != nil:
		return fmt.Errorf("save offset %v: %w", next, err)
	case !saved:
		return fmt.Errorf("save offset %v: %w", next, ErrOutdated)
	}
	return nil
}
