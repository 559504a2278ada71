package cron

import (
	"testing"
	"time"
)

// Parse tells the dialects apart.
func TestParse_TellsDialectsApart(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) // a Thursday
	for _, c := range []struct{ expr, next string }{
		{"30 9 * * 5", "2026-01-02T09:30:00Z"},
		{"0 30 9 ? * 5", "2026-01-01T09:30:00Z"},
		{"0 30 9 ? * 6L 2027", "2027-01-29T09:30:00Z"},
		{"@daily", "2026-01-02T00:00:00Z"},
		{"@every 90s", "2026-01-01T00:01:30Z"},
		{"@after 10m", "2026-01-01T00:10:00Z"},
		{"@at 2027-01-01T00:00:00+08:00", "2026-12-31T16:00:00Z"},
	} {
		s, err := Parse(c.expr, nil)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.expr, err)
			continue
		}
		if got := s.Next(from).Format(time.RFC3339); got != c.next {
			t.Errorf("%q after %s fires at %s, want %s", c.expr, from.Format(time.RFC3339), got, c.next)
		}
	}
}
