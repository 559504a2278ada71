package cron

const daySeconds = 24 * 60 * 60

// civil returns the Gregorian date of the given day, counted from 1970-01-01.
//
// It is civil_from_days of Howard Hinnant's "chrono-Compatible Low-Level Date
// Algorithms": years that begin in March put the leap day last, which makes the
// length of every month but the last a linear function. The time package would
// do as well, but at several times the cost, and Next does this in its
// innermost loop.
func civil(day int64) (year, month, date int) {
	z := day + 719468 // from 0000-03-01
	era := floorDiv(z, 146097)
	doe := z - era*146097 // day of the 400 years
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153 // months since March
	date = int(doy - (153*mp+2)/5 + 1)
	year = int(yoe + era*400)
	if mp < 10 {
		return year, int(mp) + 3, date
	}
	return year + 1, int(mp) - 9, date
}

// dayNumber is the inverse of civil. The date may lie beyond the end of the
// month.
func dayNumber(year, month, date int) int64 {
	y, mp := int64(year), int64(month)-3
	if mp < 0 {
		y, mp = y-1, mp+12
	}
	era := floorDiv(y, 400)
	yoe := y - era*400
	doy := (153*mp+2)/5 + int64(date) - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

// weekdayOf returns the day of the week, 0 = Sunday. 1970-01-01 was a Thursday.
func weekdayOf(day int64) int {
	return int(day + 4 - 7*floorDiv(day+4, 7))
}

func monthLength(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// floorDiv divides by a positive number and rounds down, which Go's / does not
// for negative dividends.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
