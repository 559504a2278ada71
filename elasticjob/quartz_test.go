package elasticjob

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/cron"
)

// quartzChecks are the checks whose fires QuartzCheck.java has computed with
// Quartz 2.3.2 into testdata/quartz-2.3.2.tsv.
func quartzChecks(t *testing.T) []Check {
	t.Helper()
	k := newChecker(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), DefaultHorizon)
	for _, zone := range []string{"UTC+08:00", "Europe/Berlin"} {
		loc, err := cron.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, expr := range []string{
			"0 0 3 * * ?", "0 30 2 * * ?", "0 0 12 L-3W * ?", "0 0 12 ? * FRI#5", "0 0 12 15W * ?",
			"0 0 12 1,15W * ?", "0 0 12 31W * ?", "0 0 12 1,15,LW * ?", "0 0 12 ? * 2/2", "0 0 * * * ?",
		} {
			s, err := cron.Parse(expr, loc)
			if err != nil {
				t.Fatal(err)
			}
			k.add(expr, zone, s)
		}
	}
	return k.done()
}

// The fires of expressions are those of Quartz, but for the ones that the
// documentation names, and those are shown by date.
func TestCompare_GenuineQuartz(t *testing.T) {
	checks := quartzChecks(t)
	if *rewrite {
		os.WriteFile(filepath.Join(os.TempDir(), "expressions.tsv"), []byte(QuartzInput(checks)), 0o644)
		return
	}
	result, err := os.ReadFile("testdata/quartz-2.3.2.tsv")
	if err != nil {
		t.Fatal(err)
	}
	differences, err := Compare(checks, strings.NewReader(string(result)))
	if err != nil {
		t.Fatal(err)
	}
	const refused = "Quartz refuses it: " +
		"Support for specifying 'L' and 'LW' with other days of the month is not implemented"
	const fewer = "25 fires here, 13 in Quartz; they differ on 2026-01-15, 2026-02-01, 2026-02-02, " +
		"2026-02-16, 2026-03-01, 2026-03-02, 2026-03-16, 2026-04-15, 2026-05-15, 2026-06-15 and 10 more days (UTC)"
	want := `"0 0 * * * ?" in Europe/Berlin: 8784 fires here, 8783 in Quartz; they differ on 2026-10-25 (UTC)
"0 0 12 1,15,LW * ?" in Europe/Berlin: ` + refused + `
"0 0 12 1,15,LW * ?" in UTC+08:00: ` + refused + `
"0 0 12 1,15W * ?" in Europe/Berlin: ` + fewer + `
"0 0 12 1,15W * ?" in UTC+08:00: ` + fewer + `
"0 30 2 * * ?" in Europe/Berlin: 365 fires here, 365 in Quartz; they differ on 2026-10-25 (UTC)`
	if got := strings.Join(differences, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
