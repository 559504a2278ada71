// Package observe has the events of a scheduler, and an observer that logs
// them.
package observe

import "time"

// Event is one action or observation of a scheduler. Fields that do not apply
// are zero. All observers share an event, so they must not change its maps and
// slices. docs/events.md describes the kinds, the codes and their arguments.
type Event struct {
	Time     time.Time
	Kind     Kind
	Instance string // the instance whose event this is
	Job      string

	// Shard is the number of the shard; -1 if the event is not about one shard.
	Shard int

	// Fire is the scheduled time of the run, or the time of its trigger. Of
	// several missed fires it is the first.
	Fire time.Time

	// Trigger is the number of the run's trigger; 0 if the schedule began the
	// run.
	Trigger uint64

	// Due is when the run should have begun: its fire and the delay by the
	// job's jitter, or the time of its trigger. It is zero for a job that
	// follows others, as such a run is due when they have ended.
	Due time.Time

	// Late is by how much later than Due the handler was first called in this
	// attempt, by the clock of the instance. It is never negative.
	Late time.Duration

	// Started is when the handler was first called in this attempt, by the
	// clock of the instance. It is zero if the event is not about a run of this
	// instance.
	Started time.Time

	// Attempt counts the attempts at the run, from 1.
	Attempt int

	// Retries is how often the handler was called again in this attempt. It is
	// set when the handler has returned for the last time.
	Retries int

	// Total is the number of shards of the job when the run was claimed, and
	// Rev the revision of the job. They are zero if the event is not about a
	// run of this instance; an abandoned run has Total.
	Total int
	Rev   uint64

	// Prior is the attempt that came before the one of this event, or that is
	// given up. It is set for TookOver, Reclaimed and Abandoned. The instance
	// of that attempt may be dead, so no event of its own tells how it ended.
	Prior Prior

	// Fence is the fence of the run's claim; 0 if the job has no claims.
	Fence uint64

	// Result is the result of a run: ok, failed, skipped, lost, replaced or
	// cancelled.
	Result string

	// Took is the duration of a run, by the monotonic clock of its instance, or
	// of a wait that is over.
	Took time.Duration

	Subject string // another instance, or a key of the store

	// Detail describes the reason for people. Its wording can change in any
	// version.
	Detail string

	Err error

	// Code names the reason for programs, in snake_case, such as
	// "job_disabled". It keeps its meaning in later versions, which can add
	// codes. Empty means that the kind has no further reason.
	Code string

	// Args are the values of the reason by name, such as "limit": "4". Their
	// names depend on Code.
	Args map[string]string

	// Count is the number of things that the event is about, such as missed
	// fires. 0 means one, or that the number is unknown. Of missed fires it is
	// at most 1,000; if there are more, Args has "more".
	Count int

	// Until is the last of several fires, of which Fire is the first. It is
	// zero if the event is about one fire, or none.
	Until time.Time
}

// Manual reports whether a trigger, and not the schedule, began the run.
func (e Event) Manual() bool { return e.Trigger != 0 }

// Prior is an attempt as the record of its shard has it. The zero Prior is
// none.
type Prior struct {
	Owner   string // the instance of the attempt; empty if it was handed over
	Fence   uint64 // of its last claim; 0 if the job has no claims
	Attempt int    // from 1

	// Started is when the attempt was claimed, by the clock of its instance.
	Started time.Time
}

// Kind is the kind of an event.
type Kind string

// The kinds of events. Those marked "alarm" need a person, sooner or later.
const (
	// The instance has a session, and the others see it.
	Joined Kind = "joined"
	// The instance left in good order.
	Left Kind = "left"
	// Alarm: the instance lost its session. It cancels its runs, except those
	// that carry on, and joins again under a new ID.
	SessionLost Kind = "lost"
	// Another instance, Subject, joined.
	Appeared Kind = "appeared"
	// Another instance, Subject, left or died.
	Vanished Kind = "vanished"
	// The instance wrote the assignment of a job.
	Assigned Kind = "assigned"
	// The instance became the owner of a shard.
	Gained Kind = "gained"
	// The instance is no longer the owner of a shard.
	Dropped Kind = "dropped"
	// A run began.
	Began Kind = "began"
	// The run of another instance, Subject, began again here.
	TookOver Kind = "took over"
	// A run that continued without a session was claimed again.
	Reclaimed Kind = "reclaimed"
	// A handler returned Err, and will be called again.
	Retrying Kind = "retrying"
	// A run ended, with Result. It is an alarm if the run failed.
	Ended Kind = "ended"
	// A run was left unfinished for the shard's next owner.
	HandedOver Kind = "handed over"
	// Alarm: a run whose instance, Subject, died is not repeated.
	Abandoned Kind = "abandoned"
	// Alarm: fires were due and will not be run, because of the job's policies.
	Missed Kind = "missed"
	// Alarm: a handler has not returned though its context has ended.
	Stuck Kind = "stuck"
	// Alarm: a handler panicked. Detail has the stack.
	Panicked Kind = "panicked"
	// Alarm: the value of the key Subject cannot be read. The key is left as it
	// is, and its job, shard or instance does nothing.
	Unreadable Kind = "unreadable"
	// Alarm: the key Subject is not one of this package's keys. It is ignored.
	Stray Kind = "stray key"
	// Alarm: a record has a fire in the future, so some clock is or was wrong.
	FutureFire Kind = "future fire"
	// Detail describes the job's schedule, with its next fires.
	Scheduled Kind = "scheduled"
	// Alarm: a job that was added will never fire again, and was not put into
	// the store.
	Refused Kind = "refused"
	// The stored job was changed, disabled, enabled or removed, as Code says.
	// The event is also given for a job that is disabled, or has disabled
	// shards, when it is first seen.
	Changed Kind = "changed"
	// A job that was added is not in the namespace: an operator removed it, or
	// it was moved, as Code says. Nothing of it runs, and to add it, with
	// Overwrite as well, does not bring it back.
	Removed Kind = "removed"
	// The instance leaves and waits for the runs in Detail. The event is given
	// at the begin and then every five seconds.
	Leaving Kind = "leaving"
	// Alarm: the stored job differs from the one that was added, and wins.
	Differs Kind = "differs"
	// Alarm: the instance's clock differs from those of others. If it differs
	// from most, the instance begins no run.
	ClockOff Kind = "clock off"
	// The clocks agree again.
	ClockAgrees Kind = "clock agrees"
	// Alarm: the instance declared another, Subject, dead.
	Evicted Kind = "evicted"
	// Alarm: a job or shard does not run, for the reason in Code, Args and
	// Detail. The event is given once.
	Waiting Kind = "waiting"
	// The reason of Waiting with this Code is gone, after Took.
	WaitingOver Kind = "waiting over"
	// Alarm: an observer, such as a logger, panicked, blocks, or was so slow
	// that it lost Count events.
	ObserverFailed Kind = "observer failed"
	// Alarm: the store refuses or does not answer, or a function of the program
	// failed.
	Trouble Kind = "trouble"
	// All that Trouble was about works again.
	Recovered Kind = "recovered"
	// Alarm: rows of history cannot be written, or are dropped. Count is the
	// number of rows that were dropped. Runs go on.
	HistoryFailing Kind = "history failing"
	// Rows of history are written again. Count is the number of rows that were
	// dropped.
	HistoryRecovered Kind = "history recovered"
)

// Alarm reports whether events of this kind need a person, sooner or later.
// [Log] writes them at level Warn, and package alarm sends them by default. The
// end of a run that failed is an alarm too; see [Event.Alarm].
func (k Kind) Alarm() bool {
	switch k {
	case SessionLost, Abandoned, Missed, Stuck, Panicked, Unreadable, Stray, FutureFire, Trouble, Refused, Differs,
		ClockOff, Evicted, Waiting, ObserverFailed, HistoryFailing:
		return true
	}
	return false
}

// Alarm reports whether the event needs a person, sooner or later, because of
// its kind, or because it is the end of a run that failed.
func (e Event) Alarm() bool {
	return e.Kind.Alarm() || e.Kind == Ended && e.Result == "failed"
}
