package observe

import "time"

// Stats is the state of a scheduler at one moment. A scheduler makes it when it
// is asked, on its loop, so it costs nothing otherwise. The zero Stats is that
// of a scheduler that has not run.
type Stats struct {
	// At is when the state was taken. It is older than the call if the loop did
	// not answer in time.
	At time.Time

	Health Health

	// Namespace is that of the URL of the store; empty if the program made the
	// store itself.
	Namespace string

	Driver  string // the scheme of the store
	Running int    // runs, from claim to recorded end
	Limit   int    // the most that may run; 0: no limit
	Held    int    // shards whose run waits for a place below a limit
	Stuck   int    // handlers that go on though their context ended 10 s ago

	// ClockOffset is by how much the clock of this instance is ahead of the
	// median of the others. It is zero if ClockKnown is false: there are no
	// others, or nothing is known about their clocks.
	ClockOffset time.Duration
	ClockKnown  bool

	Instances Instances
	Jobs      []JobStats    // that this instance has, by name
	Prefixes  []PrefixStats // of the store that this instance reads, by name

	// LoopDelay is how long what was given to the loop waited until the loop
	// had acted on it: the longest wait of each turn.
	LoopDelay Distribution

	// EventsDropped is the number of events that observers missed because they
	// were slow.
	EventsDropped uint64

	// History is the state of the recorder of the history; nil if there is
	// none.
	History *HistoryStats
}

// HistoryStats is the state of the recorder of the history.
type HistoryStats struct {
	Written map[string]uint64 // rows that the sink has taken, by the result of the run
	Dropped map[string]uint64 // rows that are lost
	Errors  uint64            // failed calls of the sink

	BufferRows int           // rows in memory
	SpoolBytes int64         // size of the spool
	Lag        time.Duration // the age of the oldest row that waits
}

// Instances is the number of live instances by state.
type Instances struct {
	Up         int
	Draining   int
	ClockOff   int // the clock differs from most others'
	Unreadable int // the key can't be read
}

// JobStats is the part that an instance has in a job.
type JobStats struct {
	Name    string
	Owned   int // shards
	Running int // shards
}

// PrefixStats is the state of a prefix of the store.
type PrefixStats struct {
	Name string // such as "jobs"

	// Unreadable is the number of keys that can't be read, as far as this
	// instance needs them.
	Unreadable int

	// Watched reports whether the instance watches the prefix as a whole. The
	// replica then shows a state that the store had at most Age ago. Synced
	// reports whether the watch has contact with the store.
	Watched bool
	Synced  bool
	Age     time.Duration
}

// Distribution counts durations by size.
type Distribution struct {
	// Bounds are the upper bounds of the buckets, ascending. The last bucket
	// has none, so Counts and Sums are longer by one.
	Bounds []time.Duration
	Counts []uint64
	Sums   []time.Duration // of the durations in each bucket
}

// Health is the part of the state that a probe needs. It is kept up to date by
// the loop, and read without it.
type Health struct {
	// Started reports whether the instance has joined once, Ended whether Run
	// has ended.
	Started bool
	Ended   bool

	// Idle is how long ago the loop last turned. It turns at least every five
	// seconds; a longer time means that something blocks it. It is zero before
	// Run.
	Idle time.Duration

	// Instance is the ID of the instance; empty without a session. Deadline is
	// until when the session is surely alive, by the monotonic clock. Held
	// reports whether it is.
	Instance string
	Deadline time.Time
	Held     bool

	// Stale are the prefixes whose watches have no contact with the store,
	// sorted.
	Stale []string

	Draining bool // the instance leaves
	ClockOff bool // its clock differs from most others', so it begins nothing
}
