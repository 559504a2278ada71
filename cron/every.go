package cron

import (
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/internal/years"
)

// every fires at the multiples of a number of seconds since 1970.
type every int64

// Every returns a schedule that fires at every multiple of d since 1970-01-01
// 00:00:00 UTC, in any time zone: Every(15 * time.Minute) at the quarters of an
// hour, Every(24 * time.Hour) at midnight UTC. "@every 15m" is the same.
//
// robfig/cron counts from the moment at which it is asked. Instances of a fleet
// start at different moments, so each would compute other fires. A fixed grid
// is the same for all, and survives restarts. If d does not divide a day, as
// 7h, the fires are at other clock times each day.
//
// A d below a second, or not of whole seconds, is refused.
func Every(d time.Duration) (Schedule, error) {
	if d < time.Second || d%time.Second != 0 {
		return nil, fmt.Errorf("an interval of %v: want whole seconds from 1s", d)
	}
	return every(d / time.Second), nil
}

func parseEvery(f field) (Schedule, error) {
	d, err := f.seconds()
	if err != nil {
		return nil, err
	}
	return every(d / time.Second), nil
}

func (e every) Next(t time.Time) time.Time {
	after := t.Unix()
	next := (floorDiv(after, int64(e)) + 1) * int64(e)
	if next <= after || next > years.Last { // past the end of an int64, or of the years
		return time.Time{}
	}
	return time.Unix(next, 0).In(t.Location())
}
