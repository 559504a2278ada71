package cron

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// The fields of the Unix dialect, in their order after the seconds that only
// Seconds has.
var unixKinds = [6]kind{
	{name: "second", allowed: "0-59 with , - * /", hi: 59, unit: "s"},
	{name: "minute", allowed: "0-59 with , - * /", hi: 59, unit: "m"},
	{name: "hour", allowed: "0-23 with , - * /", hi: 23, unit: "h"},
	{name: "day of month", allowed: "1-31 with , - * /", lo: 1, hi: 31},
	{
		name:    "month",
		allowed: "1-12 or JAN-DEC with , - * /",
		lo:      1,
		hi:      12,
		names:   monthNames,
	},
	{name: "day of week", allowed: "0-6 (0 = Sunday) or SUN-SAT with , - * /", hi: 6, names: weekdayNames,
		beyond: "for Sunday write 0 or SUN"},
}

var robfig = cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// robfigStar is set by robfig's parser in the sets of fields that restrict
// nothing.
const robfigStar = 1 << 63

// Seconds reads six fields as robfig/cron does with cron.WithSeconds: second
// minute hour day-of-month month day-of-week, with 0 = Sunday and without ?.
// Such an expression cannot be told from a Quartz expression that lacks its ?,
// and the numbers of weekdays mean other days there. So Parse refuses it. A nil
// loc is UTC.
//
// Fires, policies and refusals are those of the Unix dialect; see [Parse].
func Seconds(expr string, loc *time.Location) (Schedule, error) {
	return firing(readSeconds(expr, loc))
}

func readSeconds(expr string, loc *time.Location) (Schedule, error) {
	loc, err := location(loc)
	if err != nil {
		return nil, err
	}
	if err := plain(expr); err != nil {
		return nil, err
	}
	fields := split(expr)
	if len(fields) != 6 {
		return nil, &SyntaxError{Expr: expr, Problem: fmt.Sprintf("has %d fields", len(fields)),
			Allowed: "6 fields (second minute hour day-of-month month day-of-week)"}
	}
	return parseUnix(fields, loc)
}

// parseUnix reads five fields, or six with the seconds first. robfig's parser
// makes the sets. What it would accept and should not (empty terms, steps past
// the end) or would refuse without saying where is found beforehand.
func parseUnix(fields []field, loc *time.Location) (*expression, error) {
	expr := fields[0].expr
	texts := []string{"0"}
	open := false
	for i, f := range fields {
		f.kind = &unixKinds[i+6-len(fields)]
		fields[i] = f
		list, err := f.spans()
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			open = open || f.name == "hour" && s.open
		}
		texts = append(texts, f.text)
	}
	if err := eitherDay(fields[len(fields)-3], fields[len(fields)-1]); err != nil {
		return nil, err
	}
	parsed, err := robfig.Parse(strings.Join(texts[len(texts)-6:], " "))
	if err != nil {
		return nil, fmt.Errorf("schedule %s: %w", quote(expr), err)
	}
	set := parsed.(*cron.SpecSchedule)
	e := &expression{
		text: expr, loc: loc,
		second: set.Second &^ robfigStar,
		minute: set.Minute &^ robfigStar,
		hour:   uint32(set.Hour),
		month:  uint16(set.Month),
		days:   unixDays(set.Dom, set.Dow),
		years:  everyYear,
	}
	e.openHours = open || e.hour == 1<<24-1
	e.shiftGap = !e.openHours
	e.bothPasses = e.openHours
	return e, nil
}

// unixDays has either day field name a day when both restrict it, as POSIX and
// every cron have it.
func unixDays(dom, dow uint64) days {
	switch {
	case dom&robfigStar != 0 && dow&robfigStar != 0:
		return days{every: true}
	case dom&robfigStar != 0:
		return days{weekdays: uint8(dow)}
	case dow&robfigStar != 0:
		return days{dates: uint32(dom)}
	}
	return days{dates: uint32(dom), weekdays: uint8(dow)}
}

// eitherDay refuses the one form on which crons disagree: "0 0 */2 * 1" is an
// odd day or a Monday to robfig, and an odd day that is a Monday to Vixie's
// cron and its heirs, for whom a field that begins with * restricts nothing.
func eitherDay(date, weekday field) error {
	if date.text == "*" || weekday.text == "*" {
		return nil
	}
	for _, f := range []field{date, weekday} {
		if at := strings.IndexByte(f.text, '*'); at >= 0 {
			all := fmt.Sprintf("%d-%d", f.lo, f.hi)
			return f.fail(f.at+at, f.text,
				"mixes * into a day field while the other day field is given too, which crons read differently",
				fmt.Sprintf("write %s for days that match either field", strings.ReplaceAll(f.text, "*", all)))
		}
	}
	return nil
}
