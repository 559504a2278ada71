package cron

import "time"

// Alike reports whether a and b fire at the same times, from from on and before
// to. If not, at is the first time at which only one of them fires.
//
// Use it to move an expression to another dialect or library. a and b can be
// any schedules, those of robfig/cron included. The cost is a call of Next for
// each fire. Alike panics if a or b is nil.
func Alike(a, b Schedule, from, to time.Time) (alike bool, at time.Time) {
	notNil("Alike", a, b)
	t := from.Add(-time.Nanosecond)
	for {
		x, y := within(a, t, to), within(b, t, to)
		switch {
		case x.IsZero() && y.IsZero():
			return true, time.Time{}
		case !x.Equal(y):
			return false, earlier(x, y)
		}
		t = x
	}
}

// within returns the next fire before to. A foreign schedule that does not
// advance has ended.
func within(s Schedule, t, to time.Time) time.Time {
	next := s.Next(t)
	if !next.After(t) || !next.Before(to) {
		return time.Time{}
	}
	return next
}

func earlier(x, y time.Time) time.Time {
	if x.IsZero() || !y.IsZero() && y.Before(x) {
		return y
	}
	return x
}
