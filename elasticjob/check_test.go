package elasticjob

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/cron/crontest"
)

// The fires of an imported expression over a year are those of a second reader.
// It looks at each minute of the year and shares no code with package cron.
func TestCheck_AgreesWithSecondReader(t *testing.T) {
	from := time.Date(2026, 11, 29, 13, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		expr  string
		zones []string
	}{
		{"15,45 0/5 * * * ?", []string{"UTC"}},
		{"0 0 3 * * ?", []string{"Asia/Shanghai", "GMT+8", "Europe/Berlin"}},
		{"0 30 2 * * ?", []string{"Europe/Berlin", "America/New_York"}}, // the gap and the repeated hour
		{"0 15 10 LW * ?", []string{"Asia/Tokyo"}},
		{"0 0 12 1W * ?", []string{"GMT-03:30"}},
		{"0 0 12 L-3 * ?", []string{"UTC"}},
		{"0 0/20 8-18 ? * MON-FRI", []string{"Asia/Shanghai"}},
		{"0 0 22-2/2 ? * FRI#3", []string{"UTC"}},
		{"10,40 59 23 31 12 ? 2026-2027", []string{"Asia/Shanghai"}},
	} {
		for _, zone := range row.zones {
			t.Run(fmt.Sprintf("%s in %s", row.expr, zone), func(t *testing.T) {
				t.Parallel()
				sameFires(t, row.expr, zone, from)
			})
		}
	}
}

func sameFires(t *testing.T, expr, zone string, from time.Time) {
	t.Helper()
	loc, err := cron.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	s, err := cron.Parse(expr, loc)
	if err != nil {
		t.Fatal(err)
	}
	checks := newChecker(from, DefaultHorizon)
	checks.add(expr, zone, s)
	got := checks.done()[0]

	const all = 1 << 30
	sum, count := sha256.New(), 0
	for _, at := range crontest.Consult(expr, loc).Fires(got.From.Add(-time.Second), got.Until, all) {
		if at.Before(got.Until) {
			count++
			fmt.Fprintf(sum, "%d\n", at.Unix())
		}
	}
	if want := hex.EncodeToString(sum.Sum(nil)); got.Count != count || got.SHA256 != want || count == 0 {
		t.Errorf("got %d fires from %v to %v with digest %s, want %d with %s",
			got.Count, got.First, got.Last, got.SHA256, count, want)
	}
}
