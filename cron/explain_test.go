package cron

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

// Each expression is described in words.
func TestExplain_Words(t *testing.T) {
	for expr, want := range map[string]string{
		"* * * * * ?":              "every second",
		"0/5 * * * * ?":            "every 5 seconds",
		"7/13 * * * * ?":           "every 13 seconds from second 7 on",
		"0/7 * 8-10 * * ?":         "every 7 seconds from second 0 on in hours 8 to 10 every day",
		"30 * * ? * *":             "at second 30 of every minute",
		"50-10 * * * * ?":          "at seconds 50 to 10 of every minute",
		"50-10/7 0 * * * ?":        "at seconds 4, 50 and 57 of minute 0 of every hour",
		"30 0/15 9-17 ? * MON-FRI": "at second 30 in every 15th minute in hours 9 to 17 on Monday to Friday",
		"* 50-59 * * * ?":          "every second in minutes 50 to 59 of every hour",
		"* 0 0/2 1 1 ?":            "every second in minute 0 in every 2nd hour on day 1 of the month in January",
		"* * * * *":                "every minute",
		"*/5 * * * *":              "every 5 minutes",
		"0,30 * * * *":             "every 30 minutes",
		"5,35 * * * *":             "every 30 minutes from minute 5 on",
		"3-59/7 * * * *":           "every 7 minutes from minute 3 on",
		"*/15 9-17 * * *":          "every 15 minutes in hours 9 to 17 every day",
		"15 * * * *":               "at minute 15 of every hour",
		"5-59 * * * *":             "at minutes 5 to 59 of every hour",
		"0 15 0/2 * * ?":           "at minute 15 in every 2nd hour",
		"0 30 22-4 * * ?":          "at minute 30 of hours 22 to 4 every day",
		"0 * * * *":                "every hour",
		"0 */2 * * *":              "every 2 hours",
		"0 1-23/2 * * *":           "every 2 hours from hour 1 on",
		"0 9-17 * * *":             "every hour from 09:00 to 17:00 every day",
		"0 0 9,11,13,15,18 * * ?":  "at minute 0 of hours 9, 11, 13, 15 and 18 every day",
		"0 */6 * * *":              "at 00:00, 06:00, 12:00 and 18:00",
		"30 9 * * *":               "at 09:30 every day",
		"59 59 23 * * ?":           "at 23:59:59 every day",
		"0,30 2 * * *":             "at 02:00 and 02:30 every day",
		"0 9 * * 1-5":              "at 09:00 on Monday to Friday",
		"0 9 * * 6,0":              "at 09:00 on Saturday and Sunday",
		"0 0 10 ? * FRI-MON":       "at 10:00 on Friday to Monday",
		"0 0 13 * 5":               "at 00:00 on day 13 of the month or on Friday",
		"0 0 1,15-20 2 *":          "at 00:00 on day 1 and 15 to 20 of the month in February",
		"0 0 9 ? NOV-FEB MON":      "at 09:00 on Monday in November to February",
		"0 0 0 L * ?":              "at 00:00 on the last day of the month",
		"0 0 0 L-1 * ?":            "at 00:00 on the day before the last of the month",
		"0 0 0 L-3W * ?":           "at 00:00 on the workday nearest to the day 3 days before the last of the month",
		"0 0 9 1W,15 * ?":          "at 09:00 on day 15 of the month or on the workday nearest to day 1",
		"0 0 9 ? * 6L":             "at 09:00 on the last Friday of the month",
		"0 0 9 ? * MON#1,TUE#2":    "at 09:00 on the 1st Monday of the month or on the 2nd Tuesday of the month",
		"0 0 9 ? * L":              "at 09:00 on Saturday",
		"0 0 12 1 1 ? 2027-2031/2": "at 12:00 on day 1 of the month in January in 2027, 2029 and 2031",
		"0 0 12 * * ? 2027-2030":   "at 12:00 every day in 2027 to 2030",
		"@daily":                   "at 00:00 every day",
	} {
		if got := inWords(mustParse(t, expr, zone(t, "Asia/Shanghai"))); got != want+", Asia/Shanghai" {
			t.Errorf("%q: %s, want %s", expr, got, want)
		}
	}
	for expr, want := range map[string]string{
		"@every 90m":                    "every 1h30m0s, counted from 1970-01-01 00:00:00 UTC",
		"@at 2027-01-01T00:00:00+08:00": "once, at 2026-12-31T16:00:00Z",
		"@after 10m":                    "10m0s after the end of the last run",
	} {
		if got := inWords(mustParse(t, expr, nil)); got != want {
			t.Errorf("%q: %s, want %s", expr, got, want)
		}
	}
}

// An explanation shows times in the time zone of the schedule.
func TestExplain_UsesZoneOfSchedule(t *testing.T) {
	s := mustMake(t, Spec{Expr: "0 30 9 ? * MON-FRI", Zone: "Asia/Shanghai", Except: []string{"10-01..10-07"},
		End: time.Date(2026, 10, 10, 0, 0, 0, 0, time.UTC)})
	e, err := Explain(s, time.Date(2026, 9, 29, 12, 0, 0, 0, time.UTC), 9)
	const want = `"0 30 9 ? * MON-FRI except 10-01..10-07 until 2026-10-10T00:00:00Z": ` +
		`at 09:30 on Monday to Friday, Asia/Shanghai, ` +
		`except 10-01..10-07, until 2026-10-10T00:00:00Z; next Wed 2026-09-30 09:30:00 +0800, ` +
		`Thu 2026-10-08 09:30:00 +0800, Fri 2026-10-09 09:30:00 +0800`
	if e.String() != want || err != nil {
		t.Errorf("got  %v, %v\nwant %s", e, err, want)
	}
}

// Explain describes a schedule that has ended, and returns an error.
func TestExplain_WordsOfEndedSchedule(t *testing.T) {
	e, err := Explain(mustParse(t, "0 0 0 1 1 ? 2020", nil), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 3)
	if !errors.Is(err, ErrNever) || len(e.Next) != 0 || !strings.Contains(e.Words, "2020") {
		t.Errorf("got %v, %v, want words and ErrNever", e, err)
	}
}

// Explain shows only one fire of a delay: later ones depend on later runs.
func TestExplain_OneFireOfDelay(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if e, err := Explain(Delay(time.Hour), now, 5); len(e.Next) != 1 || err != nil {
		t.Errorf("got %v, %v, want one fire", e, err)
	}
}

// Explain accepts schedules of other packages.
func TestExplain_TakesForeignSchedules(t *testing.T) {
	e, err := Explain(cron.Every(time.Hour), time.Unix(0, 0), 2)
	if err != nil || len(e.Next) != 2 || !strings.Contains(e.Words, "cron.ConstantDelaySchedule") {
		t.Errorf("got %v, %v, want two fires and the type", e, err)
	}
}

// Parse reads the result of String, so an operator can copy it from a log.
func TestSchedule_PrintsItsExpression(t *testing.T) {
	for _, expr := range append(
		[]string{"@every 90s", "@after 10m", "@at 2027-01-01T00:00:00+08:00", "@weekly"}, goldenExpressions...,
	) {
		s := mustParse(t, expr, nil)
		again := mustParse(t, s.(interface{ String() string }).String(), nil)
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if got, want := again.Next(now), s.Next(now); !got.Equal(want) {
			t.Errorf("%q printed and read again fires at %v, want %v", expr, got, want)
		}
	}
}
