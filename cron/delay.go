package cron

import (
	"time"

	"github.com/elasticjob-go/elastic/internal/years"
)

// Delay is a fixed time after the end of the last run, "@after 10m".
//
// Unlike other schedules it is not a function of absolute time, but of the end
// of the last run, which instances share because it is recorded. A scheduler
// must treat it specially: detect it by [AfterEnd], and pass the end of the
// last run to Next in place of the last fire. Delay implements [Schedule] so
// that it can be stored and explained as others.
//
// Parse makes delays of whole seconds from 1 s. The zero value fires in the
// next second.
type Delay time.Duration

func parseDelay(f field) (Schedule, error) {
	d, err := f.seconds()
	return Delay(d), err
}

// Next returns end plus the delay, rounded up to a whole second as fires are.
// It returns the zero time if that lies after the year 9999.
func (d Delay) Next(end time.Time) time.Time {
	next := end.Add(time.Duration(d))
	whole := next.Unix()
	if next.Nanosecond() > 0 || !next.After(end) {
		whole++
	}
	if whole > years.Last {
		return time.Time{}
	}
	return time.Unix(whole, 0).In(end.Location())
}
