package cron

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// rule is one line of a calendar.
type rule struct {
	text     string
	kind     ruleKind
	weekdays uint8
	// The bounds, both included: day numbers, or month*100 + day, or seconds of
	// the day.
	from, to int64
}

type ruleKind uint8

const (
	dateRule ruleKind = iota
	yearlyRule
	weekdayRule
	windowRule
)

// until reports whether the rule excludes a wall clock, and from which later
// one on it may no longer do so.
func (r *rule) until(wall int64) (end int64, ok bool) {
	day := floorDiv(wall, daySeconds)
	midnight := (day + 1) * daySeconds
	switch r.kind {
	case dateRule:
		return (r.to + 1) * daySeconds, r.within(day)
	case yearlyRule:
		_, month, date := civil(day)
		return midnight, r.within(int64(month*100 + date))
	case weekdayRule:
		return midnight, r.weekdays>>weekdayOf(day)&1 == 1
	}
	clock := wall - day*daySeconds
	end = day*daySeconds + r.to + 1
	if r.from > r.to && clock >= r.from {
		end = midnight
	}
	return end, r.within(clock)
}

// within wraps when from lies after to: 12-24..01-02, 22:00-06:00.
func (r *rule) within(n int64) bool {
	if r.from > r.to {
		return n >= r.from || n <= r.to
	}
	return n >= r.from && n <= r.to
}

const ruleForms = "2026-12-25, 2026-12-24..2027-01-02, 12-25, 12-24..01-02, SAT, SAT-SUN, 22:00-06:00"

func parseRule(text string) (rule, error) {
	trimmed := strings.TrimSpace(text)
	for _, parse := range []func(string) (rule, bool){parseDates, parseYearly, parseWeekdays, parseWindow} {
		if r, ok := parse(trimmed); ok {
			r.text = trimmed
			if r.kind == dateRule && r.from > r.to {
				return rule{}, fmt.Errorf("exception %s: ends before it begins", quote(text))
			}
			return r, nil
		}
	}
	return rule{}, fmt.Errorf("exception %s: is none of the forms %s", quote(text), ruleForms)
}

func parseDates(text string) (rule, bool) {
	return parseRange(text, "..", func(s string) (int64, bool) {
		t, err := time.Parse(time.DateOnly, s)
		return floorDiv(t.Unix(), daySeconds), err == nil && t.Year() >= 1
	}, dateRule)
}

func parseYearly(text string) (rule, bool) {
	return parseRange(text, "..", func(s string) (int64, bool) {
		t, err := time.Parse(time.DateOnly, "2000-"+s) // a leap year, as 02-29 is a date of some years
		return int64(t.Month())*100 + int64(t.Day()), err == nil
	}, yearlyRule)
}

func parseRange(text, separator string, parse func(string) (int64, bool), kind ruleKind) (rule, bool) {
	first, last, ranged := strings.Cut(text, separator)
	if !ranged {
		last = first
	}
	from, ok := parse(first)
	to, ok2 := parse(last)
	return rule{kind: kind, from: from, to: to}, ok && ok2
}

func parseWeekdays(text string) (rule, bool) {
	r, ok := parseRange(text, "-", func(s string) (int64, bool) {
		for i, name := range weekdayNames {
			if strings.EqualFold(s, name) {
				return int64(i), true
			}
		}
		return 0, false
	}, weekdayRule)
	for d := int64(0); d < 7; d++ {
		if ok && r.within(d) {
			r.weekdays |= 1 << d
		}
	}
	return r, ok && bits.OnesCount8(r.weekdays) > 0
}

// parseWindow stores the last second that belongs to the window, so that all
// rules include their bounds.
func parseWindow(text string) (rule, bool) {
	first, last, ranged := strings.Cut(text, "-")
	from, err := time.Parse("15:04", first)
	to, err2 := time.Parse("15:04", strings.Replace(last, "24:00", "00:00", 1))
	if !ranged || err != nil || err2 != nil || from.Equal(to) && last != "24:00" {
		return rule{}, false
	}
	clock := func(t time.Time) int64 { return int64(t.Hour()*3600 + t.Minute()*60) }
	return rule{kind: windowRule, from: clock(from), to: (clock(to) + daySeconds - 1) % daySeconds}, true
}
