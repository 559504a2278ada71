package dataflow

import (
	"context"
	"errors"
	"fmt"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/faults"
)

// Resuming is an [elastic.Handler] that reads on from where it has come to, in each of a fixed number of partitions: a log, a table that only grows.
//
// A partition is a part of the data that never changes: events whose id divided by 16 leaves 3, say. Partitions are distributed over the job's shards and
// move between them when their number changes; the cursor of a partition, which has its offset, stays with the partition. So nothing is skipped,
// whatever happens to shards and instances: an offset never stands for data that others have read.
//
// What a run does with items before it is cut off, or outdated, is done again by the next one. Set Transact, and keep the cursors where the effects are, to have
// each item done once; with Process it is done at least once.
//
// It keeps nothing between runs and is as safe for concurrent use as its functions are. It is not for jobs without claims ([elastic.Job] Unclaimed), which have no
// fences.
type Resuming[T, Offset any] struct {
	// Partitions is into how many parts the data is divided, 1 at least. It never changes, while the number of shards may: take many times as
	// many partitions as there will ever be shards. A shard without a partition has nothing to do.
	Partitions int

	// Cursors keeps the offsets.
	Cursors Cursors[Offset]

	// Fetch returns the items of a partition after an offset, and the offset after them. A partition is through when it returns no items; what it says
	// about the offset is ignored then.
	Fetch func(ctx context.Context, p Partition, from Offset) (items []T, next Offset, err error)

	// Process does what is to be done with the items that were fetched. An error ends the run, which counts as failed, and their offset is not saved.
	Process func(ctx context.Context, p Partition, items []T) error

	// Transact takes the place of Process: it does what is to be done with the items and saves the offset after them, in one transaction. It must do
	// neither if the cursor's fence is greater than p.Fence(), and return ErrOutdated then.
	Transact func(ctx context.Context, p Partition, items []T, next Offset) error

	// Passes is how often Fetch is called at most for a partition in one run. Zero: until it returns nothing.
	Passes int
}

// Partition is a part of the data, and the run that works on it.
type Partition struct {
	Number int         // from 0
	Of     int         // how many there are
	Shard  elastic.Run // of the run
}

// Fence returns the fence of the run. The partition's next run has a greater one, also if it is another shard's.
func (p Partition) Fence() uint64 { return p.Shard.Fence() }

// Cursor is how far a partition has come.
type Cursor[Offset any] struct {
	Of     int    // the number of partitions that the offset was saved for
	Fence  uint64 // of the run that has claimed the partition last
	Offset Offset // after all that is done
}

// Cursors keeps the cursor of each partition of a job. In a database both methods are one statement:
//
//	Claim: INSERT INTO cursors (job, partition, of, fence) VALUES ($1, $2, $3, $4)
//	       ON CONFLICT (job, partition) DO UPDATE SET fence = max(cursors.fence, excluded.fence) RETURNING of, fence, "offset"
//	Save:  UPDATE cursors SET "offset" = $4, fence = $3 WHERE job = $1 AND partition = $2 AND fence <= $3
//
// They are called from many goroutines at once.
type Cursors[Offset any] interface {
	// Claim raises the fence of a partition's cursor to p.Fence(), if it is smaller, and returns the cursor as it is then, in one step. A
	// partition that has no cursor gets one, for p.Of partitions and with the offset to begin with.
	Claim(ctx context.Context, p Partition) (Cursor[Offset], error)

	// Save sets the offset and the fence of a partition's cursor, if its fence is not greater than p.Fence(). It reports whether it did.
	Save(ctx context.Context, p Partition, offset Offset) (saved bool, err error)
}

// ErrOutdated says that another run has claimed the partition since: the number of shards has changed, or the instance was declared dead. Nothing is
// lost: the other run goes on from the offset that was saved last.
var ErrOutdated = errors.New("another run has claimed the partition since")

// Validate returns all that is wrong with the settings in one error. Handle returns it, too, instead of doing anything, and no retry
// is made.
func (r Resuming[T, Offset]) Validate() error {
	var list faults.List
	if r.Partitions < 1 {
		list.AddField("partitions",
			"must be 1 at least, is %d; choose many times the number of shards, for ever", r.Partitions)
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

// Handle works on the shard's partitions, one after the other, until nothing is left, a function returns an error, ctx ends, or the shard moves to another
// instance. When ctx ends it returns the cause; when the shard moves it stops once its offset is saved and returns [elastic.HandOver].
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
			return fmt.Errorf("partition %d, %d items from offset %v, pass %d: %w", p.Number, len(items), offset, pass, err)
		}
		offset = next
	}
	return nil
}

// claim makes the partition's cursor the run's, and returns its offset.
func (r Resuming[T, Offset]) claim(ctx context.Context, p Partition) (offset Offset, err error) {
	c, err := r.Cursors.Claim(ctx, p)
	switch {
	case err != nil:
		return offset, fmt.Errorf("claim the cursor of partition %d: %w", p.Number, err)
	case c.Fence > p.Fence():
		return offset, fmt.Errorf("claim the cursor of partition %d: %w", p.Number, ErrOutdated)
	case c.Of != p.Of:
		return offset, elastic.Permanent(fmt.Errorf("claim the cursor of partition %d: it is one of %d partitions, and there are to be %d; set Partitions back, or make new cursors", p.Number, c.Of, p.Of))
	}
	return c.Offset, nil
}

// do does what is to be done with items, and saves the offset after them. The cursor is claimed again just before: what a run does that is outdated by then
// would be done twice.
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
