// Package cron computes the times at which a job fires from an expression.
//
// It reads two dialects, and tells them apart without guessing. Five fields,
// and words that begin with @, are Unix. Six or seven fields with ? in exactly
// one of the two day fields are Quartz. Everything else is refused, and the
// error says what to write.
//
// [Parse] reads an expression, [Spec] adds policies, bounds and exceptions,
// [Explain] describes a schedule in words with its next fires, [Check] refuses
// a schedule that has ended, and [Alike] compares two.
//
// A schedule is a pure function of absolute time. Its fires depend neither on
// the argument of Next nor on the start of the process, so every instance of a
// fleet computes the same fires. All fires are whole seconds.
package cron

import "github.com/robfig/cron/v3"

// Schedule is the interface of robfig/cron. Its one method, Next, returns the
// first fire after a given time, or the zero time if there is none. The result
// is in the location of the argument.
//
// The schedules of this package are immutable and safe for concurrent use.
// Their Next allocates no memory.
type Schedule = cron.Schedule
