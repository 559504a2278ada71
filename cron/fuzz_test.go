package cron

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

// fuzzZones change their clocks by night, at midnight, by half an hour, over
// the date line, and not at all.
var fuzzZones = []string{
	"UTC", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu",
}

func FuzzParse(f *testing.F) {
	for i, expr := range append([]string{
		", * * * *", "TZ=", "CRON_TZ=x", "@every 1ms", "@every 9223372036s",
		"@at 9999-12-31T23:59:59Z", "@after 1s", "0 0 30 2 *",
		"0 30 2 ? 3 1L 2026-2199", "0 0 9 * * 1-5", "0 9 ? * 2-6", "* * * * 7",
		"*/0 * * * *", "1-/2 * * * *", "L-3W,LW,1W,L * * * * ?",
		"0 0 0 ? * MON#1,5L,L,2-6/2", "99999999999999999999 * * * * ?",
		"0\t0 0 ？ * *", "* * * * * ? 2199", "0 0 0 ?/1 * ?",
	}, goldenExpressions...) {
		f.Add(expr, int64(i)*40_000_000, uint8(i))
	}
	f.Fuzz(func(t *testing.T, expr string, after int64, zoneIndex uint8) {
		loc := zone(t, fuzzZones[int(zoneIndex)%len(fuzzZones)])
		s, err := Parse(expr, loc)
		if err != nil {
			isExplained(t, expr, err)
			return
		}
		if s.Next(time.Unix(-1, 0)).IsZero() {
			t.Fatalf("%q parses and never fires", expr)
		}
		if strings.Contains(inWords(s), "%!") {
			t.Fatalf("%q in words: %s", expr, inWords(s))
		}
		at := time.Unix(after, 0).In(loc)
		for range 5 {
			next := s.Next(at)
			if next.IsZero() {
				return
			}
			if !next.After(at) || next.Nanosecond() != 0 {
				t.Fatalf("%q after %v fires at %v", expr, at, next)
			}
			isPure(t, s, at, next)
			at = next
		}
	})
}

// isExplained wants the place or the whole, and never the sound of another
// package.
func isExplained(t *testing.T, expr string, err error) {
	var fault *SyntaxError
	if !errors.As(err, &fault) && !errors.Is(err, ErrNever) {
		t.Fatalf("%q: %v (%T) is neither a *SyntaxError nor ErrNever", expr, err, err)
	}
	if fault != nil && (fault.Problem == "" || fault.Expr != expr || fault.Char < 0 || fault.Char > len(expr)+1) {
		t.Fatalf("%q: %#v", expr, fault)
	}
}

// isPure asks for the same fire from moments in between. A delay is the one
// that may answer otherwise.
func isPure(t *testing.T, s Schedule, at, next time.Time) {
	if AfterEnd(s) {
		return
	}
	gap := next.Sub(at)
	for _, between := range []time.Duration{gap / 7, gap / 2, gap - time.Second, gap - 1} {
		if between < 0 {
			continue
		}
		if got := s.Next(at.Add(between)); !got.Equal(next) {
			t.Fatalf("%v after %v fires at %v, but after %v at %v", s, at, next, at.Add(between), got)
		}
	}
}

// Whatever passes our guard robfig's parser accepts, and reads as our own terms
// do; what it would misread does not pass.
func FuzzUnixGuardAgreesWithRobfig(f *testing.F) {
	for _, fields := range []string{
		"* * * * *",
		"*/5 1-9/2 1,2,3 jan-MAR sun,2",
		"5/7 0-23 31 12 6/1",
		", * * * *",
		"*-5 * * * *",
		"? ? ? ? ?",
		"+1 * * * *",
	} {
		f.Add(fields)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		fields := split(expr)
		if len(fields) != 5 || plain(expr) != nil {
			return
		}
		e, err := parseUnix(fields, time.UTC)
		if err != nil {
			isExplained(t, expr, err)
			return
		}
		parsed, err := cron.ParseStandard(expr)
		if err != nil {
			t.Fatalf("%q passes the guard, but robfig says %v", expr, err)
		}
		theirs := parsed.(*cron.SpecSchedule)
		for i, want := range []uint64{theirs.Minute, theirs.Hour, theirs.Dom, theirs.Month, theirs.Dow} {
			list, err := fields[i].spans()
			if err != nil {
				t.Fatal(err)
			}
			var got uint64
			for _, s := range list {
				got |= fields[i].set(s)
			}
			if got != want&^robfigStar {
				t.Fatalf("%q, %s: our terms are %b, robfig's %b", expr, fields[i].name, got, want&^robfigStar)
			}
		}
		if e.minute == 0 || e.hour == 0 || e.month == 0 {
			t.Fatalf("%q has an empty field: %+v", expr, e)
		}
	})
}

func FuzzCalendar(f *testing.F) {
	for _, rule := range []string{
		"2026-12-25", "12-24..01-02", "SAT-SUN", "22:00-06:00", "2026-12-24..2027-01-02", "00:00-24:00", "02-29",
	} {
		f.Add(rule, int64(1_800_000_000))
	}
	f.Fuzz(func(t *testing.T, rule string, at int64) {
		c, err := NewCalendar(nil, rule)
		if err != nil {
			return
		}
		if at = min(max(at, 0), lastUnix); true {
			name, until := c.excluded(time.Unix(at, 0))
			if name != "" && until.Unix() <= at {
				t.Fatalf("rule %q holds at %d until %d", rule, at, until.Unix())
			}
		}
		Except(every(3601), c).Next(time.Unix(at, 0))
	})
}
