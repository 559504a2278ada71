package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
)

// Reader reads history. Lists are ordered by time, newest first, and come in
// pages: pass Next of one page as Cursor of the next. Each method refuses a
// query that could read everything, with an error that wraps [ErrQuery].
type Reader interface {
	// Runs lists attempts: of one job by Fire, Trigger, Shard and Fence, and
	// otherwise by Ended, Job, Shard and Fence. The greatest come first.
	Runs(ctx context.Context, q RunQuery) (Page[Run], error)

	// Fires lists the fires of a job with the number of attempts by result.
	Fires(ctx context.Context, q FireQuery) (Page[Fire], error)

	// Missed lists fires that were not run, by First.
	Missed(ctx context.Context, q MissedQuery) (Page[Missed], error)

	// Events lists events of instances, by At.
	Events(ctx context.Context, q EventQuery) (Page[Event], error)

	// Log returns the log of an attempt, or an error that wraps [ErrNotFound].
	Log(ctx context.Context, key RunKey) (Log, error)

	// Audit lists changes that operators made, by At.
	Audit(ctx context.Context, q AuditQuery) (Page[Audit], error)

	// Histogram counts the attempts of a job by result in spans of equal
	// length, oldest first. Spans without attempts are left out.
	Histogram(ctx context.Context, q HistogramQuery) ([]Bucket, error)
}

// ErrQuery is the cause when a query is refused.
var ErrQuery = errors.New("the query is not valid")

// ErrNotFound is the cause when a row does not exist, or does no longer.
var ErrNotFound = errors.New("not found")

const (
	// MaxLimit is the greatest number of rows of a page, and DefaultLimit that
	// of a query with Limit 0.
	MaxLimit     = 1000
	DefaultLimit = 50

	// MaxSpan is the longest time between Since and Until of a query that must
	// name them.
	MaxSpan = 92 * 24 * time.Hour

	// maxBuckets is the greatest number of spans of a histogram.
	maxBuckets = 500

	// maxShards and maxResults bound the lists of a query.
	maxShards = 1000
)

// Page is a part of a list.
type Page[T any] struct {
	Items []T

	// Next is the Cursor of the next page; empty if this is the last one.
	Next string

	// Gaps tell where rows are missing in the time that the page covers.
	Gaps []Gap
}

// RunQuery selects attempts. Zero fields do not restrict. A query names a Job,
// or Since and Until at most 92 days apart.
type RunQuery struct {
	Namespace  string
	Job        string
	Shards     []int
	Fire       time.Time // needs Job
	Trigger    uint64    // needs Job
	Results    []failover.Result
	Instance   string
	ErrorHas   string // a part of the error; upper and lower case differ
	MinAttempt int
	MinLate    time.Duration
	Since      time.Time // of Fire if Job is set, otherwise of Ended; inclusive
	Until      time.Time // exclusive
	Limit      int       // 1 to 1,000; 0 means 50
	Cursor     string
}

// FireQuery selects fires of a job.
type FireQuery struct {
	Namespace    string
	Job          string
	Since, Until time.Time
	Limit        int
	Cursor       string
}

// MissedQuery selects missed fires: of a Job, or Since and Until at most 92
// days apart.
type MissedQuery struct {
	Namespace    string
	Job          string
	Since, Until time.Time
	Limit        int
	Cursor       string
}

// EventQuery selects events between Since and Until, which are at most 92 days
// apart.
type EventQuery struct {
	Namespace    string
	Instance     string
	Kinds        []string
	Since, Until time.Time
	Limit        int
	Cursor       string
}

// AuditQuery selects changes between Since and Until, which are at most 366
// days apart.
type AuditQuery struct {
	Namespace    string
	Target       string
	Since, Until time.Time
	Limit        int
	Cursor       string
}

// HistogramQuery divides the time between Since and Until, at most 92 days,
// into 1 to 500 spans.
type HistogramQuery struct {
	Namespace    string
	Job          string
	Since, Until time.Time
	Buckets      int
}

// Tally is a number of attempts by result. Other counts the results cancelled,
// replaced, handed over and those that this version does not know.
type Tally struct {
	OK, Failed, Skipped, Lost, Other int
}

// Add counts an attempt.
func (t *Tally) Add(result failover.Result) {
	switch result {
	case failover.ResultSucceeded:
		t.OK++
	case failover.ResultFailed:
		t.Failed++
	case failover.ResultSkipped:
		t.Skipped++
	case failover.ResultLost:
		t.Lost++
	default:
		t.Other++
	}
}

// Fire is a fire of a job, or a trigger, with the attempts of all shards.
type Fire struct {
	Namespace string
	Job       string
	Fire      time.Time
	Trigger   uint64
	Shards    int // the greatest number of shards that an attempt had
	Tally
	FirstStart time.Time
	LastEnd    time.Time
}

// Bucket is a span of a histogram.
type Bucket struct {
	Start, End time.Time
	Tally
}

func fault(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrQuery, fmt.Sprintf(format, a...))
}

// checkLimit replaces a limit of 0.
func checkLimit(limit *int) error {
	if *limit < 0 || *limit > MaxLimit {
		return fault("Limit is %d, want 1 to %d", *limit, MaxLimit)
	}
	if *limit == 0 {
		*limit = DefaultLimit
	}
	return nil
}

// checkSpan refuses a time that is too long.
func checkSpan(since, until time.Time, most time.Duration) error {
	days := int(most / (24 * time.Hour))
	switch {
	case since.IsZero() || until.IsZero():
		return fault("want Since and Until, at most %d days with this filter", days)
	case !since.Before(until):
		return fault("Since is not before Until")
	case until.Sub(since) > most:
		return fault("Since and Until are %.0f days apart, want at most %d days with this filter",
			until.Sub(since).Hours()/24, days)
	}
	return nil
}

func checkOrder(since, until time.Time) error {
	if !since.IsZero() && !until.IsZero() && !since.Before(until) {
		return fault("Since is not before Until")
	}
	return nil
}

// Check returns an error that wraps [ErrQuery] if the query is refused, and
// sets the default Limit. Readers call it.
func (q *RunQuery) Check() error {
	q.Since, q.Until = moment(q.Since), moment(q.Until)
	q.Fire = moment(q.Fire)
	if err := checkLimit(&q.Limit); err != nil {
		return err
	}
	switch {
	case q.Job == "" && (!q.Fire.IsZero() || q.Trigger != 0):
		return fault("Fire and Trigger need Job")
	case len(q.Shards) > maxShards:
		return fault("it names %d shards, want at most %d", len(q.Shards), maxShards)
	case len(q.Results) > int(classMissed):
		return fault("it names %d results, want at most %d", len(q.Results), classMissed)
	case len(q.ErrorHas) > maxShort:
		return fault("ErrorHas has %d bytes, want at most %d", len(q.ErrorHas), maxShort)
	case q.Job == "":
		return checkSpan(q.Since, q.Until, MaxSpan)
	case q.ErrorHas != "" && q.Fire.IsZero() && q.Trigger == 0:
		return checkSpan(q.Since, q.Until, MaxSpan)
	}
	return checkOrder(q.Since, q.Until)
}

// Check is like [RunQuery.Check].
func (q *FireQuery) Check() error {
	q.Since, q.Until = moment(q.Since), moment(q.Until)
	if q.Job == "" {
		return fault("want Job")
	}
	if err := checkOrder(q.Since, q.Until); err != nil {
		return err
	}
	return checkLimit(&q.Limit)
}

// Check is like [RunQuery.Check].
func (q *MissedQuery) Check() error {
	q.Since, q.Until = moment(q.Since), moment(q.Until)
	if err := checkLimit(&q.Limit); err != nil {
		return err
	}
	if q.Job == "" {
		return checkSpan(q.Since, q.Until, MaxSpan)
	}
	return checkOrder(q.Since, q.Until)
}

// Check is like [RunQuery.Check].
func (q *EventQuery) Check() error {
	q.Since, q.Until = moment(q.Since), moment(q.Until)
	if len(q.Kinds) > maxShort {
		return fault("it names %d kinds, want at most %d", len(q.Kinds), maxShort)
	}
	if err := checkSpan(q.Since, q.Until, MaxSpan); err != nil {
		return err
	}
	return checkLimit(&q.Limit)
}

// Check is like [RunQuery.Check].
func (q *AuditQuery) Check() error {
	q.Since, q.Until = moment(q.Since), moment(q.Until)
	if err := checkSpan(q.Since, q.Until, 366*24*time.Hour); err != nil {
		return err
	}
	return checkLimit(&q.Limit)
}

// Check is like [RunQuery.Check].
func (q *HistogramQuery) Check() error {
	q.Since, q.Until = moment(q.Since), moment(q.Until)
	if q.Job == "" {
		return fault("want Job")
	}
	if q.Buckets < 1 || q.Buckets > maxBuckets {
		return fault("it wants %d spans, want 1 to %d", q.Buckets, maxBuckets)
	}
	return checkSpan(q.Since, q.Until, MaxSpan)
}

// Width returns the length of a span, in whole microseconds.
func (q *HistogramQuery) Width() time.Duration {
	span := q.Until.Sub(q.Since)
	width := (span + time.Duration(q.Buckets) - 1) / time.Duration(q.Buckets)
	return max((width+time.Microsecond-1)/time.Microsecond, 1) * time.Microsecond
}

// within reports whether t is in a span; a zero bound does not restrict.
func within(t, since, until time.Time) bool {
	return (since.IsZero() || !t.Before(since)) && (until.IsZero() || t.Before(until))
}

// matches reports whether a run is selected. Since and Until are those of at.
func (q *RunQuery) matches(r *Run, at time.Time) bool {
	switch {
	case r.Namespace != q.Namespace,
		q.Job != "" && r.Job != q.Job,
		len(q.Shards) > 0 && !slices.Contains(q.Shards, r.Shard),
		!q.Fire.IsZero() && !r.Fire.Equal(q.Fire),
		q.Trigger != 0 && r.Trigger != q.Trigger,
		len(q.Results) > 0 && !slices.Contains(q.Results, r.Result),
		q.Instance != "" && r.Instance != q.Instance,
		r.Attempt < q.MinAttempt,
		r.Late < q.MinLate:
		return false
	}
	return within(at, q.Since, q.Until) && strings.Contains(r.Error, q.ErrorHas)
}
