package history

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/internal/years"
)

// ResultHandedOver is the result of an attempt that stopped unfinished, so that
// the next owner of the shard continues the run. It exists in history only: in
// the store such a run has no result yet.
const ResultHandedOver failover.Result = "handed over"

// Row is a row of history: a [Run], [Missed], [Event], [Gap], [Audit] or [Log].
type Row interface {
	// clean returns the row with texts that every sink can store.
	clean() Row
	// size returns about how many bytes the row takes in memory.
	size() int
	// class returns what the row is counted as.
	class() class
	// into adds the row to a batch.
	into(*Batch)
}

// RunKey identifies an attempt for ever. Its text form is "report/1#1834".
type RunKey struct {
	Namespace string `json:"ns"`
	Job       string `json:"job"`
	Shard     int    `json:"shard"`

	// Fence is the last fence of the attempt. An attempt of a job without
	// claims has −(Started in microseconds since 1970) instead.
	Fence int64 `json:"fence"`
}

// Run is one attempt that has ended.
//
// Two rows with one key are about the same attempt: a sink keeps the first.
type Run struct {
	RunKey

	// Fire is the scheduled time, or the time of the trigger. It is also the
	// time that identifies the runs of all shards for one fire.
	Fire time.Time `json:"fire"`

	// Trigger is the number of the trigger; 0 if the schedule began the run.
	Trigger uint64 `json:"trigger,omitempty"`

	// Attempt counts the tries at this fire or trigger, from 1.
	Attempt int `json:"attempt"`

	// Shards is the number of shards that the job had; 0 if it is not known.
	Shards int `json:"shards,omitempty"`

	// FirstFence is the fence with which the attempt began. It is smaller than
	// Fence if the attempt outlived a session. 0 means that it is not known, or
	// that the job has no claims.
	FirstFence int64 `json:"firstFence,omitempty"`

	// Revision is the revision of the job; 0 if it is not known.
	Revision uint64 `json:"rev,omitempty"`

	// Instance is the ID of the instance that ran the attempt.
	Instance string `json:"instance"`

	// Started and Ended are times by the clock of the instance that wrote them.
	// Ended of a lost attempt is the time at which another instance took it
	// over or abandoned it.
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`

	// Took is the duration of the attempt by the monotonic clock; 0 if it was
	// lost.
	Took time.Duration `json:"took,omitempty"`

	// Late is how much later than due the attempt began; 0 if it is not known.
	Late time.Duration `json:"late,omitempty"`

	// Retries is how often the handler was called again within the attempt.
	Retries int `json:"retries,omitempty"`

	// Result is the result of the attempt. Lost means that its instance died;
	// another attempt may have followed.
	Result failover.Result `json:"result"`

	// Code is the reason of the result for programs, as in events. Error is the
	// reason for people, of at most [MaxError] bytes.
	Code  string `json:"code,omitempty"`
	Error string `json:"error,omitempty"`

	// Trace is the W3C trace ID of the attempt; zero if it has none.
	Trace TraceID `json:"trace,omitzero"`
}

// TraceID is a trace ID of W3C Trace Context. Its text form is 32 hex digits.
type TraceID [16]byte

// String returns the ID as 32 hex digits.
func (t TraceID) String() string { return hex.EncodeToString(t[:]) }

// MarshalText returns what String returns.
func (t TraceID) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads 32 hex digits.
func (t *TraceID) UnmarshalText(b []byte) error {
	if hex.DecodedLen(len(b)) != len(t) {
		return fmt.Errorf("read a trace ID: it has %d characters, want 32", len(b))
	}
	if _, err := hex.Decode(t[:], b); err != nil {
		return fmt.Errorf("read a trace ID: %w", err)
	}
	return nil
}

// String returns the key as text for people, such as "report/1#1834". It does
// not name the namespace.
func (k RunKey) String() string { return fmt.Sprintf("%s/%d#%d", k.Job, k.Shard, k.Fence) }

// Succeeded reports whether the attempt is a success: ok, or skipped because
// there was nothing to do. When a recorder must drop rows, it drops these
// first.
func (r *Run) Succeeded() bool {
	return r.Result == failover.ResultSucceeded || r.Result == failover.ResultSkipped
}

// Missed is one or more fires in a row that are not run. Fires that several
// shards miss together are one row.
type Missed struct {
	Namespace string `json:"ns"`
	Job       string `json:"job"`

	// Shard is the first of the shards. It is part of the key of the row, with
	// Namespace, Job and First.
	Shard int `json:"shard"`

	// Shards are all of the shards as ranges, such as "0-4, 7". Several numbers
	// of a job with many shards can be cut; the text then ends with "…".
	Shards string `json:"shards"`

	First time.Time `json:"first"`
	Last  time.Time `json:"last"`

	// Count is the number of fires, at most 1,000. More means that there were
	// more than that.
	Count int  `json:"count"`
	More  bool `json:"more,omitempty"`

	Code     string    `json:"code"` // the policy by which they are not run, as in events
	Instance string    `json:"instance"`
	Seen     time.Time `json:"seen"`
}

// Event is an event of an instance: it joined or left, lost its session, had
// trouble, and the like. Namespace, At, Instance and Seq identify it.
type Event struct {
	Namespace string    `json:"ns"`
	At        time.Time `json:"at"`
	Instance  string    `json:"instance"`
	Seq       uint64    `json:"seq"` // counts the events of one recorder
	Kind      string    `json:"kind"`
	Job       string    `json:"job,omitempty"`
	Shard     int       `json:"shard"` // −1 if the event is not about one shard
	Code      string    `json:"code,omitempty"`
	Subject   string    `json:"subject,omitempty"`
	Detail    string    `json:"detail,omitempty"`
}

// Gap records that rows are missing.
type Gap struct {
	Namespace string    `json:"ns"`
	Instance  string    `json:"instance"` // of the recorder; empty if it never got a row of an instance
	From      time.Time `json:"from"`     // of the first row that is missing
	To        time.Time `json:"to"`       // of the last
	Count     int       `json:"count"`
	What      string    `json:"what"` // why, and which rows: "buffer full: 12 ok, 3 failed"
}

// Audit is a change that an operator made. ID identifies it.
type Audit struct {
	ID        string    `json:"id"`
	Namespace string    `json:"ns"`
	At        time.Time `json:"at"`
	By        string    `json:"by"`
	Via       string    `json:"via"`
	Act       string    `json:"act"`
	Target    string    `json:"target"`
	Why       string    `json:"why,omitempty"`
	Detail    string    `json:"detail,omitempty"` // the change itself, as JSON
}

// Log is the stored output of one attempt.
type Log struct {
	RunKey

	// Ended is the end of the attempt; retention goes by it.
	Ended time.Time `json:"ended"`

	// Bytes is how much the run wrote. More than [MaxLog] means that the middle
	// is missing.
	Bytes int64 `json:"bytes"`

	// Gzip is the text, compressed. [Log.Text] reads it.
	Gzip []byte `json:"gz"`
}

const (
	// MaxError is the greatest size of an error in a row, in bytes.
	MaxError = 4 << 10

	// maxShort is the greatest size of the other texts of a row, in bytes. The
	// names of jobs and instances are shorter.
	maxShort = 256

	// maxDetail is the greatest size of details of events and audit entries.
	maxDetail = 4 << 10

	// rowOverhead is about the size of a row without its texts, in bytes.
	rowOverhead = 320
)

// text returns s in a form that every database stores: valid UTF-8 without NUL,
// of at most n bytes.
func text(s string, n int) string {
	s = guard.Cut(s, n)
	if strings.IndexByte(s, 0) >= 0 {
		s = guard.Cut(strings.ReplaceAll(s, "\x00", "\uFFFD"), n)
	}
	return s
}

// moment returns t as every sink stores it: in UTC and in microseconds, within
// the years 1 to 9999.
func moment(t time.Time) time.Time { return years.Clamp(t).Truncate(time.Microsecond) }

func (k RunKey) clean() RunKey {
	k.Namespace = text(k.Namespace, maxShort)
	k.Job = text(k.Job, maxShort)
	return k
}

// trim bounds the size of the row. It is cheap; the writer calls clean.
func (r *Run) trim() {
	texts := len(r.Namespace) + len(r.Job) + len(r.Instance) + len(r.Code) + len(r.Result)
	if len(r.Error) > MaxError || texts > 4*maxShort {
		r.clean()
	}
}

func (r *Run) clean() Row {
	r.RunKey = r.RunKey.clean()
	r.Fire = moment(r.Fire)
	r.Started = moment(r.Started)
	r.Ended = moment(r.Ended)
	r.Instance = text(r.Instance, maxShort)
	r.Result = failover.Result(text(string(r.Result), maxShort))
	r.Code = text(r.Code, maxShort)
	r.Error = text(r.Error, MaxError)
	return r
}

func (r *Run) size() int {
	return rowOverhead + len(r.Namespace) + len(r.Job) + len(r.Instance) + len(r.Code) + len(r.Error)
}

func (r *Run) into(b *Batch) { b.Runs = append(b.Runs, *r) }

func (m *Missed) clean() Row {
	m.Namespace = text(m.Namespace, maxShort)
	m.Job = text(m.Job, maxShort)
	m.First = moment(m.First)
	m.Last = moment(m.Last)
	m.Seen = moment(m.Seen)
	m.Shards = text(m.Shards, maxDetail)
	m.Code = text(m.Code, maxShort)
	m.Instance = text(m.Instance, maxShort)
	return m
}

func (m *Missed) size() int {
	return rowOverhead + len(m.Namespace) + len(m.Job) + len(m.Shards) + len(m.Code) + len(m.Instance)
}

func (m *Missed) into(b *Batch) { b.Missed = append(b.Missed, *m) }

func (e *Event) clean() Row {
	e.Namespace = text(e.Namespace, maxShort)
	e.Instance = text(e.Instance, maxShort)
	e.At = moment(e.At)
	e.Kind = text(e.Kind, maxShort)
	e.Job = text(e.Job, maxShort)
	e.Code = text(e.Code, maxShort)
	e.Subject = text(e.Subject, maxDetail)
	e.Detail = text(e.Detail, maxDetail)
	return e
}

func (e *Event) size() int {
	return rowOverhead + len(e.Namespace) + len(e.Instance) + len(e.Kind) + len(e.Job) + len(e.Code) +
		len(e.Subject) + len(e.Detail)
}

func (e *Event) into(b *Batch) { b.Events = append(b.Events, *e) }

func (g *Gap) clean() Row {
	g.Namespace = text(g.Namespace, maxShort)
	g.Instance = text(g.Instance, maxShort)
	g.From = moment(g.From)
	g.To = moment(g.To)
	g.What = text(g.What, maxDetail)
	return g
}

func (g *Gap) size() int { return rowOverhead + len(g.Namespace) + len(g.Instance) + len(g.What) }

func (g *Gap) into(b *Batch) { b.Gaps = append(b.Gaps, *g) }

func (a *Audit) clean() Row {
	a.ID = text(a.ID, maxShort)
	a.Namespace = text(a.Namespace, maxShort)
	a.At = moment(a.At)
	a.By = text(a.By, maxShort)
	a.Via = text(a.Via, maxShort)
	a.Act = text(a.Act, maxShort)
	a.Target = text(a.Target, maxDetail)
	a.Why = text(a.Why, maxDetail)
	a.Detail = text(a.Detail, 16*maxDetail)
	return a
}

func (a *Audit) size() int {
	return rowOverhead + len(a.ID) + len(a.Namespace) + len(a.By) + len(a.Via) + len(a.Act) + len(a.Target) +
		len(a.Why) + len(a.Detail)
}

func (a *Audit) into(b *Batch) { b.Audit = append(b.Audit, *a) }

func (l *Log) clean() Row {
	l.RunKey = l.RunKey.clean()
	l.Ended = moment(l.Ended)
	return l
}

func (l *Log) size() int { return rowOverhead + len(l.Namespace) + len(l.Job) + len(l.Gzip) }

func (l *Log) into(b *Batch) {
	row := *l
	row.Gzip = append([]byte(nil), l.Gzip...)
	b.Logs = append(b.Logs, row)
}
