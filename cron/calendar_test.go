package cron

import (
	"strings"
	"testing"
	"time"
)

func mustCalendar(t testing.TB, loc *time.Location, rules ...string) *Calendar {
	t.Helper()
	c, err := NewCalendar(loc, rules...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A calendar excludes the times that its rules name, and no others.
func TestCalendar_ExcludesNamedTimes(t *testing.T) {
	for _, c := range []struct{ rule, in, out string }{
		{
			"2026-12-25",
			"2026-12-25 00:00:00, 2026-12-25 23:59:59",
			"2026-12-24 23:59:59, 2026-12-26 00:00:00, 2027-12-25 12:00:00",
		},
		{
			"2026-12-24..2027-01-02",
			"2026-12-24 00:00:00, 2027-01-02 23:59:59",
			"2026-12-23 23:59:59, 2027-01-03 00:00:00",
		},
		{"12-25", "2026-12-25 00:00:00, 2027-12-25 23:59:59", "2026-12-26 00:00:00"},
		{"02-29", "2028-02-29 12:00:00", "2027-02-28 12:00:00, 2027-03-01 12:00:00"},
		{
			"12-24..01-02",
			"2026-12-24 00:00:00, 2026-01-02 23:59:59, 2026-12-31 12:00:00",
			"2026-12-23 23:59:59, 2026-01-03 00:00:00",
		},
		{"05-01..05-05", "2026-05-01 00:00:00, 2026-05-05 23:59:59", "2026-04-30 12:00:00, 2026-05-06 00:00:00"},
		{"SAT", "2026-01-03 00:00:00", "2026-01-02 23:59:59, 2026-01-04 00:00:00"},
		{"sat-sun", "2026-01-03 00:00:00, 2026-01-04 23:59:59", "2026-01-02 23:59:59, 2026-01-05 00:00:00"},
		{"MON-FRI", "2026-01-05 00:00:00, 2026-01-09 12:00:00", "2026-01-10 00:00:00"},
		{"12:00-13:30", "2026-01-03 12:00:00, 2026-01-03 13:29:59", "2026-01-03 11:59:59, 2026-01-03 13:30:00"},
		{
			"22:00-06:00",
			"2026-01-03 22:00:00, 2026-01-04 05:59:59, 2026-01-04 00:00:00",
			"2026-01-03 21:59:59, 2026-01-03 06:00:00",
		},
		{"18:00-24:00", "2026-01-03 18:00:00, 2026-01-03 23:59:59", "2026-01-03 17:59:59, 2026-01-04 00:00:00"},
	} {
		loc := zone(t, "Asia/Kathmandu")
		calendar := mustCalendar(t, loc, c.rule)
		for at := range strings.SplitSeq(c.in, ", ") {
			if got := calendar.Excludes(moment(t, at, loc)); got != c.rule {
				t.Errorf("%s does not exclude %s: got %q", c.rule, at, got)
			}
		}
		for at := range strings.SplitSeq(c.out, ", ") {
			if got := calendar.Excludes(moment(t, at, loc)); got != "" {
				t.Errorf("%s excludes %s", c.rule, at)
			}
		}
	}
}

func moment(t *testing.T, text string, loc *time.Location) time.Time {
	t.Helper()
	at, err := time.ParseInLocation(time.DateTime, text, loc)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// A malformed rule is refused.
func TestCalendar_RefusesMalformedRule(t *testing.T) {
	for _, rule := range []string{
		"", "2026-02-30", "2026-13-01", "02-30", "13-01", "2027-01-02..2026-12-24",
		"2026-01-01..", "..", "SA", "SAT-", "SAT..SUN",
		"12:00", "12:00-12:00", "25:00-26:00", "24:00-06:00", "12:60-13:00", "2026-01-01..01-05", "today",
	} {
		if c, err := NewCalendar(nil, rule); err == nil || !strings.Contains(err.Error(), "exception") {
			t.Errorf("rule %q: got %v, %v, want an error", rule, c, err)
		}
	}
}

// A calendar that leaves no time to fire is refused.
func TestCalendar_RefusesToExcludeAll(t *testing.T) {
	for _, rules := range [][]string{
		{"SUN-SAT"}, {"MON-FRI", "SAT-SUN"}, {"00:00-24:00"}, {"00:00-12:00", "12:00-24:00"}, {
			"MON-SAT", "22:00-06:00", "05:00-22:00",
		},
		{"MON-SUN"},
	} {
		if _, err := NewCalendar(nil, rules...); err == nil || !strings.Contains(err.Error(), "leave no time") {
			t.Errorf("rules %q: got %v, want an error", rules, err)
		}
	}
	mustCalendar(t, nil, "MON-SAT", "22:00-06:00", "06:01-22:00") // a minute on Sundays
}

// The second opinion: drop the excluded fires one by one.
func TestExcept_KeepsOtherFires(t *testing.T) {
	for _, name := range []string{"Asia/Shanghai", "America/New_York", "America/Havana", "Australia/Lord_Howe"} {
		loc := zone(t, name)
		for _, calendar := range []*Calendar{
			mustCalendar(t, loc, "SAT-SUN", "12-24..01-02", "2026-03-08..2026-03-11", "2026-11-02", "22:00-01:20"),
			mustCalendar(t, loc, "2026-03-06..2026-03-11", "10-03..11-05"), // the clock changes meanwhile
		} {
			for _, expr := range []string{
				"*/10 * * * *", "30 1 * * *", "30 21 * * *", "0 0/17 0/3 ? * *", "@every 50m", "0 0 12 LW * ?",
			} {
				exceptOneByOne(t, mustParse(t, expr, loc), calendar)
			}
		}
	}
}

func exceptOneByOne(t *testing.T, s Schedule, calendar *Calendar) {
	t.Helper()
	got, at := Except(s, calendar), time.Date(2026, 1, 1, 0, 0, 0, 0, calendar.loc)
	for stop := at.AddDate(1, 0, 0); at.Before(stop); {
		want := s.Next(at)
		for calendar.Excludes(want) != "" {
			want = s.Next(want)
		}
		if next := got.Next(at); !next.Equal(want) {
			t.Fatalf("%v in %s after %v: got %v, want %v", got, calendar.loc, at, next, want)
		}
		at = want
	}
}

// A long exclusion costs one step and not one for each fire in it.
func TestExcept_JumpsOverLongExclusion(t *testing.T) {
	calls := 0
	s := Except(counted{mustParse(t, "* * * * * ?", nil), &calls}, mustCalendar(t, nil, "2026-01-01..2126-01-01"))
	got := s.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if want := time.Date(2126, 1, 2, 0, 0, 0, 0, time.UTC); !got.Equal(want) || calls > 2 {
		t.Errorf("got %v after %d calls of Next, want %v after 2", got, calls, want)
	}
}

type counted struct {
	Schedule
	calls *int
}

func (c counted) Next(t time.Time) time.Time {
	*c.calls++
	return c.Schedule.Next(t)
}

// A delay that ends in an exclusion fires at the end of the exclusion.
func TestExcept_DelayWaitsForEndOfExclusion(t *testing.T) {
	s := mustMake(t, Spec{Expr: "@after 10m", Except: []string{"22:00-06:00"}})
	for end, want := range map[string]string{
		"2026-01-01 21:00:00": "2026-01-01 21:10:00",
		"2026-01-01 21:50:00": "2026-01-02 06:00:00",
		"2026-01-01 23:00:00": "2026-01-02 06:00:00",
		"2026-01-02 05:55:00": "2026-01-02 06:05:00",
	} {
		if got := s.Next(moment(t, end, time.UTC)); !got.Equal(moment(t, want, time.UTC)) {
			t.Errorf("after a run that ends at %s: got %v, want %s", end, got, want)
		}
	}
}

// A fire at the start of the bounds counts, and one at the end does not.
func TestBetween_IncludesStartNotEnd(t *testing.T) {
	start, end := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 11, 0, 0, 0, time.UTC)
	s := Between(mustParse(t, "0 * * * *", nil), start, end)
	if got, want := fires(s, start.AddDate(-1, 0, 0), 9), "01-01 09:00:00 +00, 01-01 10:00:00 +00, none"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	inside := Between(mustParse(t, "0 * * * *", nil), start.Add(-time.Nanosecond), end.Add(time.Nanosecond))
	want := "01-01 09:00:00 +00, 01-01 10:00:00 +00, 01-01 11:00:00 +00, none"
	if got := fires(inside, start.AddDate(-1, 0, 0), 9); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	delay := Between(Delay(time.Minute), start, end)
	if got := delay.Next(start.Add(-time.Hour)); !got.Equal(start) {
		t.Errorf("a delay that is over before the start: got %v, want %v", got, start)
	}
	if got := delay.Next(end.Add(-time.Minute)); !got.IsZero() {
		t.Errorf("a delay that is over at the end: got %v, want none", got)
	}
}

// stuck is a foreign schedule that does not advance.
type stuck time.Time

func (s stuck) Next(time.Time) time.Time { return time.Time(s) }

// A foreign schedule that does not advance cannot block Except or Between.
func TestExcept_StuckScheduleEnds(t *testing.T) {
	at := time.Date(2026, 1, 3, 12, 0, 0, 0, time.UTC)
	if got := Except(stuck(at), mustCalendar(t, nil, "SAT")).Next(at); !got.IsZero() {
		t.Errorf("Except: got %v, want none", got)
	}
	if alike, _ := Alike(stuck(at), stuck(at), at, at.AddDate(1, 0, 0)); !alike {
		t.Error("Alike: it differs from itself")
	}
	if e, err := Explain(stuck(at), at, 5); len(e.Next) != 0 || err != nil {
		t.Errorf("Explain: got %v, %v, want no fires", e, err)
	}
}
