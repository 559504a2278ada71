// Package crontest holds schedules against a second opinion.
package crontest

import (
	"strconv"
	"strings"
	"time"
)

// Oracle is a second opinion on a cron expression. It is slow, and shares no
// code with the package that it checks: it asks of each minute, one after the
// other, what a clock on the wall shows, and holds that against the text of the
// expression, term by term. It does not tell whether an expression is well
// formed.
type Oracle struct {
	second, minute, hour, date, month, weekday, year string
	quartz                                           bool
	shift, both                                      bool
	loc                                              *time.Location
}

// Consult returns the oracle for five fields (Unix) or six or seven (Quartz) in
// loc. Its policies for the gap and the repeated hour are those that package
// cron documents as each dialect's.
func Consult(expr string, loc *time.Location) Oracle {
	f := strings.Fields(expr)
	o := Oracle{loc: loc, quartz: len(f) > 5, year: "*"}
	if !o.quartz {
		f = append([]string{"0"}, f...)
	}
	o.second = f[0]
	o.minute = f[1]
	o.hour = f[2]
	o.date = f[3]
	o.month = f[4]
	o.weekday = f[5]
	if len(f) == 7 {
		o.year = f[6]
	}
	o.both = strings.ContainsAny(o.hour, "*/") || o.hour == "0-23"
	o.shift = !o.quartz && !o.both
	return o
}

// Fires returns up to n fires after start and before stop. Offsets from UTC
// must be whole minutes.
func (o Oracle) Fires(start, stop time.Time, n int) []time.Time {
	var list []time.Time
	for m := start.Truncate(time.Minute); m.Before(stop) && len(list) < n; m = m.Add(time.Minute) {
		if m.Unix()%(24*3600) == 0 && !o.near(m) {
			m = m.Add(24*time.Hour - time.Minute)
			continue
		}
		for _, f := range o.within(m) {
			if f.After(start) && f.Before(stop) && len(list) < n {
				list = append(list, f)
			}
		}
	}
	return list
}

// near reports whether any day about m matches; if not, the 24 hours after m
// need no search.
func (o Oracle) near(m time.Time) bool {
	y, mo, d := m.UTC().Date()
	for i := -1; i <= 2; i++ {
		if o.matchesDay(time.Date(y, mo, d+i, 0, 0, 0, 0, time.UTC)) {
			return true
		}
	}
	return false
}

// within returns the fires of one minute.
func (o Oracle) within(m time.Time) []time.Time {
	wall := wallOf(m, o.loc)
	if o.shift { // does the clock skip a minute that matches, just before this one?
		last := wallOf(m.Add(-time.Minute), o.loc)
		for skipped := last.Add(time.Minute); skipped.Before(wall); skipped = skipped.Add(time.Minute) {
			if o.matchesMinute(skipped) {
				return append([]time.Time{m}, o.seconds(m, wall, 1)...)
			}
		}
	}
	return o.seconds(m, wall, 0)
}

func (o Oracle) seconds(m, wall time.Time, from int) (list []time.Time) {
	if !o.matchesMinute(wall) || !o.both && o.shownBefore(m, wall) {
		return nil
	}
	for s := from; s < 60; s++ {
		if matches(o.second, s, 0, 59, "") {
			list = append(list, m.Add(time.Duration(s)*time.Second))
		}
	}
	return list
}

func (o Oracle) shownBefore(m, wall time.Time) bool {
	for back := 1; back <= 26*60; back++ {
		if wallOf(m.Add(-time.Duration(back)*time.Minute), o.loc).Equal(wall) {
			return true
		}
	}
	return false
}

// wallOf returns what the clock of loc shows at m, as if it were UTC.
func wallOf(m time.Time, loc *time.Location) time.Time {
	_, offset := m.In(loc).Zone()
	return m.Add(time.Duration(offset) * time.Second).UTC()
}

func (o Oracle) matchesMinute(wall time.Time) bool {
	return matches(o.minute, wall.Minute(), 0, 59, "") && matches(o.hour, wall.Hour(), 0, 23, "") && o.matchesDay(wall)
}

func (o Oracle) matchesDay(day time.Time) bool {
	if !matches(o.month, int(day.Month()), 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC") ||
		!matches(o.year, day.Year(), 1970, 2199, "") {
		return false
	}
	date, weekday := o.matchesDate(day), o.matchesWeekday(day)
	switch {
	case o.date == "?" || o.date == "*":
		return weekday
	case o.weekday == "?" || o.weekday == "*":
		return date
	}
	return date || weekday
}

func (o Oracle) matchesDate(day time.Time) bool {
	y, m, d := day.Date()
	last := time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
	for term := range strings.SplitSeq(o.date, ",") {
		body, nearest := strings.CutSuffix(term, "W")
		back, fromEnd := strings.CutPrefix(body, "L")
		if !nearest && !fromEnd {
			if matches(term, d, 1, 31, "") {
				return true
			}
			continue
		}
		want := number(body)
		if fromEnd {
			want = last - number(strings.TrimPrefix(back, "-"))
		}
		if want < 1 || want > last {
			continue
		}
		if nearest { // of all workdays of the month the one at the smallest distance
			best := 0
			for c := 1; c <= last; c++ {
				w := time.Date(y, m, c, 0, 0, 0, 0, time.UTC).Weekday()
				if w != time.Saturday && w != time.Sunday && (best == 0 || abs(c-want) < abs(best-want)) {
					best = c
				}
			}
			want = best
		}
		if d == want {
			return true
		}
	}
	return false
}

func (o Oracle) matchesWeekday(day time.Time) bool {
	const names = "SUNMONTUEWEDTHUFRISAT"
	first := 0
	if o.quartz {
		first = 1
	}
	w := int(day.Weekday()) + first
	for term := range strings.SplitSeq(o.weekday, ",") {
		switch {
		case term == "L":
			if day.Weekday() == time.Saturday {
				return true
			}
		case strings.HasSuffix(term, "L"):
			if matches(strings.TrimSuffix(term, "L"), w, first, first+6, names) &&
				day.AddDate(0, 0, 7).Month() != day.Month() {
				return true
			}
		case strings.Contains(term, "#"):
			d, n, _ := strings.Cut(term, "#")
			if matches(d, w, first, first+6, names) && (day.Day()+6)/7 == number(n) {
				return true
			}
		case matches(term, w, first, first+6, names):
			return true
		}
	}
	return false
}

// matches reports whether a list of plain terms names v.
func matches(list string, v, lo, hi int, names string) bool {
	if list == "*" || list == "?" {
		return true
	}
	for term := range strings.SplitSeq(list, ",") {
		r, step, stepped := strings.Cut(term, "/")
		a, b, ranged := strings.Cut(r, "-")
		from, to := lo, hi
		if a != "*" && a != "" {
			from = named(a, lo, names)
			if ranged {
				to = named(b, lo, names)
			} else if !stepped {
				to = from
			}
		}
		by := 1
		if stepped {
			by = number(step)
		}
		for at, left := from, (to-from+hi-lo+1)%(hi-lo+1); left >= 0; left -= by {
			if at == v {
				return true
			}
			if at += by; at > hi {
				at -= hi - lo + 1
			}
		}
	}
	return false
}

func named(s string, lo int, names string) int {
	if i := strings.Index(names, strings.ToUpper(s)); len(s) == 3 && i >= 0 {
		return lo + i/3
	}
	return number(s)
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func abs(n int) int {
	return max(n, -n)
}
