package failover

import (
	"time"

	"github.com/elasticjob-go/elastic/cron"
)

// Misfire is the policy for fires that did not begin in time: because the shard
// was still running, because its owner died a millisecond before, because the
// whole fleet was down over night.
type Misfire string

// The misfire policies.
const (
	MisfireOnce Misfire = "once" // the latest is run, one time, for all of them
	MisfireSkip Misfire = "skip" // none is run; a fire younger than the window is late, not missed
	MisfireAll  Misfire = "all"  // each is run, in order
)

// Window returns how late a fire may begin under m when the job does not say: a
// minute where missed fires are skipped, as in Quartz; a day where each is made
// up for, which bounds how many there can be; for ever (zero) where one run
// stands for all.
func (m Misfire) Window() time.Duration {
	switch m {
	case MisfireSkip:
		return time.Minute
	case MisfireAll:
		return 24 * time.Hour
	}
	return 0
}

// MaxSkew is how far in the future a stored time may lie before it counts as
// the work of a broken clock. Instances whose clocks differ by less agree on
// everything; time synchronisation keeps machines within a tenth of a second.
const MaxSkew = 5 * time.Second

// Credible returns a stored time that says from when on fires count, or, if a
// broken clock has written it, the moment at which this instance learned of it.
//
// A time that lies further in the future than clocks may differ must not
// silence a shard until then. The moment that replaces it is fixed. If it moved
// with the clock, a fire that begins some time after it, because of a delay or
// because its schedule counts from the end of a run, would never be due. And as
// the time comes nearer it looks more and more credible, so it is judged by the
// moment at which it was learned, not by the present.
func Credible(stored, learned time.Time) time.Time {
	if inFuture(stored, learned) {
		return learned
	}
	return stored
}

// inFuture reports whether a stored time lay further in the future than clocks
// may differ when it was learned: a broken clock has written it.
func inFuture(stored, learned time.Time) bool { return stored.Sub(learned) > MaxSkew }

// InFuture reports whether the record's fire lay further in the future than
// clocks may differ when this instance learned of it.
func InFuture(r Record, learned time.Time) bool { return inFuture(r.Fire, learned) }

// Learned holds the moments at which this instance learned of the stored times
// that a decision rests on, by its wall clock as it is now. A zero moment
// stands for the moment of the decision.
type Learned struct {
	Since, Enabled, Resharded, Grown time.Time // of the Policy's
	Fire, Ended                      time.Time // of the Record's
}

// believe returns policy and record with credible times in place of those that
// a broken clock has written. All that follows rests on these. dropped is the
// time up to which fires don't count for such a time alone; zero if there is
// none.
func (p Policy) believe(r Record, l Learned, now time.Time) (_ Policy, _ Record, dropped time.Time) {
	judge := func(stored *time.Time, learned time.Time) (replaced bool) {
		if learned.IsZero() {
			learned = now
		}
		replaced = inFuture(*stored, learned)
		*stored = Credible(*stored, learned)
		return replaced
	}
	judge(&r.Ended, l.Ended)
	judge(&p.Resharded, l.Resharded)
	judge(&p.Grown, l.Grown)
	replaced := judge(&p.Since, l.Since)
	if judge(&p.Enabled, l.Enabled) && p.Enabled.After(p.Since) || replaced && !p.Enabled.After(p.Since) {
		dropped = later(p.Since, p.Enabled)
	}
	fire := r.Fire
	if judge(&r.Fire, l.Fire) {
		p.begun = fire
		dropped = time.Time{} // it is not known which fires were run
	}
	return p, r, dropped
}

// due is what a schedule asks for at a moment.
type due struct {
	fire   time.Time // the fire to begin; zero if there is none
	missed span      // the fires before it, or before now, that will not be run
	next   time.Time // the first fire in the future; zero if there is none. Only set if fire is zero
}

// span is the fires of a schedule from the first on and before a moment. The
// zero span has none.
type span struct {
	first, before time.Time
	why           Code
}

// due returns the fire of the schedule that is due: one after base and not
// after now. The times of p and r must be credible.
//
// base is the later of the record's fire and the moment since which the
// schedule has been in force. Nothing is remembered about missed fires: one
// that has not begun is simply still due.
func (p Policy) due(r Record, now time.Time) due {
	if p.Disabled {
		return due{}
	}
	base := p.base(r)
	now = now.Add(-p.Delay) // a fire is due when its delay has passed
	first := p.next(base)
	if first.IsZero() || first.After(now) {
		return due{next: p.delayed(first)}
	}
	if p.AfterEnd {
		return due{fire: first} // there is one, whenever it comes
	}
	window := p.window()
	var fire time.Time
	why := CodeMissedSuperseded
	if p.Misfire == MisfireAll {
		fire, why = first, CodeMissedTooLate
		if oldest := now.Add(-window); fire.Before(oldest) {
			fire = p.next(oldest.Add(-1)) // -1: a fire at that very moment is still in the window
		}
	} else {
		fire = latest(p.Schedule, first, now)
		if fire.Equal(p.begun) {
			fire = latest(p.Schedule, first, p.begun.Add(-1))
		}
		if window > 0 && now.Sub(fire) > window {
			fire = time.Time{}
		}
	}
	if fire.IsZero() || fire.After(now) {
		return due{missed: span{first, now.Add(1), CodeMissedTooLate}, next: p.delayed(p.next(now))}
	}
	if fire.Equal(first) {
		return due{fire: fire}
	}
	return due{fire: fire, missed: span{first, fire, why}}
}

// next returns the first fire after a time, but for the one that has begun by a
// clock that was ahead.
func (p Policy) next(after time.Time) time.Time {
	fire := p.Schedule.Next(after)
	if !fire.IsZero() && fire.Equal(p.begun) {
		fire = p.Schedule.Next(fire)
	}
	return fire
}

// window returns how late a fire may begin; zero: for ever.
func (p Policy) window() time.Duration {
	if p.Window == 0 {
		return p.Misfire.Window()
	}
	return p.Window
}

// delayed returns when a fire of the schedule is due.
func (p Policy) delayed(fire time.Time) time.Time {
	if fire.IsZero() {
		return fire
	}
	return fire.Add(p.Delay)
}

// Base returns the time after which fires count for a shard.
func (p Policy) Base(v View) time.Time {
	p, r, _ := p.believe(v.Record, v.Learned, v.Now)
	return p.base(r)
}

// base returns the time after which fires count: the latest of those that the
// policy and the record name.
func (p Policy) base(r Record) time.Time {
	base := later(later(p.Since, p.Enabled), later(p.Came, r.Fire))
	if r.Fire.IsZero() { // earlier fires were divided among fewer shards
		base = later(base, later(p.Resharded, p.Grown))
	}
	switch {
	case r.State != StateIdle:
	case p.AfterEnd:
		base = later(base, r.Ended)
	case p.Overlap == OverlapSkip && !r.Ended.IsZero():
		base = later(base, r.Ended.Add(-p.Delay)) // what was due while it ran does not count
	}
	return base
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// latest returns the last fire of s that is not after now. fire is one of them.
//
// It halves the span that is left, so that a fleet which comes back after a
// month does not step through millions of seconds.
func latest(s cron.Schedule, fire, now time.Time) time.Time {
	end := now // no fire lies in (end, now]
	for {
		next := s.Next(fire)
		if next.IsZero() || next.After(now) {
			return fire
		}
		middle := fire.Add(end.Sub(fire) / 2)
		if late := s.Next(middle); late.IsZero() || late.After(now) {
			fire, end = next, middle
		} else {
			fire = late
		}
	}
}

// MaxMissed bounds how many missed fires are counted. A count of more stands
// for "or more".
const MaxMissed = 1000

// CountMissed returns how many fires d says are missed, at most MaxMissed+1,
// and the last of them. It asks the schedule for each, so it is for reports and
// not for every decision.
func (p Policy) CountMissed(d Decision) (count int, last time.Time) {
	for fire := d.Missed; !fire.IsZero() && fire.Before(d.MissedBefore); fire = p.Schedule.Next(fire) {
		count, last = count+1, fire
		if count > MaxMissed {
			return count, latest(p.Schedule, fire, d.MissedBefore.Add(-1))
		}
	}
	return count, last
}
