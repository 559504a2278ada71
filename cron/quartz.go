package cron

import (
	"strconv"
	"strings"
	"time"
)

// The fields of Quartz, in their order. Its javadoc of CronExpression is the
// reference; lists may mix L, W and # with plain days, which Quartz did not
// allow in all versions.
var quartzKinds = [7]kind{
	{
		name:    "second",
		allowed: "0-59 with , - * /",
		hi:      59,
		unit:    "s",
		wraps:   true,
		bare:    true,
	},
	{
		name:    "minute",
		allowed: "0-59 with , - * /",
		hi:      59,
		unit:    "m",
		wraps:   true,
		bare:    true,
	},
	{
		name:    "hour",
		allowed: "0-23 with , - * /",
		hi:      23,
		unit:    "h",
		wraps:   true,
		bare:    true,
	},
	{
		name:    "day of month",
		allowed: "1-31 with , - * /, L, L-3, 15W, LW, L-3W or ?",
		lo:      1,
		hi:      31,
		wraps:   true,
		bare:    true,
	},
	{
		name:    "month",
		allowed: "1-12 or JAN-DEC with , - * /",
		lo:      1,
		hi:      12,
		names:   monthNames,
		wraps:   true,
		bare:    true,
	},
	{name: "day of week", allowed: "1-7 (1 = Sunday) or SUN-SAT with , - * /, L, 6L, 6#3 or ?", lo: 1, hi: 7,
		names: weekdayNames, wraps: true, bare: true, beyond: "for Sunday write 1 or SUN, as Quartz counts from 1"},
	{
		name:    "year",
		allowed: "1970-2199 with , - * /",
		lo:      firstYear,
		hi:      lastYear,
		bare:    true,
	},
}

// parseQuartz reads six or seven fields, of which exactly one day field is ?.
func parseQuartz(fields []field, loc *time.Location) (*expression, error) {
	for i := range fields {
		fields[i].kind = &quartzKinds[i]
	}
	e := &expression{text: fields[0].expr, loc: loc}
	var sets [7]uint64
	for i, f := range fields {
		if f.name == "day of month" || f.name == "day of week" || f.name == "year" {
			continue
		}
		list, err := f.spans()
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			sets[i] |= f.set(s)
			e.openHours = e.openHours || f.name == "hour" && s.open
		}
	}
	e.second = sets[0]
	e.minute = sets[1]
	e.hour = uint32(sets[2])
	e.month = uint16(sets[4])
	e.openHours = e.openHours || e.hour == 1<<24-1
	e.bothPasses = e.openHours
	if err := e.quartzDays(fields[3], fields[5]); err != nil {
		return nil, err
	}
	if len(fields) == 6 {
		fields = append(fields, field{kind: &quartzKinds[6], text: "*"})
	}
	return e, e.quartzYears(fields[6])
}

// set returns the values of a span as bits; one that runs past the end goes on
// at the start.
func (f field) set(s span) (set uint64) {
	count := f.hi - f.lo + 1
	if s.from > s.to {
		s.to += count
	}
	for v := s.from; v <= s.to; v += s.step {
		set |= 1 << (f.lo + (v-f.lo)%count)
	}
	return set
}

func (e *expression) quartzYears(f field) error {
	list, err := f.spans()
	for _, s := range list {
		for y := s.from; y <= s.to; y += s.step {
			e.years.add(y)
		}
	}
	return err
}

// quartzDays reads the day field that is not ?.
func (e *expression) quartzDays(date, weekday field) error {
	f, special := date, e.dateTerm
	if date.text == "?" {
		f, special = weekday, e.weekdayTerm
	}
	for text, at := range f.terms() {
		if done, err := special(f, text, at); done || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		s, err := f.span(text, at)
		if err != nil {
			return err
		}
		switch {
		case text == "*":
			e.days.every = true
		case f.name == "day of month":
			e.days.dates |= uint32(f.set(s))
		default:
			e.days.weekdays |= uint8(f.set(s) >> 1)
		}
	}
	return nil
}

// dateTerm reads L, L-n, nW, LW and L-nW; done is false for anything else.
func (e *expression) dateTerm(f field, text string, at int) (done bool, err error) {
	body, nearest := strings.CutSuffix(strings.ToUpper(text), "W")
	back, last := strings.CutPrefix(body, "L")
	switch {
	case last && back == "":
		back = "-0"
	case last && !strings.HasPrefix(back, "-"):
		return false, f.fail(at, text, "is not counted from the end as L-3 is", "")
	case !last && !nearest:
		return false, nil
	case !last:
		n, err := f.value(body, at)
		if err == nil {
			e.days.workdays |= 1 << n
		}
		return true, err
	}
	n, err := strconv.Atoi(back[1:])
	if !digits(back[1:]) || err != nil || n > 30 {
		return false, f.fail(at, text, "does not count back from the last day by 0 to 30", "")
	}
	if nearest {
		e.days.workdayLast |= 1 << n
	} else {
		e.days.beforeLast |= 1 << n
	}
	return true, nil
}

// weekdayTerm reads L, dL and d#n; done is false for anything else. A lone L is
// Saturday, as in Quartz: the last day of the week.
func (e *expression) weekdayTerm(f field, text string, at int) (done bool, err error) {
	text = strings.ToUpper(text)
	if text == "L" {
		e.days.weekdays |= 1 << time.Saturday
		return true, nil
	}
	if day, ok := strings.CutSuffix(text, "L"); ok {
		d, err := f.value(day, at)
		if err == nil {
			e.days.lastOf |= 1 << (d - 1)
		}
		return true, err
	}
	day, nth, ok := strings.Cut(text, "#")
	if !ok {
		return false, nil
	}
	d, err := f.value(day, at)
	if err != nil {
		return false, err
	}
	n, err := strconv.Atoi(nth)
	if !digits(nth) || err != nil || n < 1 || n > 5 {
		return false, f.fail(at+len(day)+1, nth, "is not 1 to 5, as a month has no more of a weekday", "")
	}
	e.days.nthOf[n-1] |= 1 << (d - 1)
	return true, nil
}
