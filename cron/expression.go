package cron

import (
	"math"
	"math/bits"
	"time"
)

// Fires lie in these years, both included. A last year makes "never fires" a
// question with an answer.
const firstYear, lastYear = 1970, 2199

// lastUnix is past the end of lastYear in every zone.
const lastUnix = (lastYear + 2 - firstYear) * 366 * daySeconds

// never is a wall clock after all others.
const never = math.MaxInt64

// expression is a cron expression of either dialect, as sets of what may fire.
// Bit n of a set is the value n.
type expression struct {
	text           string
	loc            *time.Location
	second, minute uint64
	hour           uint32
	month          uint16
	days           days
	years          yearSet
	openHours      bool // the hours are *, a step or all 24: the job goes by elapsed time, not by the clock's face
	shiftGap       bool // what the clock skips fires where the gap ends
	bothPasses     bool // what the clock shows twice fires twice
}

// yearSet has a bit for each year from firstYear on.
type yearSet [(lastYear-firstYear)/64 + 1]uint64

func (s *yearSet) add(year int) {
	s[(year-firstYear)/64] |= 1 << ((year - firstYear) % 64)
}

func (s *yearSet) has(year int) bool {
	return year >= firstYear && year <= lastYear && s[(year-firstYear)/64]>>((year-firstYear)%64)&1 == 1
}

// nextWall returns the first wall clock at or after w that the fields name, or
// never. A wall clock is the time that a calendar and a clock on the wall show,
// as seconds since they showed 1970-01-01 00:00:00; time zones are not its
// business.
func (e *expression) nextWall(w int64) int64 {
	day := floorDiv(w, daySeconds)
	match := e.nextDay(day)
	if match == day {
		if c, ok := e.nextClock(int(w - day*daySeconds)); ok {
			return day*daySeconds + int64(c)
		}
		match = e.nextDay(day + 1)
	}
	if match == never {
		return never
	}
	c, _ := e.nextClock(0)
	return match*daySeconds + int64(c)
}

// nextDay returns the first day at or after the given one that the day, month
// and year fields name, or never.
func (e *expression) nextDay(day int64) int64 {
	y, m, d := civil(day)
	for ; y <= lastYear; y, m, d = y+1, 1, 1 {
		if !e.years.has(y) {
			continue
		}
		for ms := e.month >> m << m; ms != 0; ms &= ms - 1 {
			month := bits.TrailingZeros16(ms)
			if month != m {
				d = 1
			}
			first := dayNumber(y, month, 1)
			set := e.days.of(weekdayOf(first), monthLength(y, month)) >> d << d
			if set != 0 {
				return first + int64(bits.TrailingZeros32(set)) - 1
			}
		}
	}
	return never
}

// nextClock returns the first second of the day at or after c that the hour,
// minute and second fields name.
func (e *expression) nextClock(c int) (second int, ok bool) {
	h, m, s := c/3600, c/60%60, c%60
	for hs := e.hour >> h << h; hs != 0; hs &= hs - 1 {
		hour := bits.TrailingZeros32(hs)
		if hour != h {
			m, s = 0, 0
		}
		for ms := e.minute >> m << m; ms != 0; ms &= ms - 1 {
			minute := bits.TrailingZeros64(ms)
			if minute != m {
				s = 0
			}
			if ss := e.second >> s << s; ss != 0 {
				return hour*3600 + minute*60 + bits.TrailingZeros64(ss), true
			}
		}
	}
	return 0, false
}
