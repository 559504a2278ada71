package main

import (
	"fmt"
	"os"
	"text/tabwriter"
	"time"
	_ "time/tzdata"

	"github.com/elasticjob-go/elastic/cron/crontest"
)

// Weekdays are names where a peer counts them otherwise than Quartz, so that
// one difference does not hide the others; two expressions have numbers.
var quartzExpressions = []string{
	"0/5 * * * * ?", "0 0/5 * * * ?", "0 0 * * * ?", "0 0 0 * * ?",
	"0 30 1 * * ?", "0 30 2 * * ?", "0 0 3 * * ?", "0 0 10 * * ?",
	"0 15 10 ? * MON-FRI", "0 15 10 ? * 2-6", "0 0 12 1/5 * ?", "0 0 0 1 * ?",
	"0 0 0 31 * ?", "0 30 8 23 * ?", "0 0 0 L * ?",
	"0 0 0 L-3 * ?", "0 0 9 LW * ?", "0 0 9 15W * ?", "0 0 9 1W * ?",
	"0 0 9 ? * 6L", "0 0 9 ? * FRIL", "0 0 9 ? * FRI#2",
	"0 0 9 ? * 2#5", "0 0 0 29 2 ?", "0 30 22-2 * * ?", "0 0 9 ? * FRI-MON",
	"0 0 9 ? NOV-FEB MON", "0 0 0 1 1 ? 2027-2031",
	"0 0 0 1 1 ? *", "0 10,44 14 ? 3 WED",
}

var unixExpressions = []string{
	"* * * * *", "*/5 * * * *", "0 * * * *", "15 * * * *", "0 */2 * * *",
	"0 0 * * *", "30 0 * * *", "30 1 * * *", "0 2 * * *",
	"30 2 * * *", "0 10 * * *", "59 23 * * *", "0 9 * * 1-5", "0 9 * * MON,WED,FRI",
	"30 2 * * 0", "0 0 1 * *", "30 8 23 * *",
	"0 0 13 * 5", "0 0 31 * *", "0 0 29 2 *", "0 0 1 1 *",
}

var steadyZones = []string{"UTC", "Asia/Shanghai", "Asia/Kathmandu"}

var changingZones = []string{
	"America/New_York", "Europe/Berlin", "Africa/Cairo", "America/Havana", "Australia/Lord_Howe", "America/Santiago",
}

// tally counts cases.
type tally struct{ same, cases int }

func agreement(dialect string, expressions []string, peers []peer) {
	fmt.Printf("%s: %d expressions, next 10 fires\n\n", dialect, len(expressions))
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "library\texpressions refused\tsame, clock never changes\tsame, about a change")
	for _, p := range peers {
		refused := 0
		var steady, changing tally
		for _, expr := range expressions {
			if _, err := p.parse(expr, time.UTC); err != nil {
				refused++
				continue
			}
			compare(p, expr, steadyZones, &steady)
			compare(p, expr, changingZones, &changing)
		}
		fmt.Fprintf(
			w, "%s\t%d\t%d of %d\t%d of %d\n",
			p.name, refused, steady.same, steady.cases, changing.same, changing.cases,
		)
	}
	w.Flush()
	fmt.Println()
}

func compare(p peer, expr string, zones []string, t *tally) {
	for _, name := range zones {
		loc, err := time.LoadLocation(name)
		if err != nil {
			panic(err)
		}
		for _, start := range starts(loc) {
			t.cases++
			if n, err := p.parse(expr, loc); err == nil && agrees(n, expr, start) {
				t.same++
			}
		}
	}
}

// starts returns a moment in 2026 without a change near, and one shortly before
// each change.
func starts(loc *time.Location) []time.Time {
	list := []time.Time{time.Date(2026, 1, 14, 23, 59, 30, 0, loc)}
	for at := list[0]; ; {
		if _, at = at.ZoneBounds(); at.IsZero() || at.Year() > 2026 {
			return list
		}
		list = append(list, at.Add(-5*time.Hour-10*time.Second))
	}
}

func agrees(n next, expr string, start time.Time) bool {
	at := start
	for _, want := range crontest.Consult(expr, start.Location()).Fires(start, start.AddDate(13, 0, 0), 10) {
		if at = n(at); !at.Equal(want) {
			return false
		}
	}
	return true
}
