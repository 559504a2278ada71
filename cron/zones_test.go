package cron

import (
	"os"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/cron/crontest"
)

// zoneExpressions lie where clocks change, at night, and where a wrong step
// would land, on the days about it.
var zoneExpressions = []string{
	"0 0 * * *", "30 0 * * *", "15 1 * * *", "30 2 * * 0", "0,45 1-3 * * *",
	"30 23 * * *", "*/30 * * * *", "10 */3 * * *",
	"0 0 0 * * ?", "0 30 1 ? * *", "0 15 2 ? * SUN,MON,THU,FRI,SAT",
	"0 59 23 * * ?", "0 20 * * * ?", "0 30 8 L,25-7 * ?",
}

// change is a moment at which zones change their offset, in minutes, and one of
// the zones that do.
type change struct{ at, before, after int64 }

// Around the clock changes of every zone, fires agree with the oracle.
func TestZones_AgreeWithOracleAtClockChanges(t *testing.T) {
	changes := map[change]*time.Location{}
	for _, loc := range allZones(t) {
		for _, c := range changesOf(loc, 2020, 2035) {
			changes[c] = loc // zones that do the same at the same moment need one test
		}
	}
	if len(changes) < 500 {
		t.Fatalf("only %d distinct changes of offset found; is the tz database complete?", len(changes))
	}
	if raceEnabled {
		thinOut(changes, 10)
	}
	for _, part := range []string{"first", "second"} { // two at a time
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			for c, loc := range changes {
				if (part == "first") == (c.at/3600%2 == 0) {
					for _, expr := range zoneExpressions {
						aroundChange(t, expr, time.Unix(c.at, 0).In(loc))
					}
				}
			}
		})
	}
}

// aroundChange asks for the next fire from many moments about the change, and
// follows the fires for a day.
func aroundChange(t *testing.T, expr string, change time.Time) {
	const uneven = 13*time.Minute + 37*time.Second // meets all kinds of minutes and seconds in the end
	start, stop := change.Add(-2*time.Hour), change.Add(25*time.Hour)
	s := mustParse(t, expr, change.Location())
	ask := []time.Time{change.Add(-time.Second), change.Add(-1), change, change.Add(time.Second)}
	for at := start; at.Before(change.Add(3 * time.Hour)); at = at.Add(uneven) {
		ask = append(ask, at)
	}
	fires := crontest.Consult(expr, change.Location()).Fires(start, stop, 1e6)
	for _, at := range append(ask, fires...) {
		want := stop
		if i, _ := slices.BinarySearchFunc(fires, at.Add(1), time.Time.Compare); i < len(fires) {
			want = fires[i]
		}
		got := s.Next(at)
		if want == stop && !got.Before(stop) {
			continue
		}
		if !got.Equal(want) {
			t.Errorf("%q in %s, whose clock changes at %v, after %v:\n got %v\nwant %v",
				expr, change.Location(), change, at, got, want.In(change.Location()))
			return
		}
	}
}

func thinOut(changes map[change]*time.Location, by int) {
	n := 0
	for c := range changes {
		if n++; n%by != 0 {
			delete(changes, c)
		}
	}
}

func allZones(t *testing.T) (list []*time.Location) {
	names, err := os.ReadFile("testdata/zones.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(names)) {
		list = append(list, zone(t, name))
	}
	return list
}

// changesOf reads the clock once a day and looks closer where it has changed,
// as Time.ZoneBounds cannot be relied upon.
func changesOf(loc *time.Location, firstYear, lastYear int) (list []change) {
	offset := func(u int64) int64 {
		_, o := time.Unix(u, 0).In(loc).Zone()
		return int64(o)
	}
	day := time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	end := time.Date(lastYear+1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	for ; day < end; day += daySeconds {
		before, after := offset(day), offset(day+daySeconds)
		if before == after {
			continue
		}
		n := sort.Search(daySeconds, func(n int) bool { return offset(day+int64(n)) == after })
		list = append(list, change{day + int64(n), before, after})
	}
	return list
}

// The closing rule of a zone's data covers all years after the last change that
// the data list: 2038 and later where they are complete, but as early as 2008
// where they are kept small.
func TestZones_LastDayOfLeapYear(t *testing.T) {
	for _, loc := range allZones(t) {
		for year := 2028; year <= 2048; year += 4 {
			start := time.Date(year, 12, 30, 6, 30, 0, 0, time.UTC)
			quarterly, daily := mustParse(t, "*/15 * * * *", loc), mustParse(t, "0 30 12 * * ?", loc)
			for at, want := start, start; want.Before(start.Add(72 * time.Hour)); {
				want = want.Add(15 * time.Minute)
				if at = quarterly.Next(at); !at.Equal(want) {
					t.Fatalf("each quarter of an hour in %s: got %v, want %v", loc, at, want.In(loc))
				}
			}
			first := daily.Next(start)
			if second := daily.Next(first); second.Sub(first) != 24*time.Hour {
				t.Fatalf("daily in %s fires at %v and then at %v", loc, first, second)
			}
		}
	}
}

// Ciudad Juarez left Central for Mountain time in a November, when the rule
// that closes its data had already ended the summer. From data that list
// nothing after that, Time.ZoneBounds takes the change for older than it is.
func TestZones_ChangeBesidesRule(t *testing.T) {
	data, err := os.ReadFile("testdata/Ciudad_Juarez.tzif") // as tzdata 2025c has it, in the small form
	if err != nil {
		t.Fatal(err)
	}
	loc, err := time.LoadLocationFromTZData("America/Ciudad_Juarez", data)
	if err != nil {
		t.Fatal(err)
	}
	for _, expr := range zoneExpressions {
		aroundChange(t, expr, time.Date(2022, 11, 30, 6, 0, 0, 0, time.UTC).In(loc))
	}
}
