package cron

import (
	"testing"
	"time"
)

// costly are ordinary expressions and the rarest there are, in a zone whose
// clock changes and in one that has none.
var costly = []string{
	"0/5 * * * * ?", "0 0/5 * * * ?", "0 30 9 ? * MON-FRI", "0 0 3 L * ?",
	"0 0 9 15W * ?", "*/5 * * * *", "30 2 * * *", "0 0 13 * 5",
	"@every 90s", "0 0 0 1 1 ?", "0 0 0 29 2 ?", "0 0 0 ? 2 2#5", "0 0 0 29W 2 ? 2096-2199",
}

// The zones' data on the machine that measures may be small or complete; the
// time package needs longer with the small form.
func BenchmarkNext(b *testing.B) {
	for _, name := range []string{"UTC", "America/New_York"} {
		loc := zone(b, name)
		for _, expr := range costly {
			b.Run(expr+" "+name, func(b *testing.B) {
				s := mustParse(b, expr, loc)
				start := time.Date(2026, 3, 1, 0, 0, 0, 0, loc)
				b.ReportAllocs()
				for t := start; b.Loop(); {
					if t = s.Next(t); t.IsZero() || t.Year() > 2100 {
						t = start
					}
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	loc := zone(b, "America/New_York")
	for _, expr := range []string{"0 30 9 ? * MON-FRI", "30 9 * * 1-5", "@daily"} {
		b.Run(expr, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(expr, loc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Next allocates nothing.
func TestNext_AllocatesNothing(t *testing.T) {
	loc := zone(t, "America/New_York")
	calendar, err := NewCalendar(loc, "SAT-SUN", "12-24..01-02", "2026-07-04", "11:00-14:00")
	if err != nil {
		t.Fatal(err)
	}
	for _, expr := range costly {
		s := mustParse(t, expr, loc)
		start := time.Date(2026, 3, 1, 0, 0, 0, 0, loc)
		for form, s := range map[string]Schedule{
			"alone": s, "bounded": Between(s, start, start.AddDate(99, 0, 0)), "with exceptions": Except(s, calendar),
		} {
			at := start
			if n := testing.AllocsPerRun(100, func() {
				if at = s.Next(at); at.IsZero() {
					at = start
				}
			}); n != 0 {
				t.Errorf("%q %s allocates %v times", expr, form, n)
			}
		}
	}
}
