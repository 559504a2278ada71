package cron

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// clockWords tells the times of day. A few are listed; of many the rhythm is
// told, from the smallest unit that has one.
func (e *expression) clockWords() string {
	if bits.OnesCount32(e.hour)*bits.OnesCount64(e.minute)*bits.OnesCount64(e.second) <= 4 {
		return "at " + e.clockTimes()
	}
	seconds := rhythmOf(e.second, "second", 60)
	minutes := rhythmOf(e.minute, "minute", 60)
	hours := rhythmOf(uint64(e.hour), "hour", 24)
	first, last := bits.TrailingZeros32(e.hour), bits.Len32(e.hour)-1
	switch {
	case e.second != 1:
		return seconds.leading() + minutes.trailing(seconds) + hours.trailing(minutes)
	case e.minute != 1:
		return minutes.leading() + hours.trailing(minutes)
	case hours.step == 0 && bits.OnesCount32(e.hour) == last-first+1:
		return fmt.Sprintf("every hour from %02d:00 to %02d:00", first, last)
	case hours.step == 0:
		return minutes.leading() + hours.trailing(minutes)
	}
	return hours.leading() // on the hour
}

// clockTimes lists the times of day, with seconds where there are any.
func (e *expression) clockTimes() string {
	var list []string
	for c := 0; ; c++ {
		var ok bool
		if c, ok = e.nextClock(c); !ok {
			return and(list)
		}
		text := fmt.Sprintf("%02d:%02d", c/3600, c/60%60)
		if e.second != 1 {
			text += fmt.Sprintf(":%02d", c%60)
		}
		list = append(list, text)
		if c == daySeconds-1 {
			return and(list)
		}
	}
}

// rhythm is a set of values of one unit.
type rhythm struct {
	set    uint64
	unit   string
	count  int  // of values that the unit has
	first  int  // the smallest of set
	step   int  // the values are first, first+step and so on to the end; 0: they are a mere list
	steady bool // so they go on over the end of the unit
}

func rhythmOf(set uint64, unit string, count int) rhythm {
	r := rhythm{set: set, unit: unit, count: count, first: bits.TrailingZeros64(set)}
	n := bits.OnesCount64(set)
	if n == 1 {
		return r
	}
	step := bits.TrailingZeros64(set>>(r.first+1)) + 1
	for v := r.first; v < count; v += step {
		set ^= 1 << v
	}
	steady := count%step == 0 && r.first < step
	if set == 0 && (steady || step > 1 && n > 3) { // three that keep no time are better listed
		r.step, r.steady = step, steady
	}
	return r
}

// leading tells the unit with which the sentence begins: "every 5 seconds", "at
// minute 30".
func (r rhythm) leading() string {
	switch r.step {
	case 0:
		return "at " + r.list()
	case 1:
		return "every " + r.unit
	}
	return fmt.Sprintf("every %d %ss", r.step, r.unit) + r.from()
}

// trailing tells the next larger unit, which may go without saying.
func (r rhythm) trailing(smaller rhythm) string {
	switch {
	case r.step == 1 && smaller.step == 0:
		return " of every " + r.unit
	case r.step == 1:
		return ""
	case r.step == 0 && smaller.step == 0:
		return " of " + r.list()
	case r.step == 0:
		return " in " + r.list()
	}
	return " in every " + ordinal(r.step) + " " + r.unit + r.from()
}

func (r rhythm) from() string {
	if r.steady && r.first == 0 {
		return ""
	}
	return fmt.Sprintf(" from %s %d on", r.unit, r.first)
}

func (r rhythm) list() string {
	unit := r.unit
	if bits.OnesCount64(r.set) > 1 {
		unit += "s"
	}
	return unit + " " + cycle(r.set, 0, r.count-1, strconv.Itoa)
}

// dayWords tells days, months and years, beginning with a space.
func (e *expression) dayWords() string {
	var on []string
	if e.days.dates != 0 {
		on = append(on, "day "+runs(1, 31, bit(uint64(e.days.dates)), strconv.Itoa)+" of the month")
	}
	eachBit(e.days.beforeLast, func(n int) { on = append(on, beforeLast(n)) })
	eachBit(e.days.workdays, func(n int) { on = append(on, fmt.Sprintf("the workday nearest to day %d", n)) })
	eachBit(e.days.workdayLast, func(n int) { on = append(on, "the workday nearest to "+beforeLast(n)) })
	if e.days.weekdays != 0 {
		on = append(on, cycle(uint64(e.days.weekdays), 0, 6, weekdayName))
	}
	eachBit(uint32(e.days.lastOf), func(d int) { on = append(on, "the last "+weekdayName(d)+" of the month") })
	for n, ds := range e.days.nthOf {
		eachBit(uint32(ds), func(d int) { on = append(on, "the "+ordinal(n+1)+" "+weekdayName(d)+" of the month") })
	}
	words := ""
	switch {
	case !e.days.every:
		words = " on " + strings.Join(on, " or on ")
	case !e.openHours:
		words = " every day"
	}
	if e.month != 1<<13-2 {
		words += " in " + cycle(uint64(e.month), 1, 12, func(m int) string { return time.Month(m).String() })
	}
	if e.years != everyYear {
		words += " in " + e.years.words()
	}
	return words
}

func beforeLast(n int) string {
	switch n {
	case 0:
		return "the last day of the month"
	case 1:
		return "the day before the last of the month"
	}
	return fmt.Sprintf("the day %d days before the last of the month", n)
}

func weekdayName(d int) string { return time.Weekday(d).String() }

func ordinal(n int) string {
	switch {
	case n%10 == 1 && n%100 != 11:
		return strconv.Itoa(n) + "st"
	case n%10 == 2 && n%100 != 12:
		return strconv.Itoa(n) + "nd"
	case n%10 == 3 && n%100 != 13:
		return strconv.Itoa(n) + "rd"
	}
	return strconv.Itoa(n) + "th"
}

func (s *yearSet) words() string {
	return runs(firstYear, lastYear, s.has, strconv.Itoa)
}

// cycle tells a set of lo to hi, after which lo comes again: "Friday to
// Monday".
func cycle(set uint64, lo, hi int, name func(int) string) string {
	n := hi - lo + 1
	begin := hi + 1
	for begin > lo && bit(set)(begin-1) {
		begin--
	}
	if begin == lo || !bit(set)(lo) {
		begin = lo + n
	}
	wrap := func(v int) int { return lo + (v-lo)%n }
	return runs(begin, begin+n-1, func(v int) bool { return bit(set)(wrap(v)) }, func(v int) string {
		return name(wrap(v))
	})
}

func bit(set uint64) func(int) bool {
	return func(n int) bool { return set>>n&1 == 1 }
}

// runs tells those of lo to hi that it has, such as "0, 15 and 30" or "9 to
// 17". Two in a row are told one by one.
func runs(lo, hi int, has func(int) bool, name func(int) string) string {
	var list []string
	for v := lo; v <= hi; v++ {
		if !has(v) {
			continue
		}
		last := v
		for last < hi && has(last+1) {
			last++
		}
		if last >= v+2 {
			list = append(list, name(v)+" to "+name(last))
			v = last
			continue
		}
		list = append(list, name(v))
	}
	return and(list)
}

func and(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

func eachBit(set uint32, do func(n int)) {
	for ; set != 0; set &= set - 1 {
		do(bits.TrailingZeros32(set))
	}
}
