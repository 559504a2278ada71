package crontest

import (
	"testing"
	"time"
)

// The oracle itself is held against days that were worked out by hand.
func TestOracle_KnowsCalendarOf2026(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Second)
	for expr, want := range map[string][]string{
		"0 0 9 LW * ?":          {"2026-01-30 09:00:00", "2026-02-27 09:00:00", "2026-03-31 09:00:00"},
		"0 0 9 ? * FRI#5":       {"2026-01-30 09:00:00", "2026-05-29 09:00:00", "2026-07-31 09:00:00"},
		"0 0 9 1W 8 ?":          {"2026-08-03 09:00:00", "2027-08-02 09:00:00", "2028-08-01 09:00:00"},
		"0 0 0 L-1 2 ?":         {"2026-02-27 00:00:00", "2027-02-27 00:00:00", "2028-02-28 00:00:00"},
		"0 0 0 ? * 6L":          {"2026-01-30 00:00:00", "2026-02-27 00:00:00", "2026-03-27 00:00:00"},
		"0 0 13 * 5":            {"2026-01-02 00:00:00", "2026-01-09 00:00:00", "2026-01-13 00:00:00"},
		"0 0 22-2/2 * * ?":      {"2026-01-01 00:00:00", "2026-01-01 02:00:00", "2026-01-01 22:00:00"},
		"0 0 0 29 2 ? 2026/3":   {"2032-02-29 00:00:00", "2044-02-29 00:00:00", "2056-02-29 00:00:00"},
		"30,10 59 23 31 12 ? *": {"2026-12-31 23:59:10", "2026-12-31 23:59:30", "2027-12-31 23:59:10"},
	} {
		got := Consult(expr, time.UTC).Fires(start, start.AddDate(40, 0, 0), 3)
		for i, at := range got {
			if at.Format(time.DateTime) != want[i] {
				t.Errorf("%q, fire %d: got %v, want %s", expr, i+1, at, want[i])
			}
		}
		if len(got) != 3 {
			t.Errorf("%q: got %d fires, want 3", expr, len(got))
		}
	}
}
