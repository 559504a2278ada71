package status

import "time"

// ShardState is the state of a shard.
type ShardState string

// The states of a shard.
const (
	ShardIdle       ShardState = "idle"       // it waits for the next fire
	ShardRunning    ShardState = "running"    // a live instance runs it
	ShardLate       ShardState = "late"       // a fire has been due for LateAfter, and nothing runs
	ShardStuck      ShardState = "stuck"      // the instance of its run is gone, and no live instance owns the shard
	ShardUnowned    ShardState = "unowned"    // no live instance owns it
	ShardDisabled   ShardState = "disabled"   // it begins nothing, by itself or with its job
	ShardUnreadable ShardState = "unreadable" // its record can't be read
	ShardUnread     ShardState = "unread"     // its record was not read
)

// LateAfter is how long a fire is due before its shard counts as late. It is
// longer than an instance needs to begin a fire, and as long as clocks may
// differ.
const LateAfter = 5 * time.Second

// Shard is one shard of a job.
type Shard struct {
	Job   string     `json:"job"`
	Shard int        `json:"shard"`
	State ShardState `json:"state"`

	// Owner is the ID of the instance that the assignment names. It is empty if
	// there is none. OwnerAlive reports whether that instance is live.
	Owner      string `json:"owner,omitempty"`
	OwnerAlive bool   `json:"ownerAlive"`

	// RunsOn is the ID of the instance whose run is in progress. It can be
	// another than Owner: a shard that moves finishes where it is. It is empty
	// if nothing runs, and after a hand-over.
	RunsOn string `json:"runsOn,omitempty"`

	// What follows is the run in progress, or the last one. All fields are zero
	// if the shard never ran.

	// Fire is the scheduled time of the run, or the time of its trigger.
	Fire time.Time `json:"fire,omitzero"`

	// Trigger is the number of the run's trigger; 0 if the schedule began it.
	Trigger uint64 `json:"trigger,omitempty"`

	Attempt int    `json:"attempt,omitempty"`
	Fence   uint64 `json:"fence,omitempty"`

	// Started is the begin of the last attempt, by the clock of its instance.
	// Ended is zero during a run.
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`

	// Result is ok, failed, skipped, lost, replaced or cancelled; empty during
	// a run. Error is the error of the handler, at most 512 bytes.
	Result string `json:"result,omitempty"`
	Error  string `json:"error,omitempty"`

	// Due is a fire whose time has come and that has not begun. Next is the
	// first fire in the future. Both are zero if there is none, or if that
	// depends on the end of a run.
	Due  time.Time `json:"due,omitzero"`
	Next time.Time `json:"next,omitzero"`

	// Reason says why the shard runs, or why it does not run now.
	Reason Reason `json:"reason"`
}
