package tracing

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/store"
)

// Options says what is imported, and how.
type Options struct {
	// Namespace is that of the rows of history. It must not be empty.
	Namespace string

	// Zone is the time zone of the JVMs. It is needed for columns that hold
	// what their clocks showed: PostgreSQL's timestamp and MySQL's datetime.
	Zone *time.Location

	// Match is a pattern of path.Match for names of jobs; empty means all.
	Match string

	// Rename has new names of jobs by the old ones.
	Rename map[string]string

	// Since leaves out what began earlier.
	Since time.Time

	// After is the Report.Next of an earlier import, which is continued.
	After Cursor

	// Now is the time by which a run counts as one that will not end any more.
	Now time.Time

	// Progress is called after each write to the sink; it may be nil. An error
	// ends the import.
	Progress func(Report) error
}

// Cursor is a place in the tables: everything before it has been written.
type Cursor struct {
	Runs   Place `json:"runs"`
	Events Place `json:"events"`
}

// Place is a place in a table: behind the row with this time and ID.
type Place struct {
	Time time.Time `json:"time"`
	ID   string    `json:"id"`
}

// Report counts what an import has done.
type Report struct {
	Runs       int    `json:"runs"`       // written
	Events     int    `json:"events"`     // written
	Other      int    `json:"other"`      // rows of jobs that were not asked for
	Unfinished int    `json:"unfinished"` // runs that may still end; a later import takes them
	Unreadable int    `json:"unreadable"` // rows that were left out, as a value makes no sense
	Example    string `json:"example,omitempty"`
	Next       Cursor `json:"next"`
}

const (
	// Unfinished is how old a run without an end must be to count as one that
	// will not end any more.
	Unfinished = 24 * time.Hour

	batchRows = 500
)

// Import writes runs and events to a sink, the oldest first, in batches of 500.
//
// A row has the same key whenever it is read, so a sink keeps it once. A run
// without an end is unknown when it began more than a day ago; a later one is
// left out, and Report.Next stays before it.
//
// ElasticJob does not record which fire a run was for, and how often it was
// tried: Fire is the start, and Attempt is 1. Fence is negative.
//
// The error is store.ErrInvalid for bad options and for a database without the
// tables, store.ErrPermission and store.ErrUnavailable for the database, and
// the sink's. The report is that of what was written before.
func (s *Source) Import(ctx context.Context, sink history.Sink, o Options) (Report, error) {
	var report Report
	report.Next = o.After
	if o.Namespace == "" {
		return report, fmt.Errorf("%w: import the tracing tables: name the namespace of the rows", store.ErrInvalid)
	}
	if _, err := path.Match(o.Match, ""); err != nil {
		return report, fmt.Errorf("%w: pattern %q: %w", store.ErrInvalid, o.Match, err)
	}
	i := &importing{sink: sink, options: o, report: &report}
	runs, err := s.clock(ctx, executionTable, "start_time", o.Zone)
	if err != nil {
		return report, err
	}
	events, err := s.clock(ctx, statusTable, "creation_time", o.Zone)
	if err != nil {
		return report, err
	}
	var keys taken
	err = walk(ctx, i, &table[execution]{
		name:  executionTable,
		clock: runs,
		next:  &report.Next.Runs,
		read:  s.executions,
		place: func(e *execution) Place { return Place{e.started, e.id} },
		job:   func(e *execution) string { return e.job },
		held: func(e *execution) bool {
			return e.ended.IsZero() && o.Now.Sub(e.started) < Unfinished
		},
		add: func(b *history.Batch, e *execution, job string) {
			b.Runs = append(b.Runs, keys.free(e.run(o.Namespace, job, runs.step)))
		},
	})
	if err != nil {
		return report, err
	}
	return report, walk(ctx, i, &table[status]{
		name:  statusTable,
		clock: events,
		next:  &report.Next.Events,
		read:  s.statuses,
		place: func(e *status) Place { return Place{e.created, e.id} },
		job:   func(e *status) string { return e.job },
		held:  func(*status) bool { return false },
		add: func(b *history.Batch, e *status, job string) {
			b.Events = append(b.Events, e.event(o.Namespace, job))
		},
	})
}

// importing is an import that is under way.
type importing struct {
	sink    history.Sink
	options Options
	report  *Report
}

// table is how the rows of a table are read and written.
type table[T any] struct {
	name  string
	clock clock
	next  *Place // of the report
	read  func(context.Context, clock, position) ([]scanned[T], error)
	place func(*T) Place
	job   func(*T) string
	held  func(*T) bool // the row is not complete
	add   func(b *history.Batch, row *T, job string)
}

// walk reads a table to its end. The place in the report moves when rows have
// been written, and stays before the first row that is not complete.
func walk[T any](ctx context.Context, i *importing, t *table[T]) error {
	next := *t.next
	if next.Time.Before(i.options.Since) {
		next = Place{Time: i.options.Since}
	}
	after := position{t.clock.value(next.Time), next.ID}
	held := false
	for {
		rows, err := t.read(ctx, t.clock, after)
		if err != nil {
			return err
		}
		var batch history.Batch
		for n := range rows {
			r := &rows[n]
			after = r.at
			job, asked := i.name(t.job(&r.row))
			switch {
			case r.why != "":
				i.leave(t.name, r.at.id, r.why)
			case !asked:
				i.report.Other++
			case t.held(&r.row):
				held = true
				i.report.Unfinished++
			default:
				t.add(&batch, &r.row, job)
			}
			if !held {
				next = t.place(&r.row)
			}
			if batch.Len() < batchRows && n < len(rows)-1 {
				continue
			}
			if err := i.write(ctx, &batch, func() { *t.next = next }); err != nil {
				return err
			}
		}
		if len(rows) < pageRows {
			return nil
		}
	}
}

// name returns the name that a job has in history, and whether it was asked
// for.
func (i *importing) name(job string) (string, bool) {
	if matches, _ := path.Match(i.options.Match, job); i.options.Match != "" && !matches {
		return "", false
	}
	if name := i.options.Rename[job]; name != "" {
		return name, true
	}
	return text(job, maxText), true
}

// leave counts a row that is left out.
func (i *importing) leave(table, id, why string) {
	i.report.Unreadable++
	if i.report.Example == "" {
		i.report.Example = fmt.Sprintf("%s, id %.60q: %s", table, id, why)
	}
}

// write gives a batch to the sink and empties it. written is called when the
// sink has it.
func (i *importing) write(ctx context.Context, b *history.Batch, written func()) error {
	if b.Len() > 0 {
		if err := give(ctx, i.sink, *b); err != nil {
			return fmt.Errorf("write history: %w", err)
		}
	}
	i.report.Runs += len(b.Runs)
	i.report.Events += len(b.Events)
	written()
	*b = history.Batch{}
	if i.options.Progress != nil {
		return i.options.Progress(*i.report)
	}
	return nil
}

// give calls a sink, which may panic.
func give(ctx context.Context, sink history.Sink, b history.Batch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the sink panicked: " + text(fmt.Sprint(p), maxText))
		}
	}()
	return sink.Write(ctx, b)
}

// taken are the keys of the runs that began at one moment. Two runs of a shard
// that began in it get two keys, in the order of their IDs.
type taken struct {
	at   time.Time
	keys map[history.RunKey]bool
}

func (t *taken) free(r history.Run) history.Run {
	if !t.at.Equal(r.Started) || t.keys == nil {
		t.at, t.keys = r.Started, map[history.RunKey]bool{}
	}
	for t.keys[r.RunKey] {
		r.Fence--
	}
	t.keys[r.RunKey] = true
	return r
}
