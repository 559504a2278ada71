package elasticjob

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/cron/crontest"
)

// oracleDifference computes a Check of the expression, and the same fires with
// crontest's oracle, which shares no code with package cron. It returns the
// first difference, or "". An expression that package cron refuses has none.
func oracleDifference(t *testing.T, expr, zone string, from time.Time, horizon time.Duration) string {
	t.Helper()
	loc, err := cron.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	s, err := cron.Parse(expr, loc)
	if err != nil {
		return ""
	}
	k := newChecker(from, horizon)
	k.add(expr, zone, s)
	check := k.done()[0]
	const most = 20_000
	theirs := crontest.Consult(expr, loc).Fires(check.From.Add(-time.Second), check.Until, most)
	next := check.From.Add(-time.Second)
	for i, fire := range theirs {
		next = s.Next(next)
		if !next.Equal(fire) {
			return fmt.Sprintf("%q in %s: fire %d is at %v, the oracle has %v", expr, zone, i, next.UTC(), fire.UTC())
		}
	}
	if len(theirs) < most && check.Count != len(theirs) {
		return fmt.Sprintf("%q in %s: %d fires, the oracle has %d", expr, zone, check.Count, len(theirs))
	}
	return ""
}

// Expressions that are put together at random have the oracle's fires, too.
func TestCheck_AgreesOnRandomExpressions(t *testing.T) {
	const seed, rounds = 16, 60
	r := rand.New(rand.NewPCG(seed, seed))
	pick := func(terms string) string {
		list := strings.Fields(terms)
		return list[r.IntN(len(list))]
	}
	zones := "UTC UTC+08:00 Europe/Berlin America/New_York"
	accepted := 0
	for range rounds {
		date, weekday := pick("* 1 15 31 L LW L-2 1W 15W 31W 1/7 5-9,20"), "?"
		if r.IntN(2) == 0 {
			date, weekday = "?", pick("* 1 MON-FRI 6L 2#1 7#5 2/2 SAT,SUN")
		}
		expr := strings.Join([]string{
			pick("0 0 30 0/20"), pick("0 15 30 0/30 5,50"), pick("0 2 3 12 * 0/6 1-3 22-2"),
			date, pick("* * 2 3,10 1/4"), weekday,
		}, " ")
		zone := pick(zones)
		from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if fault := oracleDifference(t, expr, zone, from, DefaultHorizon); fault != "" {
			t.Error(fault)
		}
		if _, err := cron.Parse(expr, time.UTC); err == nil {
			accepted++
		}
	}
	if accepted < rounds/2 {
		t.Errorf("only %d of %d expressions were accepted", accepted, rounds)
	}
}

// FuzzCheck holds any accepted expression against the oracle for some weeks
// that begin at any day, so that clocks are set forward and back in some.
func FuzzCheck(f *testing.F) {
	f.Add("0 0 12 1,15W * ?", uint16(20))
	f.Add("0 30 2 * * ?", uint16(290))
	f.Fuzz(func(t *testing.T, expr string, day uint16) {
		if len(strings.Fields(expr)) < 6 {
			t.Skip() // Unix expressions and words are no schedules of ElasticJob
		}
		const year, weeks = 366, 6 * 7 * 24 * time.Hour
		from := time.Date(2026, 1, 1+int(day%year), 0, 0, 0, 0, time.UTC)
		if fault := oracleDifference(t, expr, "Europe/Berlin", from, weeks); fault != "" {
			t.Error(fault)
		}
	})
}
