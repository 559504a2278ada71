package cron

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/cron/crontest"
)

// goldenExpressions cover each form of each field, alone and in combination, in
// both dialects.
var goldenExpressions = []string{
	// Quartz
	"* * * * * ?", "0/5 * * * * ?", "7/13 * * * * ?", "50-10 * * * * ?", "50-10/7 0 * * * ?", "0 * * * * ?",
	"0 0/5 * * * ?", "30 0/15 9-17 ? * MON-FRI", "0 5,25,45 * * * ?", "0 55-5 * * * ?", "0 0 * * * ?", "0 15 0/2 * * ?",
	"0 30 22-2 * * ?", "0 30 22-4/3 * * ?", "0 0 0 * * ?", "0 30 0 * * ?",
	"0 30 1 * * ?", "0 30 2 * * ?", "0 0 3 * * ?",
	"0 15 2,14 * * ?", "0 45 23 * * ?", "59 59 23 * * ?", "0 0 10 ? * 2-6", "0 0 10 ? * FRI-MON", "0 0 10 ? * 7-2/2",
	"0 0 10 ? * SUN", "0 30 2 ? * SUN", "0 30 1 ? * 1", "0 0 12 1/5 * ?", "0 0 12 25-5 * ?", "0 0 12 31 * ?",
	"0 0 12 30 2,4 ?", "0 0 0 L * ?", "0 30 2 L-3 * ?", "0 0 9 L-30 * ?",
	"0 0 9 LW * ?", "0 0 9 L-3W * ?", "0 0 9 1W * ?",
	"0 0 9 15W * ?", "0 0 9 31W * ?", "0 0 9 1,15,LW * ?", "0 0 9 ? * L",
	"0 0 9 ? * 6L", "0 30 1 ? * 1L", "0 30 2 ? * SUNL",
	"0 0 9 ? * 6#3", "0 0 9 ? * MON#1,FRI#5", "0 0 9 ? NOV-FEB MON", "0 0 0 1 1 ?", "0 0 0 29 2 ?", "0 0 0 ? 2 2#5",
	"0 0 12 1 1 ? 2027-2031/2", "0 30 2 8 3 ? 2026,2028", "0 0 0 ? * WED,6L", "0 0 0/6 ? 3,10,11 *", "0 0 0-23 * * ?",
	// Unix
	"* * * * *", "*/5 * * * *", "3-59/7 * * * *", "0 * * * *", "15 * * * *",
	"0 */2 * * *", "30 1-3 * * *", "0 0-23 * * *",
	"0 0 * * *", "30 0 * * *", "30 1 * * *", "0 2 * * *", "15 2 * * *", "30 2 * * *", "0,30 2 * * *", "59 23 * * *",
	"0 9 * * 1-5", "0 9 * * mon,wed,fri", "30 2 * * 0", "30 2 8 3 *", "0 0 1 * *", "0 0 13 * 5", "0 0 1,15 * 3",
	"30 2 1-8 3,10,11 0", "0 0 31 * *", "0 0 29 2 *", "0 12 * 2 0-6/3", "0 0 1 1 *", "0 0 */3 * *", "30 23 31 12 *",
}

// goldenZones have no clock change, changes by night, at midnight, by half an
// hour, in both hemispheres, and one whose winter time is the exception.
var goldenZones = []string{
	"Asia/Shanghai", "Asia/Kathmandu", "America/New_York", "Africa/Cairo", "America/Havana", "Australia/Lord_Howe",
	"Europe/Dublin", "America/Santiago",
}

// The next ten fires are those of an independent oracle.
func TestNext_AgreesWithOracle(t *testing.T) {
	for _, name := range goldenZones {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loc := zone(t, name)
			for _, start := range goldenStarts(loc) {
				for _, expr := range goldenExpressions {
					againstOracle(t, expr, start)
				}
			}
		})
	}
}

func againstOracle(t *testing.T, expr string, start time.Time) {
	loc := start.Location()
	s := mustParse(t, expr, loc)
	stop := start.AddDate(30, 0, 0) // February 29 is a Monday every 28 years
	at := start
	for i, want := range crontest.Consult(expr, loc).Fires(start, stop, 10) {
		if at = s.Next(at); !at.Equal(want) {
			t.Errorf("%q in %s, fire %d after %v:\n got %v\nwant %v", expr, loc, i+1, start, at, want.In(loc))
			return
		}
	}
}

// goldenStarts returns a moment without any clock change near, and one shortly
// before each change of 2026.
func goldenStarts(loc *time.Location) []time.Time {
	starts := []time.Time{time.Date(2026, 1, 14, 23, 59, 30, 0, loc)}
	for at := starts[0]; ; {
		_, at = at.ZoneBounds()
		if at.IsZero() || at.Year() > 2026 {
			return starts
		}
		starts = append(starts, at.Add(-5*time.Hour-10*time.Second))
	}
}
