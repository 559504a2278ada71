package cron

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// fires formats the next n fires of s after start, in start's location.
func fires(s Schedule, start time.Time, n int) string {
	var list []string
	for t := start; len(list) < n; {
		if t = s.Next(t); t.IsZero() {
			list = append(list, "none")
			break
		}
		list = append(list, t.Format("01-02 15:04:05 -07"))
	}
	return strings.Join(list, ", ")
}

func mustMake(t testing.TB, spec Spec) Schedule {
	t.Helper()
	s, err := spec.Schedule()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The policies of a Spec replace those of the dialect.
func TestSpec_PolicyReplacesDialects(t *testing.T) {
	const zoneName = "America/New_York" // 2026-03-08 has no 02:xx, 2026-11-01 has 01:xx twice
	spring := time.Date(2026, 3, 7, 12, 0, 0, 0, zone(t, zoneName))
	autumn := time.Date(2026, 11, 1, 0, 0, 0, 0, zone(t, zoneName))
	for _, c := range []struct {
		spec  Spec
		start time.Time
		want  string
	}{
		{Spec{Expr: "0 30 2 * * ?"}, spring, "03-09 02:30:00 -04, 03-10 02:30:00 -04"},
		{Spec{Expr: "0 30 2 * * ?", Gap: GapShift}, spring, "03-08 03:00:00 -04, 03-09 02:30:00 -04"},
		{Spec{Expr: "30 2 * * *"}, spring, "03-08 03:00:00 -04, 03-09 02:30:00 -04"},
		{Spec{Expr: "30 2 * * *", Gap: GapSkip}, spring, "03-09 02:30:00 -04, 03-10 02:30:00 -04"},
		{Spec{Expr: "0,30 2 * * *"}, spring, "03-08 03:00:00 -04, 03-09 02:00:00 -04"}, // two are lost, one is made up
		// and it may coincide with another
		{Spec{Expr: "0 2,3 * * *"}, spring, "03-08 03:00:00 -04, 03-09 02:00:00 -04"},
		{Spec{Expr: "30 */2 8 3 *"}, spring, "03-08 00:30:00 -05, 03-08 04:30:00 -04"}, // a step goes by elapsed time
		{Spec{Expr: "30 */2 8 3 *", Gap: GapShift}, spring, "03-08 00:30:00 -05, 03-08 03:00:00 -04"},
		{Spec{Expr: "0 30 1 * * ?"}, autumn, "11-01 01:30:00 -04, 11-02 01:30:00 -05"},
		{
			Spec{Expr: "0 30 1 * * ?", Overlap: OverlapBoth},
			autumn,
			"11-01 01:30:00 -04, 11-01 01:30:00 -05, 11-02 01:30:00 -05",
		},
		// The second pass counts though the next match of the wall clock is a
		// year away, or there is none.
		{
			Spec{Expr: "0 30 1 1 11 ?", Overlap: OverlapBoth},
			autumn,
			"11-01 01:30:00 -04, 11-01 01:30:00 -05, 11-01 01:30:00 -04",
		},
		{
			Spec{Expr: "0 30 1 1 11 ? 2026", Overlap: OverlapBoth},
			autumn,
			"11-01 01:30:00 -04, 11-01 01:30:00 -05, none",
		},
		{
			Spec{Expr: "30 * * * *"},
			autumn,
			"11-01 00:30:00 -04, 11-01 01:30:00 -04, 11-01 01:30:00 -05, 11-01 02:30:00 -05",
		},
		{
			Spec{Expr: "30 * * * *", Overlap: OverlapFirst},
			autumn,
			"11-01 00:30:00 -04, 11-01 01:30:00 -04, 11-01 02:30:00 -05",
		},
		// All hours are no hours.
		{Spec{Expr: "30 0-23 * * *"}, autumn, "11-01 00:30:00 -04, 11-01 01:30:00 -04, 11-01 01:30:00 -05"},
		{Spec{Expr: "30 0-22 * * *"}, autumn, "11-01 00:30:00 -04, 11-01 01:30:00 -04, 11-01 02:30:00 -05"},
	} {
		c.spec.Zone = zoneName
		s := mustMake(t, c.spec)
		if got := fires(s, c.start, strings.Count(c.want, ",")+1); got != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", c.spec, got, c.want)
		}
	}
}

// Next finds the first fire from within a gap and a repeated hour.
func TestSpec_FireFromGapAndRepeatedHour(t *testing.T) {
	ny := zone(t, "America/New_York")
	shift := mustParse(t, "30 2 * * *", ny)
	gap := time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC) // 02:00 -05 becomes 03:00 -04
	for _, before := range []time.Duration{time.Nanosecond, time.Second, time.Hour} {
		if got := shift.Next(gap.Add(-before)); !got.Equal(gap) {
			t.Errorf("%v before the gap: got %v, want %v", before, got, gap)
		}
	}
	if got, want := shift.Next(gap), gap.Add(23*time.Hour+30*time.Minute); !got.Equal(want) {
		t.Errorf("at the gap: got %v, want %v", got, want)
	}
	first := mustParse(t, "30 1 * * *", ny)
	second := time.Date(2026, 11, 1, 6, 10, 0, 0, time.UTC) // 01:10 for the second time
	if got, want := first.Next(second), time.Date(2026, 11, 2, 1, 30, 0, 0, ny); !got.Equal(want) {
		t.Errorf("in the repeated hour: got %v, want %v", got, want)
	}
}

// Spec reports all faults in one error.
func TestSpec_ReportsAllFaults(t *testing.T) {
	_, err := Spec{
		Expr: "61 * * * *", Zone: "Asia/Peking", Gap: "jump", Overlap: "twice",
		Start:  time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		End:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Except: []string{"sometimes", "2026-02-30"},
	}.Schedule()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`"61" is above 59`, `zone "Asia/Peking"`, `gap "jump"`, `overlap "twice"`,
		"is not after start", `"sometimes"`, `"2026-02-30"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %s:\n%v", want, err)
		}
	}
}

// A Spec that never fires is refused.
func TestSpec_RefusesNeverFiring(t *testing.T) {
	for name, spec := range map[string]Spec{
		"bounds without a fire": {
			Expr:  "0 0 1 1 *",
			Start: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
			End:   time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		},
		"exception of all fires": {Expr: "0 12 * * 6", Except: []string{"SAT"}},
		"daily window":           {Expr: "0 23 * * *", Except: []string{"22:00-06:00"}},
		"interval and dates":     {Expr: "@every 24h", Except: []string{"23:59-00:01"}},
		"skipped always":         {Expr: "0 30 2 ? 3 1L 2026-2199", Zone: "Europe/Berlin"},
	} {
		if s, err := spec.Schedule(); !errors.Is(err, ErrNever) || s != nil {
			t.Errorf("%s: got %v, %v, want ErrNever", name, s, err)
		}
	}
	// The policy decides, not the dialect's.
	mustMake(t, Spec{Expr: "0 30 2 ? 3 1L 2026-2199", Zone: "Europe/Berlin", Gap: GapShift})
	if _, err := (Spec{Expr: "0 0 29 2 *", Gap: GapSkip}).Schedule(); err != nil {
		t.Error(err)
	}
}

// The six fields of robfig/cron are read only by Seconds.
func TestSeconds_OnlyWhenAskedFor(t *testing.T) {
	start := time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC) // a Saturday
	const want = "01-05 09:00:15 +00, 01-06 09:00:15 +00"
	s, err := Seconds("15 0 9 * * 1-5", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := fires(s, start, 2); got != want {
		t.Errorf("Seconds: got %s, want %s", got, want)
	}
	if got := fires(mustMake(t, Spec{Expr: "15 0 9 * * 1-5", Seconds: true}), start, 2); got != want {
		t.Errorf("Spec.Seconds: got %s, want %s", got, want)
	}
	for _, expr := range []string{"0 9 * * 1-5", "0 0 9 ? * 1-5", "@daily", "0 0 9 * * 1-5 2027", "0 0 9 30 2 *", ""} {
		if s, err := Seconds(expr, nil); err == nil || s != nil {
			t.Errorf("Seconds(%q) = %v, want an error", expr, s)
		}
	}
}
