package failover

import (
	"slices"
	"time"
)

// Trigger asks for a run of some shards outside the schedule.
type Trigger struct {
	// Seq grows from one trigger of a job to the next. A shard begins each
	// once.
	Seq uint64

	// By is the ID of the instance that wrote it, and At the time by its clock.
	By string
	At time.Time

	// Shards are the targeted shards, sorted; nil means all.
	Shards []int

	// Parameter replaces the parameter of the shard for this run.
	Parameter string

	// Resharded is Policy.Resharded of the job at that time. Enabled is when
	// the job, or a shard of it, was last enabled.
	Resharded time.Time
	Enabled   time.Time

	// TraceParent is the traceparent of the span that gave the trigger; empty
	// if there is none. It is no part of the record.
	TraceParent string
}

// Manual is the part of a trigger that a record keeps. The zero Manual is that
// of a scheduled run. The record keeps it because the run may be taken over
// after the trigger is gone.
type Manual struct {
	At        time.Time
	Parameter string
}

// NextTrigger returns the first of the triggers of a job, which are sorted by
// Seq, that a shard has not begun yet; nil if there is none.
func NextTrigger(triggers []Trigger, shard int, r Record, p Policy) *Trigger {
	for i, t := range triggers {
		if t.Awaits(shard, r, p) {
			return &triggers[i]
		}
	}
	return nil
}

// Awaits reports whether a shard must still begin the trigger.
func (t Trigger) Awaits(shard int, r Record, p Policy) bool {
	switch {
	case t.Seq <= r.Trigger:
		return false
	case t.Shards != nil && !slices.Contains(t.Shards, shard):
		return false
	case !p.Resharded.Equal(t.Resharded):
		// The work was divided among another number of shards, and some of it
		// may be done. When a job loses a shard, its record is deleted, so a
		// later shard of that number does not know which triggers have begun.
		return false
	case p.Enabled.After(t.Enabled):
		// The shard was disabled when the trigger was given, or since. Enabling
		// it begins nothing.
		return false
	}
	return r.Fence != 0 || t.Seq > p.Passed
}

// BeginTrigger claims a triggered run. Fire stays, so the due fires of the
// schedule stay due. The conditions are those of Begin.
func (r Record) BeginTrigger(t Trigger, owner string, now time.Time) Record {
	return Record{
		Fire:    r.Fire,
		Trigger: t.Seq,
		Manual:  Manual{t.At, t.Parameter},
		Done:    r.Done,
		Fence:   r.nextFence(now),
		State:   StateRunning,
		Owner:   owner,
		Attempt: 1,
		Started: now,
	}
}

// IsManual reports whether the current run, or the last one, was triggered.
func (r Record) IsManual() bool { return !r.Manual.At.IsZero() }

// Time returns the scheduled time of the current run, or of the last one. For a
// triggered run it is the time of the trigger.
func (r Record) Time() time.Time {
	if r.IsManual() {
		return r.Manual.At
	}
	return r.Fire
}
