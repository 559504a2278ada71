package cron

import (
	"strings"
	"testing"
	"time"
)

// Times outside the years 1 to 9999 in UTC are refused, as no document can hold
// them, and no schedule fires at one.
func TestSpec_YearsAreBounded(t *testing.T) {
	west := time.FixedZone("", -5*3600)
	for name, s := range map[string]Spec{
		"an end that is in the year 10000 in UTC": {Expr: "@daily", End: time.Date(9999, 12, 31, 23, 59, 59, 0, west)},
		"an end beyond all years":                 {Expr: "@daily", End: time.Unix(1<<62, 0)},
		"a start before all years":                {Expr: "@daily", Start: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)},
		"an instant in the year 10000 in UTC":     {Expr: "@at 9999-12-31T23:59:59-05:00"},
		"an instant in the year 0 in UTC":         {Expr: "@at 0001-01-01T00:00:00+05:00"},
	} {
		if _, err := s.Schedule(); err == nil || !strings.Contains(err.Error(), "years 1 to 9999") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := (Spec{Expr: "@daily", Except: []string{"0000-12-25"}}).Schedule(); err == nil {
		t.Error("an exception in the year 0 is accepted")
	}
	edge := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	for _, s := range []Schedule{every(1), Delay(time.Second), At(edge.Add(time.Second)), At(time.Unix(1<<62, 0))} {
		if next := s.Next(edge); !next.IsZero() {
			t.Errorf("%v fires at %v", s, next)
		}
	}
	if next := At(edge).Next(edge.Add(-time.Hour)); !next.Equal(edge) {
		t.Errorf("the last second of all fires at %v", next)
	}
}

// An instant that lacks its offset, or is written in another way, is answered
// with what to write.
func TestAt_SaysWhatToWrite(t *testing.T) {
	shanghai := zone(t, "Asia/Shanghai")
	for expr, want := range map[string]string{
		"@at 2027-01-01 00:00": "lacks the offset from UTC; allowed: an instant such as " +
			"2027-01-01T00:00:00+08:00 or 2027-01-01T00:00:00Z; " +
			"write 2027-01-01T00:00:00+08:00 for the time in Asia/Shanghai",
		"@at 2027-01-01":                "write 2027-01-01T00:00:00+08:00 for the time in Asia/Shanghai",
		"@at 2027-01-01T12:30":          "write 2027-01-01T12:30:00+08:00 for the time in Asia/Shanghai",
		"@at 2027-01-01 00:00:00 +0100": "write 2027-01-01T00:00:00+01:00",
		"@at 2027-01-01 00:00:00+01:00": "write 2027-01-01T00:00:00+01:00",
		"@at tomorrow at noon":          `"tomorrow at noon" is not an instant`,
	} {
		if _, err := Parse(expr, shanghai); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", expr, err, want)
		}
	}
}
