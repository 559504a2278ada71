package cron

import (
	"time"

	"github.com/elasticjob-go/elastic/internal/faults"
	"github.com/elasticjob-go/elastic/internal/years"
)

// Gap is the policy for a fire whose time of day the clock skips, as 02:30 in
// New York on 2026-03-08. Empty means the policy of the dialect: Quartz skips
// the fire. Unix shifts it if the hours are named, and skips it if they are *
// or a step, because the next fire is near.
type Gap string

// The values of [Gap].
const (
	GapSkip  Gap = "skip"  // no fire
	GapShift Gap = "shift" // one fire when the gap ends, for all fires in the gap
)

// Overlap is the policy for a fire whose time of day the clock shows twice, as
// 01:30 in New York on 2026-11-01. Empty means once if the hours are named, and
// twice if they are * or a step: such a job goes by elapsed time, and would
// miss an hour otherwise.
type Overlap string

// The values of [Overlap].
const (
	OverlapFirst Overlap = "first" // the first time only
	OverlapBoth  Overlap = "both"  // both times
)

// Spec is a schedule as it is stored and shown. Only Expr is required.
type Spec struct {
	Expr    string
	Seconds bool   // Expr is read by [Seconds] instead of [Parse]
	Zone    string // such as "Asia/Shanghai" or "UTC+08:00", see [LoadLocation]; empty is UTC

	Gap     Gap     // has no effect on @every, @at and @after, which know no wall clock
	Overlap Overlap // likewise

	// Start and End are zero for no bound, or in the years 1 to 9999 in UTC.
	Start  time.Time // no fire before it
	End    time.Time // no fire at or after it
	Except []string  // no fire at these times of Zone, see [NewCalendar]
}

// Schedule returns the schedule that s describes. The error reports all faults
// of s.
func (s Spec) Schedule() (Schedule, error) {
	var list faults.List
	loc, err := LoadLocation(s.Zone)
	if err != nil {
		list.Append(err)
		loc = time.UTC // the other faults can still be found
	}
	parse := read
	if s.Seconds {
		parse = readSeconds
	}
	schedule, err := parse(s.Expr, loc)
	list.Append(err)
	if s.Gap != "" && s.Gap != GapSkip && s.Gap != GapShift {
		list.Add("gap %q: want %q, %q or nothing", s.Gap, GapSkip, GapShift)
	}
	if s.Overlap != "" && s.Overlap != OverlapFirst && s.Overlap != OverlapBoth {
		list.Add("overlap %q: want %q, %q or nothing", s.Overlap, OverlapFirst, OverlapBoth)
	}
	for _, bound := range []struct {
		name string
		at   time.Time
	}{{"start", s.Start}, {"end", s.End}} {
		if err := years.Check(bound.at); err != nil {
			list.Add("%s %w; leave it out for no bound", bound.name, err)
		}
	}
	if !s.Start.IsZero() && !s.End.IsZero() && !s.Start.Before(s.End) {
		list.Add("end %s is not after start %s", s.End.Format(time.RFC3339), s.Start.Format(time.RFC3339))
	}
	calendar, err := NewCalendar(loc, s.Except...)
	list.Append(err)
	if err := list.Err(); err != nil {
		return nil, err
	}
	if e, ok := schedule.(*expression); ok {
		e.apply(s.Gap, s.Overlap)
	}
	if len(s.Except) > 0 {
		schedule = Except(schedule, calendar)
	}
	if !s.Start.IsZero() || !s.End.IsZero() {
		schedule = Between(schedule, s.Start, s.End)
	}
	return firing(schedule, nil)
}

// apply replaces the policies of the dialect. Schedules are immutable, so only
// the maker of e may call it.
func (e *expression) apply(gap Gap, overlap Overlap) {
	if gap != "" {
		e.shiftGap = gap == GapShift
	}
	if overlap != "" {
		e.bothPasses = overlap == OverlapBoth
	}
}
