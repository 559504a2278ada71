// Package observe tells what a scheduler does: events, and where they go.
package observe

import "time"

// Event is one thing that a scheduler did or saw. Fields that don't apply are
// zero. An event is shared by all observers: don't change what its maps and
// slices hold.
type Event struct {
	Time     time.Time
	Kind     Kind
	Instance string // whose event this is
	Job      string
	Shard    int       // -1 if the event is not about one shard
	Fire     time.Time // the scheduled time of the run, or when its trigger was given; of missed fires the first
	Trigger  uint64    // the trigger that asked for the run; zero: the schedule
	Attempt  int
	Fence    uint64
	Result   string        // of a run: ok, failed, skipped, lost, replaced, cancelled
	Took     time.Duration // of a run, by its instance's monotonic clock; of a wait that is over, how long it lasted
	Subject  string        // another instance, or a key of the store
	Detail   string        // in words, for people; may be worded differently in the next version
	Err      error

	// Code names the reason of the event for programs, in snake_case, such as
	// "job_disabled". A code keeps its meaning in later versions, and new ones
	// are added; docs/events.md lists them. Empty: the kind says all.
	Code string

	// Args are the values that the reason is about, by their names, such as
	// "limit": "4". Which there are depends on Code. Nil: none.
	Args map[string]string

	// Count is how many things the event stands for, such as missed fires.
	// Zero: the event is about one thing, or the number is not known.
	Count int

	// Until is the last of the fires that the event is about; Fire is the
	// first. Zero: the event is about one fire, or none.
	Until time.Time
}

// Kind is what happened.
type Kind string

// The kinds. Those marked (alarm) need a person sooner or later.
const (
	Joined         Kind = "joined"          // the instance has a session and is known to the others
	Left           Kind = "left"            // it said good-bye
	SessionLost    Kind = "lost"            // (alarm) it lost its session: its runs are cancelled but for those that carry on, and it joins again as another instance
	Appeared       Kind = "appeared"        // another instance, Subject, is there
	Vanished       Kind = "vanished"        // another instance, Subject, is gone
	Assigned       Kind = "assigned"        // this instance assigned a job's shards
	Gained         Kind = "gained"          // the shard is this instance's from now on
	Dropped        Kind = "dropped"         // the shard is no longer this instance's
	Began          Kind = "began"           // a run began
	TookOver       Kind = "took over"       // the run of a dead instance, Subject, began again here
	Reclaimed      Kind = "reclaimed"       // a run that went on while its instance had no session was claimed anew
	Retrying       Kind = "retrying"        // a handler returned Err, and is called again
	Ended          Kind = "ended"           // a run ended, with Result
	HandedOver     Kind = "handed over"     // a run was left to the next owner
	Abandoned      Kind = "abandoned"       // (alarm) a run was given up: its instance, Subject, died
	Missed         Kind = "missed"          // (alarm) fires from Fire on will not be run, as the job's policies have it
	Stuck          Kind = "stuck"           // (alarm) a handler ignores that its context has ended
	Panicked       Kind = "panicked"        // (alarm) a handler panicked: Detail has the stack
	Unreadable     Kind = "unreadable"      // (alarm) the value of the key Subject can't be read. It is left alone, and so is its job
	Stray          Kind = "stray key"       // (alarm) the key Subject is none of this program's. It is ignored
	FutureFire     Kind = "future fire"     // (alarm) a record's fire lies in the future: some clock is or was wrong
	Scheduled      Kind = "scheduled"       // the job's schedule, in words and with its next fires
	Refused        Kind = "refused"         // (alarm) the job given here never fires again, and was not put into the store
	Changed        Kind = "changed"         // the job in the store was changed, disabled, enabled or removed, as Code says, or it or shards of it are disabled when it is first seen
	Leaving        Kind = "leaving"         // this instance leaves, and Detail says which runs it waits for; told when it begins to, and every five seconds
	Differs        Kind = "differs"         // (alarm) the job in the store is not the one given here, and wins
	ClockOff       Kind = "clock off"       // (alarm) this instance's clock differs from others'; if from most, it begins nothing
	ClockAgrees    Kind = "clock agrees"    // it no longer does
	Evicted        Kind = "evicted"         // (alarm) this instance declared another, Subject, dead
	Waiting        Kind = "waiting"         // (alarm) a job, or a shard of it, does not run, and Code, Args and Detail say why; told once
	WaitingOver    Kind = "waiting over"    // the reason that Waiting gave with this Code is gone, after Took
	ObserverFailed Kind = "observer failed" // (alarm) an observer, such as a logger, panicked, blocks, or is so slow that it lost Count events
	Trouble        Kind = "trouble"         // (alarm) the store refuses or does not answer
	Recovered      Kind = "recovered"       // it does again
)

// Alarm reports whether events of this kind need a person, sooner or later. The
// log shows them at level Warn, and package alarm sends them by default. Besides
// them, runs that failed do; see [Event.Alarm].
func (k Kind) Alarm() bool {
	switch k {
	case SessionLost, Abandoned, Missed, Stuck, Panicked, Unreadable, Stray, FutureFire, Trouble, Refused, Differs,
		ClockOff, Evicted, Waiting, ObserverFailed:
		return true
	}
	return false
}

// Alarm reports whether the event needs a person, sooner or later: because of
// its kind, or because it is the end of a run that failed.
func (e Event) Alarm() bool {
	return e.Kind.Alarm() || e.Kind == Ended && e.Result == "failed"
}
