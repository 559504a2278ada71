package cron

import (
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

// Alike finds the first difference.
func TestAlike_FindsFirstDifference(t *testing.T) {
	from, to := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		a, b  string
		first string // empty: alike
	}{
		{"30 9 * * 1-5", "0 30 9 ? * MON-FRI", ""},
		{"30 9 * * 1-5", "0 30 9 ? * 1-5", "2026-01-02 09:30:00"}, // Quartz's 1-5 is Sunday to Thursday
		{"@daily", "@every 24h", ""},
		{"0 0 0 L * ?", "0 0 28-31 * *", "2026-01-28 00:00:00"},
		{"0 0 * * *", "0 0 0 * * ? 2026", "2027-01-01 00:00:00"},
		{"0 0 0 1 1 ?", "@yearly", ""},
		{"@at 2026-01-01T00:00:00Z", "0 0 0 1 1 ? 2026", ""}, // from is included
		{"@at 2028-01-01T00:00:00Z", "@at 2029-01-01T00:00:00Z", ""},
		{"@at 2027-01-01T00:00:00Z", "@at 2029-01-01T00:00:00Z", "2027-01-01 00:00:00"},
		{"@at 2029-01-01T00:00:00Z", "@at 2027-01-01T00:00:00Z", "2027-01-01 00:00:00"},
	} {
		alike, at := Alike(mustParse(t, c.a, nil), mustParse(t, c.b, nil), from, to)
		got := ""
		if !alike {
			got = at.Format(time.DateTime)
		}
		if got != c.first || alike != at.IsZero() {
			t.Errorf("%q and %q: first difference %q, want %q", c.a, c.b, got, c.first)
		}
	}
}

// Robfig's own schedules agree with ours in zones whose clock does not change,
// and not in others.
func TestAlike_TakesForeignSchedules(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, want := range map[string]string{
		"Asia/Shanghai":       "",
		"America/New_York":    "2026-03-08 07:00:00", // robfig loses the fire in the gap
		"Australia/Lord_Howe": "2026-04-04 15:45:00", // and errs when the clock goes back by half an hour
	} {
		theirs, err := cron.ParseStandard("CRON_TZ=" + name + " 15 2 * * *")
		if err != nil {
			t.Fatal(err)
		}
		alike, at := Alike(mustParse(t, "15 2 * * *", zone(t, name)), theirs, from, from.AddDate(1, 0, 0))
		got := ""
		if !alike {
			got = at.UTC().Format(time.DateTime)
		}
		if got != want {
			t.Errorf("%s: first difference %q, want %q", name, got, want)
		}
	}
}
