package cron

import (
	"fmt"
	"time"
)

// Between returns s without its fires before start and without those at or
// after end. A zero start or end is no bound. Between panics if s is nil.
func Between(s Schedule, start, end time.Time) Schedule {
	notNil("Between", s)
	return &between{s, start, end}
}

type between struct {
	Schedule
	start, end time.Time
}

func (b *between) Next(t time.Time) time.Time {
	next := b.Schedule.Next(t)
	if !next.IsZero() && next.Before(b.start) {
		next = from(b.Schedule, b.start.In(t.Location()))
	}
	if !b.end.IsZero() && !next.Before(b.end) {
		return time.Time{}
	}
	return next
}

// String returns the schedule and its bounds.
func (b *between) String() string {
	text := fmt.Sprint(b.Schedule)
	if !b.start.IsZero() {
		text += " from " + b.start.Format(time.RFC3339)
	}
	if !b.end.IsZero() {
		text += " until " + b.end.Format(time.RFC3339)
	}
	return text
}

// from returns the first fire of s at or after t, after an earlier fire was
// refused. A schedule that counts from the end of the last run is late already,
// and fires at t.
func from(s Schedule, t time.Time) time.Time {
	if AfterEnd(s) {
		return Delay(0).Next(t.Add(-time.Second)) // rounds up to a whole second
	}
	return s.Next(t.Add(-time.Nanosecond))
}

func (b *between) unwrap() Schedule { return b.Schedule }

// AfterEnd reports whether s counts from the end of the last run, which a
// caller must then pass to Next. Such a schedule is a [Delay], or one with
// bounds or exceptions.
func AfterEnd(s Schedule) bool {
	for {
		if _, ok := s.(Delay); ok {
			return true
		}
		w, ok := s.(interface{ unwrap() Schedule })
		if !ok {
			return false
		}
		s = w.unwrap()
	}
}
