// Package cron turns an expression into the times at which a job fires.
//
// Two dialects are read, and told apart without guessing: five fields, and
// words that begin with @, are Unix; six or seven fields with ? in exactly one
// of the two day fields are Quartz. Everything else is refused, with what to
// write instead.
//
// [Parse] reads an expression, [Spec] adds policies, bounds and exceptions,
// [Explain] tells it in words with its next fires, [Check] refuses what is
// over, and [Alike] compares two.
//
// A schedule is a pure function of absolute time. Its fires depend neither on
// the argument of Next nor on when the process started, so every instance of a
// cluster computes the same ones. All fires are whole seconds.
package cron

import "github.com/robfig/cron/v3"

// Schedule is robfig/cron's: one method, Next, which returns the first fire
// time after the given one, or the zero time when there is none. The result is
// in the location of the argument.
//
// The schedules of this package are immutable and safe for concurrent use, and
// their Next allocates nothing.
type Schedule = cron.Schedule
