package status

import "time"

// JobState is the most important thing about a job.
type JobState string

// The states of a job, the most urgent first. A job with shards in several
// states has the first of them.
const (
	JobUnreadable JobState = "unreadable" // a document of the job can't be read
	JobRemoved    JobState = "removed"    // an operator removed it
	JobDisabled   JobState = "disabled"   // it begins nothing
	JobStuck      JobState = "stuck"      // a shard is stuck
	JobUnowned    JobState = "unowned"    // a shard has no live owner
	JobLate       JobState = "late"       // a shard is late
	JobFailed     JobState = "failed"     // the last run of a shard failed or was lost
	JobRunning    JobState = "running"    // a shard runs
	JobIdle       JobState = "idle"       // nothing runs, and nothing is wrong
)

// Job is one job in a few figures. Those about runs come from the records that
// were read: see Read.
type Job struct {
	Name        string   `json:"name"`
	State       JobState `json:"state"`
	Description string   `json:"description,omitempty"`

	// Schedule is the expression, and Words the same in English.
	Schedule string `json:"schedule,omitempty"`
	Words    string `json:"words,omitempty"`
	TimeZone string `json:"timeZone,omitempty"`

	// Shards is the number of shards. Of a broadcast it is that of the last
	// assignment.
	Shards int `json:"shards"`

	// Owners is the number of live instances that own shards of the job.
	Owners int `json:"owners"`

	// Read is the number of shards whose records were read. The figures that
	// follow are about these. It is less than Shards where the answer comes
	// from one instance, which reads the records of its own shards only.
	Read    int `json:"read"`
	Running int `json:"running"`
	Late    int `json:"late"`
	Failed  int `json:"failed"`
	Stuck   int `json:"stuck"`
	Unowned int `json:"unowned"`

	// Last is the fire or the trigger that began last. LastEnded is when the
	// last of its runs ended; zero while one runs. LastResult is the worst
	// result of its runs.
	Last       time.Time `json:"last,omitzero"`
	LastEnded  time.Time `json:"lastEnded,omitzero"`
	LastResult string    `json:"lastResult,omitempty"`

	// Due is the oldest fire of a shard that is due and has not begun. Next is
	// the first fire in the future.
	Due  time.Time `json:"due,omitzero"`
	Next time.Time `json:"next,omitzero"`

	// Triggers is the number of triggers that the store keeps. A shard that
	// waits for one says so.
	Triggers int `json:"triggers"`

	// Rev counts the changes of the job; Changed is the last one.
	Rev     uint64 `json:"rev"`
	Changed Change `json:"changed,omitzero"`

	// Reason is why the job is in its state. It is that of the first shard in
	// the state, if a shard decides it.
	Reason Reason `json:"reason"`
}

// Change is who changed a job, and how.
type Change struct {
	By  string    `json:"by,omitempty"`  // a person, or the ID of an instance
	At  time.Time `json:"at,omitzero"`   // by the clock of the writer
	Via string    `json:"via,omitempty"` // code, file, cli, console or api
	Why string    `json:"why,omitempty"`
}

// Trigger is a request for a run that the store keeps. Shards that have begun
// it do not wait for it any more.
type Trigger struct {
	Number uint64    `json:"number"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`

	// Shards are the shards that it is for; empty means all.
	Shards []int `json:"shards,omitempty"`

	// Waiting are the shards that have not begun it.
	Waiting []int `json:"waiting,omitempty"`

	// Parameter replaces the parameters of the shards.
	Parameter string `json:"parameter,omitempty"`
}

// Cancel is a request to end a fire or a trigger. The store keeps it until it
// has done all that it can.
type Cancel struct {
	Number uint64    `json:"number"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Why    string    `json:"why,omitempty"`

	// Fire, or Trigger in its place, names what is to end.
	Fire    time.Time `json:"fire,omitzero"`
	Trigger uint64    `json:"trigger,omitempty"`

	// Shards are the shards that it is for; empty means all.
	Shards []int `json:"shards,omitempty"`
}
