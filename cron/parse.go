package cron

import (
	"fmt"
	"strings"
	"time"
)

// Parse reads an expression of either dialect. Its fields are wall clock times
// of loc; a nil loc is UTC.
//
//	30 9 * * 1-5        Unix, 5 fields from minute to weekday, 0 = Sunday
//	@daily              Unix; also @hourly @weekly @monthly @yearly
//	                    @annually @midnight
//	@every 90s          multiples of 90 s since 1970, see [Every]
//	@at TIME            once, at a time such as 2027-01-01T00:00:00+08:00,
//	                    see [At]
//	@after 10m          after the end of the last run, see [Delay]
//	0 30 9 ? * MON-FRI  Quartz, 6 fields from second to weekday, 1 = Sunday
//	0 30 9 ? * 6L 2027  Quartz, with a year
//
// Everything else is refused with a [*SyntaxError] that says what to write. An
// expression that cannot fire at any time from 1970 to 2199, such as February
// 30, is refused, too; the error then wraps [ErrNever]. An expression whose
// fires are all in the past is accepted, because a process that restarts must
// be able to read it; see [Check].
//
// If both day fields of the Unix dialect restrict the day, a day that matches
// either counts. On days when the clock changes, Quartz skips a fire that the
// clock skips, and Unix makes it up when the gap ends. A time that the clock
// shows twice fires once. If the hours are *, a step or all 24, fires go by
// elapsed time in both dialects: nothing is made up, and a time that the clock
// shows twice fires twice. A [Spec] can change these policies.
//
// The location "Local" is refused: it differs between hosts, and so would the
// fires.
func Parse(expr string, loc *time.Location) (Schedule, error) {
	return firing(read(expr, loc))
}

// read is Parse without the check that the expression ever fires, which
// policies can change.
func read(expr string, loc *time.Location) (Schedule, error) {
	loc, err := location(loc)
	if err != nil {
		return nil, err
	}
	if err := plain(expr); err != nil {
		return nil, err
	}
	fields := split(expr)
	if len(fields) == 0 {
		return nil, &SyntaxError{Expr: expr, Problem: "is empty", Allowed: forms}
	}
	first := fields[0]
	switch {
	case strings.HasPrefix(first.text, "TZ="), strings.HasPrefix(first.text, "CRON_TZ="):
		return nil, first.refuse("is not part of an expression here", "", "give the time zone beside the expression")
	case strings.HasPrefix(first.text, "@"):
		return parseWord(fields, loc)
	case len(fields) == 5:
		e, err := parseUnix(fields, loc)
		return e, suggest(err, fields, loc)
	case len(fields) == 6, len(fields) == 7:
		if err := oneMark(fields, loc); err != nil {
			return nil, err
		}
		return parseQuartz(fields, loc)
	}
	return nil, &SyntaxError{Expr: expr, Problem: fmt.Sprintf("has %d fields", len(fields)), Allowed: forms}
}

const forms = "5 fields (minute hour day-of-month month day-of-week), " +
	"6 or 7 (second minute hour day-of-month month day-of-week [year], one day field ?), or a word such as @daily"

var everyYear = func() (s yearSet) {
	for y := firstYear; y <= lastYear; y++ {
		s.add(y)
	}
	return s
}()

func location(loc *time.Location) (*time.Location, error) {
	if loc == nil {
		return time.UTC, nil
	}
	if loc == time.Local {
		return nil, errLocal
	}
	return loc, nil
}

// firing refuses a schedule that has no fire at all.
func firing(s Schedule, err error) (Schedule, error) {
	if err != nil {
		return nil, err
	}
	if !s.Next(time.Unix(-1, 0)).IsZero() {
		return s, nil
	}
	reason := ""
	if e, ok := s.(*expression); ok {
		reason = ": no month or year that it names has such a day"
		if e.nextDay(0) != never {
			reason = ": the clock of " + e.loc.String() + " skips that time on every such day"
		}
	}
	return nil, fmt.Errorf("schedule %s %w%s", quote(fmt.Sprint(s)), ErrNever, reason)
}
