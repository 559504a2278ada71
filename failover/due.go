package failover

import (
	"time"

	"github.com/elasticjob-go/elastic/cron"
)

// Misfire says what becomes of fires that nobody began in time: because the shard was still running, because its owner
// died a millisecond before, because the whole fleet was down over night.
type Misfire string

// The misfire policies.
const (
	Once Misfire = "once" // the latest is run, one time, for all of them
	Skip Misfire = "skip" // none is run; a fire younger than the window is late, not missed
	All  Misfire = "all"  // each is run, in order
)

// Window returns how late a fire may begin under m when the job does not say: a minute where missed fires are skipped,
// as in Quartz; a day where each is made up for, which bounds how many there can be; for ever (zero) where one run stands for
// all.
func (m Misfire) Window() time.Duration {
	switch m {
	case Skip:
		return time.Minute
	case All:
		return 24 * time.Hour
	}
	return 0
}

// MaxSkew is how far in the future a record's fire may lie before it counts as the work of a broken clock. Instances whose
// clocks differ by less agree on everything; time synchronisation keeps machines within a tenth of a second.
const MaxSkew = 5 * time.Second

// due is what a schedule asks for at a moment.
type due struct {
	fire   time.Time // the fire to begin; zero if there is none
	missed time.Time // the first of the fires before it, or before now, that will not be run; zero if there is none
	next   time.Time // the first fire in the future; zero if there is none. Only set if fire is zero
}

// due returns the fire of the schedule that is due: one after base and not after now.
//
// base is the later of the record's fire and the moment since which the schedule has been in force. Nothing is remembered
// about missed fires: one that nobody began is simply still due.
func (p Policy) due(r Record, now time.Time) due {
	if p.Disabled {
		return due{}
	}
	base := p.base(r, now)
	now = now.Add(-p.Delay) // a fire is due when its delay has passed
	first := p.Schedule.Next(base)
	if first.IsZero() || first.After(now) {
		return due{next: p.delayed(first)}
	}
	if p.AfterEnd {
		return due{fire: first} // there is one, whenever it comes
	}
	window := p.Window
	if window == 0 {
		window = p.Misfire.Window()
	}
	var fire time.Time
	if p.Misfire == All {
		fire = first
		if oldest := now.Add(-window); fire.Before(oldest) {
			fire = p.Schedule.Next(oldest.Add(-1)) // -1: a fire at that very moment is still in the window
		}
	} else {
		fire = latest(p.Schedule, first, now)
		if window > 0 && now.Sub(fire) > window {
			fire = time.Time{}
		}
	}
	if fire.IsZero() || fire.After(now) {
		return due{missed: first, next: p.delayed(p.Schedule.Next(now))}
	}
	if fire.Equal(first) {
		first = time.Time{}
	}
	return due{fire: fire, missed: first}
}

// delayed is when a fire of the schedule is due.
func (p Policy) delayed(fire time.Time) time.Time {
	if fire.IsZero() {
		return fire
	}
	return fire.Add(p.Delay)
}

// base is the time after which fires count: the latest of what the policy and the record name.
//
// The first fire that begins puts a record right whose own fire is not credible.
func (p Policy) base(r Record, now time.Time) time.Time {
	var base time.Time
	later := func(t time.Time) {
		if t = Credible(t, now); t.After(base) {
			base = t
		}
	}
	later(p.Since)
	if r.Fire.IsZero() {
		later(p.Resharded) // earlier fires were divided among fewer shards
		later(p.Grown)
	}
	later(r.Fire)
	if r.State == Idle && (p.AfterEnd || p.Overlap == OverlapSkip) {
		later(r.Ended) // the fires that came while it ran don't count
	}
	return base
}

// Credible returns a time that says from when on fires count, as far as it can be believed. One that lies further in the future than clocks may
// differ was written by a broken clock. It must not silence a shard until then, so it does not count; but as it is not known what ran before
// it, only fires of this very moment count then. The nearer such a time comes the more credible it looks: who can should ask with the moment at
// which it learned of it.
func Credible(t, now time.Time) time.Time {
	if t.Sub(now) > MaxSkew {
		return now.Add(-moment)
	}
	return t
}

// moment is how long after its time a fire counts as one of this very moment: longer than a busy process needs to wake.
const moment = time.Second

// InFuture says whether the record's fire lies further in the future than clocks may differ: it was written by a broken clock.
func InFuture(r Record, now time.Time) bool { return r.Fire.Sub(now) > MaxSkew }

// latest returns the last fire of s that is not after now. fire is one of them.
//
// It halves the span that is left, so that a fleet which comes back after a month does not step through millions of seconds.
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
