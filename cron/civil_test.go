package cron

import (
	"testing"
	"time"
)

// Civil dates agree with package time.
func TestCivil_AgreesWithPackageTime(t *testing.T) {
	first := time.Date(1967, 1, 1, 0, 0, 0, 0, time.UTC) // before the epoch, where a wall clock can lie
	for at := first; at.Year() <= lastYear+1; at = at.AddDate(0, 0, 1) {
		day := floorDiv(at.Unix(), daySeconds)
		y, m, d := civil(day)
		if y != at.Year() || m != int(at.Month()) || d != at.Day() {
			t.Fatalf("civil(%d) = %d-%d-%d, want %s", day, y, m, d, at.Format(time.DateOnly))
		}
		if got := dayNumber(y, m, d); got != day {
			t.Fatalf("dayNumber(%s) = %d, want %d", at.Format(time.DateOnly), got, day)
		}
		if got := weekdayOf(day); got != int(at.Weekday()) {
			t.Fatalf("weekdayOf(%s) = %d, want %v", at.Format(time.DateOnly), got, at.Weekday())
		}
		if got, want := monthLength(y, m), time.Date(y, at.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day(); got != want {
			t.Fatalf("monthLength(%d, %d) = %d, want %d", y, m, got, want)
		}
	}
}
