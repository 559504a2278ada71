package failover

import (
	"slices"
	"time"
)

// Trigger asks for a run of some shards outside the schedule.
type Trigger struct {
	Seq       uint64    // grows from one trigger of a job to the next: a shard begins each one once
	By        string    // the instance that wrote it
	At        time.Time // when it was given, by the clock of whoever gave it
	Shards    []int     // sorted; nil means all
	Parameter string    // for this run, in place of the shard's own
	Resharded time.Time // Policy.Resharded of the job that it was given to
	Enabled   time.Time // when that job, or a shard of it, was enabled last
}

// Manual is what a record says of a run that a trigger asked for. The zero Manual is that of a run of the schedule.
//
// It repeats the trigger, because the run may have to be taken over after the trigger is gone.
type Manual struct {
	At        time.Time
	Parameter string
}

// NextTrigger returns the first of a job's triggers, which are sorted by Seq,
// that a shard has still to begin; nil if there is none.
func NextTrigger(triggers []Trigger, shard int, r Record, p Policy) *Trigger {
	for i, t := range triggers {
		if t.Awaits(shard, r, p) {
			return &triggers[i]
		}
	}
	return nil
}

// Awaits reports whether a shard has still to begin the trigger.
func (t Trigger) Awaits(shard int, r Record, p Policy) bool {
	switch {
	case t.Seq <= r.Trigger:
		return false
	case t.Shards != nil && !slices.Contains(t.Shards, shard):
		return false
	case !p.Resharded.Equal(t.Resharded):
		// The work was divided among another number of shards, and some of it may be done. And what a shard has begun is
		// forgotten when the job loses it: the one of that number which comes later does not know.
		return false
	case p.Enabled.After(t.Enabled):
		return false // the shard was disabled when the trigger was given, or since: that it is enabled begins nothing
	}
	return r.Fence != 0 || t.Seq > p.Passed
}

// BeginTrigger claims a run that a trigger asks for. Fire stays: what the schedule has due is due all the same. Who may: as
// Begin.
func (r Record) BeginTrigger(t Trigger, owner string, now time.Time) Record {
	return Record{
		Fire: r.Fire, Trigger: t.Seq, Manual: Manual{t.At, t.Parameter}, Done: r.Done,
		Fence: r.nextFence(now), State: StateRunning, Owner: owner, Attempt: 1, Started: now,
	}
}

// IsManual says whether the run in progress, or the last one, was asked for by a trigger.
func (r Record) IsManual() bool { return !r.Manual.At.IsZero() }

// Time is the scheduled time of the run in progress, or of the last one; of one that a trigger asked for, when that was given.
func (r Record) Time() time.Time {
	if r.IsManual() {
		return r.Manual.At
	}
	return r.Fire
}
