package history

import (
	"slices"
	"time"
)

// State is the state of a recorder.
type State uint8

// The states of a recorder.
const (
	// StateWriting: the sink takes rows, or there were none.
	StateWriting State = iota

	// StateFailing: the sink did not take the last batch, which is tried
	// again.
	StateFailing

	// StateOff: the sink cannot be used by this program; see
	// [ErrIncompatible]. It is tried again every 30 s.
	StateOff
)

// String returns "writing", "failing" or "off".
func (s State) String() string {
	switch s {
	case StateFailing:
		return "failing"
	case StateOff:
		return "off"
	}
	return "writing"
}

// Stats are the counters of a recorder since it was made. At each moment the
// rows of Added and Restored are those of Written, Dropped and Spooled, and
// those that wait.
//
// The keys of the maps are the results of runs ("ok", "failed", "skipped",
// "lost", "cancelled", "replaced", "handed over"), "other" for a result that
// this version does not know, and "missed", "event", "gap", "audit", "log".
type Stats struct {
	State State

	Added    map[string]uint64 // rows that the recorder was given, and its own gaps
	Restored map[string]uint64 // rows of an earlier process, read from the spool
	Written  map[string]uint64 // rows that the sink has taken
	Dropped  map[string]uint64 // rows that are lost
	Spooled  map[string]uint64 // rows that Close left in the spool

	// Unrecorded counts runs that were not to be recorded; see
	// [Options.Unclaimed].
	Unrecorded map[string]uint64

	Errors      uint64        // failed calls of the sink
	BufferRows  int           // rows in memory, with those that are being written
	BufferBytes int           // about the memory that they take
	SpoolRows   int           // rows in the spool
	SpoolBytes  int64         // size of the spool
	Lag         time.Duration // the age of the oldest row that waits
}

// Stats returns the counters.
func (r *Recorder) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Stats{
		State:       r.state,
		Added:       r.added.byName(),
		Restored:    r.restored.byName(),
		Written:     r.written.byName(),
		Dropped:     r.dropped.byName(),
		Spooled:     r.spooled.byName(),
		Unrecorded:  r.skipped.byName(),
		Errors:      r.errors,
		BufferRows:  r.buffer.live + len(r.inflight),
		BufferBytes: r.buffer.bytes + r.flightLen,
		SpoolRows:   r.spoolRows,
		SpoolBytes:  r.spoolSize,
	}
	switch {
	case !r.oldest.IsZero():
		s.Lag = time.Since(r.oldest)
	case r.buffer.live > 0:
		s.Lag = time.Since(r.since)
	}
	return s
}

// Report is a change of a recorder's state, for people and alarms.
type Report struct {
	// Code is "history_failing", "history_recovered", "history_off",
	// "history_dropping", "history_refused" or "spool_failing".
	Code string

	// Detail describes it, with the cause. It has no secrets if the errors of
	// the sink have none.
	Detail string

	// Rows is the number of rows that the report is about; 0 if none.
	Rows int
}

// watcher receives reports.
type watcher struct{ f func(Report) }

// Watch calls f with each later report, until stop is called. f is called from
// one goroutine at a time. If f blocks for a second, no more reports are given
// to any watcher.
func (r *Recorder) Watch(f func(Report)) (stop func()) {
	w := &watcher{f}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchers = append(r.watchers, w)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.watchers = slices.DeleteFunc(slices.Clone(r.watchers), func(other *watcher) bool { return other == w })
	}
}
