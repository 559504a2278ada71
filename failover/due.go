package failover

import (
	"time"

	"github.com/elasticjob-go/elastic/cron"
)

// Misfire is the policy for fires that did not begin in time: because the shard
// was still running, because its owner died a millisecond before, or because
// the whole fleet was down over night.
type Misfire string

// The misfire policies.
const (
	MisfireOnce Misfire = "once" // the latest is run once, for all of them
	MisfireSkip Misfire = "skip" // none is run; a fire younger than the window is late and not missed
	MisfireAll  Misfire = "all"  // each is run, in order
)

// Window returns how late a fire may begin if the job does not set it. It is a
// minute for MisfireSkip, as in Quartz. It is a day for MisfireAll, which
// bounds the number of fires. It is zero, no bound, for MisfireOnce.
func (m Misfire) Window() time.Duration {
	switch m {
	case MisfireSkip:
		return time.Minute
	case MisfireAll:
		return 24 * time.Hour
	}
	return 0
}

// MaxSkew is how far in the future a stored time may lie. A time beyond it was
// written by a wrong clock. Instances whose clocks differ by less agree on
// everything. Time synchronisation keeps hosts within a tenth of a second.
const MaxSkew = 5 * time.Second

// Credible returns stored, a time after which fires count. If a wrong clock has
// written it, Credible returns learned, the time at which this instance learned
// of it.
//
// A time that lies further in the future than clocks may differ must not
// silence a shard until then. The replacement is fixed. If it moved with the
// clock, a fire that begins some time after it, because of a delay or because
// its schedule counts from the end of a run, would never be due. As the stored
// time comes nearer, it looks more and more credible. So callers must pass the
// time at which they learned of it, not the current time.
func Credible(stored, learned time.Time) time.Time {
	if inFuture(stored, learned) {
		return learned
	}
	return stored
}

// inFuture reports whether a stored time, when it was learned, lay further in
// the future than clocks may differ. A wrong clock has then written it.
func inFuture(stored, learned time.Time) bool { return stored.Sub(learned) > MaxSkew }

// InFuture reports whether the record's fire lay further in the future than
// clocks may differ when this instance learned of it.
func InFuture(r Record, learned time.Time) bool { return inFuture(r.Fire, learned) }

// Learned holds the times at which this instance learned of the stored times of
// a decision, by its wall clock as it is now. A zero time stands for the time
// of the decision.
type Learned struct {
	Since, Enabled, Resharded, Grown time.Time // of the Policy
	Fire, Ended                      time.Time // of the Record
}

// believe returns policy and record with credible times in place of those that
// a wrong clock has written. dropped is the time up to which fires do not count
// only because of such a time; zero if there is none.
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

// due is the demand of a schedule at a moment.
type due struct {
	fire   time.Time // the fire to begin; zero if there is none
	missed span      // the fires before fire, or before now, that will not be run
	next   time.Time // the first fire in the future, or zero; only set if fire is zero
}

// span is the fires of a schedule from first on and before a moment. The zero
// span is empty.
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
	window := p.MaxLate()
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

// next returns the first fire after a time, without the fire that has begun by
// a clock that was ahead.
func (p Policy) next(after time.Time) time.Time {
	fire := p.Schedule.Next(after)
	if !fire.IsZero() && fire.Equal(p.begun) {
		fire = p.Schedule.Next(fire)
	}
	return fire
}

// MaxLate returns how late a fire may begin, beside its delay; zero means no
// bound.
func (p Policy) MaxLate() time.Duration {
	if p.Window == 0 {
		return p.Misfire.Window()
	}
	return p.Window
}

// delayed returns the time at which a fire is due.
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

// latest returns the last fire of s that is not after now. fire must be one of
// them. It halves the remaining span, so that a fleet that comes back after a
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

// MaxMissed limits the count of missed fires. A greater count means "or more".
const MaxMissed = 1000

// CountMissed returns the number of missed fires of d, at most MaxMissed+1, and
// the last of them. It calls the schedule for each fire, so it is for reports
// and not for every decision.
func (p Policy) CountMissed(d Decision) (count int, last time.Time) {
	for fire := d.Missed; !fire.IsZero() && fire.Before(d.MissedBefore); fire = p.Schedule.Next(fire) {
		count, last = count+1, fire
		if count > MaxMissed {
			return count, latest(p.Schedule, fire, d.MissedBefore.Add(-1))
		}
	}
	return count, last
}

// Due returns the fire that is due for a shard, or zero if there is none. next
// is the first fire in the future; it is zero if there is none, or if it
// depends on the end of a run.
func (p Policy) Due(v View) (fire, next time.Time) {
	p, r, _ := p.believe(v.Record, v.Learned, v.Now)
	if p.Disabled {
		return time.Time{}, time.Time{}
	}
	if p.AfterEnd && r.State == StateRunning {
		return time.Time{}, time.Time{}
	}
	d := p.due(r, v.Now)
	if d.fire.IsZero() || p.AfterEnd {
		return d.fire, d.next
	}
	return d.fire, p.delayed(p.next(v.Now.Add(-p.Delay)))
}

// IsFire reports whether the schedule has a fire at a time.
func (p Policy) IsFire(t time.Time) bool { return p.Schedule.Next(t.Add(-1)).Equal(t) }
