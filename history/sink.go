package history

import (
	"context"
	"errors"
)

// Sink stores rows. A [Recorder] calls Write from one goroutine at a time.
//
// Write stores all rows of the batch and returns nil, or stores none of them
// and returns an error. It must be idempotent: the recorder writes a batch
// again when the answer was lost, in another division if need be, and rows that
// the sink has already must change nothing. The keys of rows are documented
// with their types; a [Gap] is identified by all of its fields.
//
// The recorder decides by the error what to do:
//   - an error that [Refuse] made: the sink will never take this batch. The
//     recorder writes its halves, until it has found the rows that are refused,
//     and drops these;
//   - an error that wraps [ErrIncompatible]: the sink cannot be used by this
//     program as it is. The recorder tries again every 30 s;
//   - any other error: the recorder tries again, after 0.2 s at first and up to
//     30 s later on.
//
// Write should return soon after ctx ends. The recorder does not wait for it,
// and does not call Write again before it has returned.
//
// The batch is a copy: Write can keep and change it. Package
// [github.com/elasticjob-go/elastic/history/historytest] tests a sink.
type Sink interface {
	Write(ctx context.Context, b Batch) error
}

// Batch is a list of rows. The order within a list is the order in which they
// were recorded.
type Batch struct {
	Runs   []Run
	Missed []Missed
	Events []Event
	Gaps   []Gap
	Audit  []Audit
	Logs   []Log
}

// Len returns the number of rows.
func (b *Batch) Len() int {
	return len(b.Runs) + len(b.Missed) + len(b.Events) + len(b.Gaps) + len(b.Audit) + len(b.Logs)
}

// batch copies rows into a batch.
func batchOf(rows []Row) Batch {
	var b Batch
	b.Runs = make([]Run, 0, len(rows))
	for _, row := range rows {
		row.into(&b)
	}
	return b
}

// ErrIncompatible is the cause when a sink cannot be used by this program at
// all, such as a database whose schema is older than the program.
var ErrIncompatible = errors.New("the sink does not fit this program")

// Refuse returns an error that tells the recorder that a sink will never take
// the batch, whose cause is err. Use it for values that the sink cannot store,
// and not for a sink that is full, read-only or out of reach: the recorder
// drops rows that are refused.
func Refuse(err error) error { return &refusal{err} }

// refusal is an error about the rows, not about the sink.
type refusal struct{ err error }

func (r *refusal) Error() string { return "refuse the rows: " + r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// Refused reports whether an error of a sink is about the rows, so that writing
// the same rows again is of no use. See [Refuse].
func Refused(err error) bool {
	var r *refusal
	return errors.As(err, &r)
}
