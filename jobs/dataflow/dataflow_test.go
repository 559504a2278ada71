package dataflow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/jobs/dataflow"
)

var shard = elastic.Run{Job: "orders", Shard: 1, Shards: 3}

// backlog has the items that wait, and those that were processed.
type backlog struct {
	waiting []int
	page    int // how many a fetch returns
	fetches int
	batches [][]int
}

func (b *backlog) fetch(context.Context, elastic.Run) ([]int, error) {
	b.fetches++
	return b.waiting[:min(b.page, len(b.waiting))], nil
}

func (b *backlog) process(_ context.Context, _ elastic.Run, items []int) error {
	b.batches = append(b.batches, slices.Clone(items))
	b.waiting = b.waiting[len(items):]
	return nil
}

// A run fetches again and again, until a fetch returns nothing or Passes is
// reached.
func TestDataflow_RunsUntilNothingIsLeft(t *testing.T) {
	for _, tt := range []struct {
		name          string
		page          int
		batch, passes int
		fetches       int
		batches       string
		left          int
	}{
		{"streaming", 3, 0, 0, 4, "[[1 2 3] [4 5 6] [7]]", 0},
		{"one pass", 3, 0, 1, 1, "[[1 2 3]]", 4},
		{"two passes", 3, 0, 2, 2, "[[1 2 3] [4 5 6]]", 1},
		{"in batches", 5, 2, 0, 3, "[[1 2] [3 4] [5] [6 7]]", 0},
		{"a batch larger than what is fetched", 5, 100, 0, 3, "[[1 2 3 4 5] [6 7]]", 0},
		{"nothing to do", 0, 0, 0, 1, "[]", 7},
	} {
		b := &backlog{waiting: []int{1, 2, 3, 4, 5, 6, 7}, page: tt.page}
		d := dataflow.Dataflow[int]{Fetch: b.fetch, Process: b.process, Batch: tt.batch, Passes: tt.passes}
		if err := d.Handle(t.Context(), shard); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := fmt.Sprint(b.batches); got != tt.batches || b.fetches != tt.fetches || len(b.waiting) != tt.left {
			t.Errorf("%s: %d fetches, processed %s, %d left; want %d, %s, %d",
				tt.name, b.fetches, got, len(b.waiting), tt.fetches, tt.batches, tt.left)
		}
	}
}

// A run whose context ends stops before the next batch, with the cause.
func TestDataflow_StopsBetweenBatches(t *testing.T) {
	leaving := errors.New("leaving")
	for after := range 4 {
		ctx, cancel := context.WithCancelCause(t.Context())
		b := &backlog{waiting: []int{1, 2, 3, 4, 5, 6, 7}, page: 4}
		if after == 0 {
			cancel(leaving)
		}
		d := dataflow.Dataflow[int]{Batch: 2,
			Fetch: b.fetch,
			Process: func(ctx context.Context, run elastic.Run, items []int) error {
				if len(b.batches)+1 == after {
					cancel(leaving)
				}
				return b.process(ctx, run, items)
			}}
		if err := d.Handle(ctx, shard); !errors.Is(err, leaving) {
			t.Errorf("got %v, want the cause", err)
		}
		if len(b.batches) != after {
			t.Errorf("%d batches were processed, want %d", len(b.batches), after)
		}
		cancel(nil)
	}
}

// An error of a function ends the run, and the error of the run names the
// place.
func TestDataflow_ErrorNamesThePlace(t *testing.T) {
	broken := errors.New("broken")
	b := &backlog{waiting: []int{1, 2, 3, 4}, page: 2}
	d := dataflow.Dataflow[int]{Fetch: b.fetch, Process: func(ctx context.Context, run elastic.Run, items []int) error {
		if items[0] == 3 {
			return broken
		}
		return b.process(ctx, run, items)
	}}
	err := d.Handle(t.Context(), shard)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "process 2 items, pass 2") {
		t.Errorf("got %v", err)
	}
	if fmt.Sprint(b.waiting) != "[3 4]" {
		t.Errorf("left is %v, want what was not processed", b.waiting)
	}
	d.Fetch = func(context.Context, elastic.Run) ([]int, error) { return []int{1}, broken }
	if err := d.Handle(t.Context(), shard); !errors.Is(err, broken) || !strings.Contains(err.Error(), "fetch, pass 1") {
		t.Errorf("got %v", err)
	}
}

// One error has all faults of the settings, and Handle returns it without a
// retry.
func TestValidate_ReportsAllFaults(t *testing.T) {
	for _, tt := range []struct {
		h interface {
			elastic.Handler
			Validate() error
		}
		want []string
	}{
		{dataflow.Dataflow[int]{
			Batch:  -1,
			Passes: -2,
		}, []string{
			"fetch: is nil", "process: is nil", "batch: must not be negative, is -1",
			"passes: must not be negative, is -2",
		}},
		{
			dataflow.Resuming[int, int]{Passes: -2},
			[]string{
				"partitions: must be at least 1, is 0", "cursors: is nil", "fetch: is nil",
				"process: is nil, and so is transact", "passes: must not be negative, is -2",
			},
		},
	} {
		for _, err := range []error{tt.h.Validate(), tt.h.Handle(t.Context(), shard)} {
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
		}
	}
	if p := (*engine.Permanent)(nil); !errors.As((dataflow.Dataflow[int]{}).Handle(t.Context(), shard), &p) {
		t.Error("a run is tried again although its settings stay wrong")
	}
	b := &backlog{}
	if err := (dataflow.Dataflow[int]{Fetch: b.fetch, Process: b.process}).Validate(); err != nil {
		t.Error(err)
	}
}

// log has the numbers 1, 2, … of which a run reads three at a time, and the
// offset of a run.
type log struct {
	length, offset int
	fence          uint64
	failSave       error
	failClaim      error
	did            []string
}

func (l *log) Claim(_ context.Context, p dataflow.Partition) (dataflow.Cursor[int], error) {
	l.did = append(l.did, fmt.Sprintf("load %d", l.offset))
	return dataflow.Cursor[int]{Of: p.Of, Offset: l.offset, Fence: l.fence}, l.failClaim
}

func (l *log) Save(_ context.Context, _ dataflow.Partition, offset int) (bool, error) {
	l.did = append(l.did, fmt.Sprintf("save %d", offset))
	if l.failSave == nil {
		l.offset = offset
	}
	return l.failSave == nil, l.failSave
}

// resuming reads the log in one partition. Each batch claims the cursor again.
func (l *log) resuming() dataflow.Resuming[int, int] {
	return dataflow.Resuming[int, int]{
		Partitions: 2, // the shard of these tests, 1 of 3, has one of them
		Cursors:    l,
		Fetch: func(_ context.Context, _ dataflow.Partition, from int) (items []int, next int, err error) {
			for next = from; next < l.length && len(items) < 3; next++ {
				items = append(items, next+1)
			}
			return items, next, nil
		},
		Process: func(_ context.Context, _ dataflow.Partition, items []int) error {
			l.did = append(l.did, fmt.Sprint(items))
			return nil
		},
	}
}

// Each fetch gets the offset of the fetch before, which is saved after its
// items.
func TestResuming_SavesOffsetsAfterItems(t *testing.T) {
	l := &log{length: 5}
	if err := l.resuming().Handle(t.Context(), shard); err != nil {
		t.Fatal(err)
	}
	l.length = 7
	once := l.resuming()
	once.Passes = 1
	if err := once.Handle(t.Context(), shard); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(l.did, ", "), "load 0, load 0, [1 2 3], save 3, load 3, [4 5], save 5, load 5, load 5, [6 7], save 7"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The next run repeats items whose offset was not saved.
func TestResuming_RepeatsWhatWasNotSaved(t *testing.T) {
	full := errors.New("disk full")
	l := &log{length: 5, failSave: full}
	if err := l.resuming().Handle(t.Context(), shard); !errors.Is(err, full) || !strings.Contains(err.Error(), "save offset 3") {
		t.Errorf("got %v", err)
	}
	l.failSave = nil
	broken := l.resuming()
	broken.Process = func(context.Context, dataflow.Partition, []int) error { return full }
	if err := broken.Handle(t.Context(), shard); !errors.Is(err, full) || l.offset != 0 {
		t.Errorf("got %v and offset %d, want 0 as nothing was processed", err, l.offset)
	}
	for name, breakIt := range map[string]func(r *dataflow.Resuming[int, int]){
		"claim the cursor of partition 1": func(r *dataflow.Resuming[int, int]) { r.Cursors = &log{failClaim: full} },
		"fetch partition 1 from offset 0": func(r *dataflow.Resuming[int, int]) {
			r.Fetch = func(context.Context, dataflow.Partition, int) ([]int, int, error) { return nil, 0, full }
		},
	} {
		r := l.resuming()
		breakIt(&r)
		if err := r.Handle(t.Context(), shard); !errors.Is(err, full) || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
	l.did = nil
	if err := l.resuming().Handle(t.Context(), shard); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(l.did, ", "), "load 0, load 0, [1 2 3], save 3, load 3, [4 5], save 5"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// After its context has ended, a run neither processes nor saves.
func TestResuming_StopsWhenContextEnds(t *testing.T) {
	leaving := errors.New("leaving")
	l := &log{length: 5}
	ctx, cancel := context.WithCancelCause(t.Context())
	r := l.resuming()
	fetch := r.Fetch
	r.Fetch = func(ctx context.Context, p dataflow.Partition, from int) ([]int, int, error) {
		if from == 3 {
			cancel(leaving)
		}
		return fetch(ctx, p, from)
	}
	if err := r.Handle(ctx, shard); !errors.Is(err, leaving) || l.offset != 3 {
		t.Errorf("got %v and offset %d, want the cause and 3", err, l.offset)
	}
	if err := l.resuming().Handle(ctx, shard); !errors.Is(err, leaving) || len(l.did) != 4 {
		t.Errorf("got %v after %q, want the cause and no load", err, l.did)
	}
}

// A run whose partition was claimed by another run does nothing, and returns
// ErrOutdated.
func TestResuming_OutdatedRunStops(t *testing.T) {
	l := &log{length: 5, fence: 7}
	if err := l.resuming().Handle(t.Context(), shard); !errors.Is(err, dataflow.ErrOutdated) || len(l.did) != 1 {
		t.Errorf("got %v after %q, want that it is outdated, and nothing done", err, l.did)
	}
}

// Each partition belongs to one shard, for every number of shards.
func TestResuming_EachPartitionOnce(t *testing.T) {
	for total := 1; total < 8; total++ {
		seen := map[int]int{}
		for item := range total {
			r := (&log{}).resuming()
			r.Partitions = 5
			r.Fetch = func(_ context.Context, p dataflow.Partition, from int) ([]int, int, error) {
				seen[p.Number]++
				return nil, from, nil
			}
			if err := r.Handle(t.Context(), elastic.Run{Job: "orders", Shard: item, Shards: total}); err != nil {
				t.Error(err)
			}
		}
		for n := range 5 {
			if seen[n] != 1 {
				t.Errorf("with %d shards partition %d is read by %d, want one", total, n, seen[n])
			}
		}
	}
}
