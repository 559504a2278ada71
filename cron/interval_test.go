package cron

import (
	"math"
	"testing"
	"time"
)

// The fires of an interval do not depend on the time of the start.
func TestEvery_GridIndependentOfStart(t *testing.T) {
	s := mustParse(t, "@every 7m", zone(t, "Asia/Kathmandu"))
	base := time.Unix(7*60*4_000_000, 0)
	for offset := time.Duration(0); offset < 7*time.Minute; offset += 11*time.Second + 3*time.Nanosecond {
		if got, want := s.Next(base.Add(offset)), base.Add(7*time.Minute); !got.Equal(want) {
			t.Errorf("%v after a fire: got %v, want %v", offset, got, want)
		}
	}
	if got, want := s.Next(time.Unix(-1, 0)), time.Unix(0, 0); !got.Equal(want) {
		t.Errorf("before the epoch: got %v, want %v", got, want)
	}
}

// Intervals count from midnight UTC.
func TestEvery_DayBeginsAtMidnightUTC(t *testing.T) {
	s := mustParse(t, "@every 24h", zone(t, "America/New_York"))
	want := time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC)
	if got := s.Next(time.Date(2026, 3, 8, 1, 2, 3, 4, time.UTC)); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Every refuses intervals that are not whole seconds.
func TestEvery_RefusesFractionsOfSeconds(t *testing.T) {
	for _, d := range []time.Duration{0, -time.Minute, time.Millisecond, 1500 * time.Millisecond, math.MinInt64} {
		if s, err := Every(d); err == nil {
			t.Errorf("Every(%v) = %v, want an error", d, s)
		}
	}
}

// An instant fires once.
func TestAt_FiresOnce(t *testing.T) {
	s := mustParse(t, "@at 2027-01-01T00:00:00+08:00", nil)
	want := time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC)
	for _, before := range []time.Duration{time.Nanosecond, time.Second, 1e6 * time.Hour} {
		if got := s.Next(want.Add(-before)); !got.Equal(want) {
			t.Errorf("%v before: got %v, want %v", before, got, want)
		}
	}
	if got := s.Next(want); !got.IsZero() {
		t.Errorf("at the instant: got %v, want none", got)
	}
}

// A delay counts from the end of the last run.
func TestDelay_CountsFromEndOfLastRun(t *testing.T) {
	s := mustParse(t, "@after 10m", nil)
	end := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if got, want := s.Next(end), end.Add(10*time.Minute); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := s.Next(end.Add(1)), end.Add(10*time.Minute+time.Second); !got.Equal(want) {
		t.Errorf("an end inside a second: got %v, want %v, rounded up", got, want)
	}
}

// AfterEnd finds a delay behind bounds and exceptions.
func TestAfterEnd_ThroughBoundsAndExceptions(t *testing.T) {
	delay := Spec{Expr: "@after 10m", Start: time.Unix(1, 0), Except: []string{"SAT"}}
	if !AfterEnd(mustMake(t, delay)) || !AfterEnd(Delay(time.Second)) {
		t.Error("AfterEnd of a delay is false")
	}
	if AfterEnd(mustMake(t, Spec{Expr: "@every 10m", Start: time.Unix(1, 0), Except: []string{"SAT"}})) {
		t.Error("AfterEnd of an interval is true")
	}
}

// Next returns times in the location of its argument.
func TestNext_InLocationOfArgument(t *testing.T) {
	tokyo := zone(t, "Asia/Tokyo")
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, tokyo)
	for _, spec := range []Spec{
		{Expr: "0 9 * * *"}, {Expr: "0 0 9 ? * MON"}, {Expr: "@every 1h"}, {Expr: "@after 1h"}, {
			Expr: "@at 2027-01-01T00:00:00Z",
		},
		{Expr: "30 2 8 3 *"}, {
			Expr:   "@every 1h",
			Except: []string{"2026-01-01..2026-02-01"},
		}, {Expr: "@after 1h", Start: start.AddDate(1, 0, 0)},
	} {
		spec.Zone = "America/New_York"
		if got := mustMake(t, spec).Next(start); got.Location() != tokyo {
			t.Errorf("%+v: got %v, want a time of Tokyo", spec, got)
		}
	}
}

// Next returns no fire at the limits of time.
func TestNext_NoFireAtEndsOfTime(t *testing.T) {
	for _, expr := range []string{
		"* * * * *", "* * * * * ?", "@every 1s", "@every 2562047h", "@at 2027-01-01T00:00:00Z",
	} {
		s := mustParse(t, expr, zone(t, "America/New_York"))
		for _, end := range []time.Time{
			time.Unix(math.MaxInt64, 0), time.Unix(math.MaxInt64-1, 0), time.Unix(1<<62, 999_999_999),
		} {
			if got := s.Next(end); !got.IsZero() && !got.After(end) {
				t.Errorf("%q at %d: got %d", expr, end.Unix(), got.Unix())
			}
		}
		for _, start := range []time.Time{{}, time.Unix(math.MinInt64, 0), time.Unix(-1<<62, 0)} {
			if got := s.Next(start); got.IsZero() {
				t.Errorf("%q at %d: got none", expr, start.Unix())
			}
		}
	}
}

func TestFires_LieFrom1970To2199(t *testing.T) {
	s := mustParse(t, "0 0 0 1 1 ?", nil)
	if got := s.Next(time.Time{}).Year(); got != 1970 {
		t.Errorf("first fire in %d, want 1970", got)
	}
	if got := s.Next(time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC)); !got.IsZero() {
		t.Errorf("after the last fire: got %v, want none", got)
	}
}
