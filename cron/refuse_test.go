package cron

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// The error of a malformed expression names the place and what to write.
func TestParse_RefusesWithPlaceAndRemedy(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		// The place.
		{"60 * * * *", `minute, character 1: "60" is above 59; allowed: 0-59`},
		{"0 24 * * *", `hour, character 3: "24" is above 23; allowed: 0-23`},
		{"0 0 0 * *", `day of month, character 5: "0" is below 1; allowed: 1-31`},
		{"0 0 1 1-13 *", `month, character 9: "13" is above 12; allowed: 1-12 or JAN-DEC`},
		{"0  0\t*  *   sunn", `day of week, character 13: "sunn" is not a value of this field`},
		{"0 0 25 * * ?", `hour, character 5: "25" is above 23`},
		{"0 0 0 ? * 8", `day of week, character 11: "8" is above 7; allowed: 1-7 (1 = Sunday)`},
		{"0 0 0 1 1 ? 2200", `year, character 13: "2200" is above 2199; allowed: 1970-2199`},
		{"0 0 0 1 1 ? 1969", `"1969" is below 1970`},
		{"0 0 0 L-31 * ?", `day of month, character 7: "L-31" does not count back from the last day by 0 to 30`},
		{"0 0 0 L+1 * ?", `"L+1" is not counted from the end as L-3 is`},
		{"0 0 0 32W * ?", `"32" is above 31`},
		{"0 0 0 W * ?", `character 7: a number is missing`},
		{"0 0 0 ? * 2#6", `day of week, character 13: "6" is not 1 to 5`},
		{"0 0 0 ? * #2", `character 11: a number is missing`},
		{"0 0 0 ? * MO", `"MO" is not a value of this field`},
		{"0 0 ? * * ?", `hour, character 5: "?" is not a value`}, // as the third field, not a day
		// Forms that robfig's parser takes for something else, or in silence.
		{", * * * *", `minute, character 1: a list has an empty term`},
		{"0 0 1,,2 * *", `day of month, character 7: a list has an empty term`},
		{"*-5 * * * *", `"*-5" has a * that is not alone`},
		{"+5 * * * *", `"+5" is not a value`},
		{"*/0 * * * *", `character 3: "0" is not a step`},
		{"1/2/3 * * * *", `character 3: "2/3" is not a step`},
		{"5/-1 * * * *", `character 3: "-1" is not a step`},
		{"1-2-3 * * * *", `character 3: "2-3" is not a value`},
		{"1- * * * *", `character 3: a number is missing`},
		{"99999999999999999999 * * * *", `"99999999999999999999" is above 59`},
		{"*/99999999999999999999 * * * *", `is a step past the end of the field, 59`},
		{"TZ=UTC", `"TZ=UTC" is not part of an expression here; give the time zone beside`},
		{"CRON_TZ=Asia/Tokyo 0 0 * * *", `give the time zone beside the expression`},
		// The remedy.
		{
			"0 9 ? * 2-6",
			`write "0 0 9 ? * 2-6" (at 09:00 on Monday to Friday, UTC); ` +
				`if it is Unix's, write "0 9 * * 2-6" (at 09:00 on Tuesday to Saturday, UTC)`,
		},
		{
			"0 9 L * *",
			`if it is Quartz's, which has seconds first, ` +
				`write "0 0 9 L * ?" (at 09:00 on the last day of the month, UTC)`,
		},
		{"0 9 * * 6#3", `write "0 0 9 ? * 6#3" (at 09:00 on the 3rd Friday of the month, UTC)`},
		{
			"0 9 * * 7",
			`for Sunday write 0 or SUN; if it is Quartz's, which has seconds first, ` +
				`write "0 0 9 ? * 7" (at 09:00 on Saturday, UTC)`,
		},
		{"0 9 * * 2-7", `write "0 0 9 ? * 2-7" (at 09:00 on Monday to Saturday, UTC)`},
		{"0 0 9 ? * 0", `for Sunday write 1 or SUN`},
		{
			"0 0 9 * * 1-5",
			`write "0 0 9 ? * 1-5" (at 09:00 on Sunday to Thursday, UTC); ` +
				`if it is robfig's with seconds, read it with Seconds (at 09:00 on Monday to Friday, UTC)`,
		},
		{"0 0 9 1 * *", `write "0 0 9 1 * ?"`},
		{"0 0 9 * * * 2027", `write "0 0 9 * * ? 2027"`},
		{"0 0 9 ? * ?", `has ? in both day fields; if it is Quartz's, write "0 0 9 * * ?"`},
		{"0 0 9 L * 2", `Quartz has no "or" of the two day fields: write an expression for each`},
		{"0 22-2 * * *", `"22-2" runs backwards; allowed: 0-23 with , - * /; write 22-23,0-2`},
		{"0 0 * * fri-mon", `write FRI-SAT,SUN-MON`},
		{"0 0 * * sat-sun", `write SAT,SUN`},
		{"0 0 0 1 1 ? 2030-2020", `write 2020-2030`},
		{"0 0 0 ? * MONDAY", `write MON`},
		{"*/90 * * * *", `write @every 90m`},
		{"0/60 * * * * ?", `write @every 60s`},
		{"/5 * * * *", `write */5`},
		{
			"0 0 */2 * 1",
			`which crons read differently; allowed: 1-31 with , - * /; write 1-31/2 for days that match either field`,
		},
		{"0 0 1 * */2", `write 0-6/2 for days that match either field`},
		{"0 0 9 ？ * MON", `character 7: "？" is not an ASCII character; write ?`},
		{"0 0 9 ? * MON，FRI", `character 14: "，" is not an ASCII character; write ,`},
		// Words.
		{"@Daily", `"@Daily" is not a word of this dialect; allowed: @hourly, @daily`},
		{"@Daily", `write @daily`},
		{"@reboot", `allowed: @hourly`},
		{"@daily 3", `character 8: "3" follows the end`},
		{"@every", `character 7: nothing follows`},
		{
			"@every 10",
			`"10" has no unit; allowed: a duration of whole seconds from 1s, ` +
				`such as 90s, 10m or 1h30m; write 10s for seconds`,
		},
		{"@every 1.7s", `"1.7s" is not whole seconds`},
		{"@every 1ms", `"1ms" is shorter than a second`},
		{"@every -5m", `"-5m" is shorter than a second`},
		{"@every 0s", `"0s" is shorter than a second`},
		{"@after 1d", `"1d" is not a duration`},
		{"@at 2027-13-01", `is not an instant; allowed: an instant such as 2027-01-01T00:00:00+08:00`},
		{"@at 2027-01-01T08:00:00", `lacks the offset from UTC`},
		{"@at 2027-01-01T08:00:00.5Z", `is not a whole second`},
		// Neither dialect.
		{"", `is empty; allowed: 5 fields`},
		{" \t ", `is empty`},
		{"* * * *", `has 4 fields; allowed: 5 fields (minute hour`},
		{"* * * * * ? * *", `has 8 fields`},
	} {
		s, err := Parse(c.expr, nil)
		if err == nil {
			t.Errorf("Parse(%q) = %v, want an error with %s", c.expr, inWords(s), c.want)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("Parse(%q):\n got %v\nwant %s", c.expr, err, c.want)
		}
		var fault *SyntaxError
		if !errors.As(err, &fault) || fault.Expr != c.expr {
			t.Errorf("Parse(%q): error is %#v, want a *SyntaxError with the expression", c.expr, err)
		}
	}
}

// An expression that never fires is refused.
func TestParse_RefusesNeverFiring(t *testing.T) {
	for _, expr := range []string{
		"0 0 30 2 *",
		"0 0 31 2,4,6,9,11 *",
		"0 0 0 31 6 ?",
		"0 0 0 29 2 ? 2027",
		"0 0 0 31W 4 ?",
		"0 0 0 ? 2 2#5 2027-2043",
	} {
		if s, err := Parse(expr, nil); !errors.Is(err, ErrNever) {
			t.Errorf("Parse(%q) = %v, %v, want ErrNever", expr, s, err)
		}
	}
}

// An expression whose time the clock skips each year is refused.
func TestParse_RefusesAlwaysSkippedTime(t *testing.T) {
	_, err := Parse("0 30 2 ? 3 1L 2026-2199", zone(t, "Europe/Berlin"))
	if !errors.Is(err, ErrNever) || !strings.Contains(err.Error(), "the clock of Europe/Berlin skips") {
		t.Errorf("got %v, want ErrNever because of the clock", err)
	}
}

// Berlin's clock goes forward at 02:00 on each last Sunday of March since 1981,
// and Quartz skips what the clock skips.
func TestCheck_RefusesEndedSchedule(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for expr, want := range map[string]string{
		"0 30 2 ? 3 1L":            "at 02:30 on the last Sunday of the month in March, Europe/Berlin",
		"0 0 0 1 1 ? 2020-2026":    "in 2020 to 2026",
		"@at 2026-05-31T23:59:59Z": "once",
	} {
		s := mustParse(t, expr, zone(t, "Europe/Berlin"))
		if err := Check(s, now.AddDate(-60, 0, 0)); err != nil {
			t.Errorf("Check(%q) 60 years ago: %v, want none", expr, err)
		}
		err := Check(s, now)
		if !errors.Is(err, ErrNever) || !strings.Contains(err.Error(), want) {
			t.Errorf("Check(%q): %v, want ErrNever and %q", expr, err, want)
		}
	}
}

// The time zone Local is refused.
func TestLoadLocation_RefusesLocal(t *testing.T) {
	if _, err := Parse("@daily", time.Local); err == nil || !strings.Contains(err.Error(), "name one") {
		t.Errorf("Parse in time.Local: %v", err)
	}
	if _, err := Seconds("0 0 0 * * *", time.Local); err == nil {
		t.Error("Seconds in time.Local: no error")
	}
	if _, err := NewCalendar(time.Local, "SAT"); err == nil {
		t.Error("NewCalendar in time.Local: no error")
	}
}
