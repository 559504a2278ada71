package cron

import "math/bits"

// days says which days of a month are meant, by all the rules that the two
// dialects have. A day is meant when any rule names it; that is also what Unix
// says when both day fields are given.
//
// Bit d of a date set is the d-th of the month, bit w of a weekday set is w
// with 0 = Sunday.
type days struct {
	every       bool     // no rule restricts the day
	dates       uint32   // 15
	beforeLast  uint32   // L is bit 0, L-3 is bit 3
	workdays    uint32   // 15W: the Monday to Friday nearest to the 15th, in the same month
	workdayLast uint32   // LW is bit 0, L-3W is bit 3: the same, nearest to so many days before the last
	weekdays    uint8    // FRI
	lastOf      uint8    // FRIL: the last Friday of the month
	nthOf       [5]uint8 // FRI#2 is in nthOf[1]
}

// of returns the days that are meant in a month that begins on the given
// weekday and has length days.
func (d *days) of(first, length int) uint32 {
	all := uint32(1)<<(length+1) - 2
	if d.every {
		return all
	}
	set := d.dates
	for b := uint32(d.weekdays); b != 0; b &= b - 1 {
		set |= weekly(first, bits.TrailingZeros32(b))
	}
	for b := uint32(d.lastOf); b != 0; b &= b - 1 {
		fits := weekly(first, bits.TrailingZeros32(b)) & all
		set |= 1 << (31 - bits.LeadingZeros32(fits))
	}
	for n, ws := range d.nthOf {
		for b := uint32(ws); b != 0; b &= b - 1 {
			day := 1 + (bits.TrailingZeros32(b)-first+7)%7 + 7*n
			set |= 1 << day // a fifth that the month does not have lies beyond its end
		}
	}
	for b := d.beforeLast; b != 0; b &= b - 1 {
		if day := length - bits.TrailingZeros32(b); day >= 1 {
			set |= 1 << day
		}
	}
	for b := d.workdays; b != 0; b &= b - 1 {
		set |= nearestWorkday(first, length, bits.TrailingZeros32(b))
	}
	for b := d.workdayLast; b != 0; b &= b - 1 {
		set |= nearestWorkday(first, length, length-bits.TrailingZeros32(b))
	}
	return set & all
}

// weekly returns every day that falls on the weekday, in a month that begins on
// first.
func weekly(first, weekday int) uint32 {
	const sevenths = 1<<1 | 1<<8 | 1<<15 | 1<<22 | 1<<29
	return sevenths << ((weekday - first + 7) % 7)
}

// nearestWorkday never leaves the month: a Saturday the 1st goes to Monday the
// 3rd, a Sunday the 31st to Friday the 29th. A day that the month does not have
// is no day, as in Quartz.
func nearestWorkday(first, length, day int) uint32 {
	if day < 1 || day > length {
		return 0
	}
	switch (first + day - 1) % 7 {
	case 6:
		if day--; day < 1 {
			day = 3
		}
	case 0:
		if day++; day > length {
			day -= 3
		}
	}
	return 1 << day
}
