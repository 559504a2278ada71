package cron

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

// rowsOf returns the cells of a table of docs/guide/schedules.md, by the name
// in the comment before it.
func rowsOf(t *testing.T, name string) (rows [][]string) {
	t.Helper()
	page, err := os.ReadFile("../docs/guide/schedules.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "<!-- table: "+name+" -->\n")
	table, _, _ := strings.Cut(rest, "\n\n")
	for i, line := range strings.Split(table, "\n") {
		if i < 2 { // the heading
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if len(rows) < 5 {
		t.Fatalf("table %q has %d rows", name, len(rows))
	}
	return rows
}

var quoted = regexp.MustCompile("`([^`]*)`")

// The fires in the documentation are true.
func TestDocs_FiresAreTrue(t *testing.T) {
	for _, row := range rowsOf(t, "fires") {
		loc := zone(t, row[0])
		start, err := time.ParseInLocation("2006-01-02 15:04", row[3], loc)
		if err != nil {
			t.Fatal(err)
		}
		expr := quoted.FindStringSubmatch(row[2])[1]
		got := strings.ReplaceAll(fires(mustParse(t, expr, loc), start, strings.Count(row[4], ",")+1), ":00 ", " ")
		if got != row[4] {
			t.Errorf("%s, %q after %s: got %s, the page says %s", loc, expr, row[3], got, row[4])
		}
	}
}

// The migrations in the documentation fire at the same times.
func TestDocs_MigrationsFireAlike(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, row := range rowsOf(t, "same") {
		old := mustParse(t, quoted.FindStringSubmatch(row[0])[1], nil)
		for _, expr := range quoted.FindAllStringSubmatch(row[1], -1) {
			if alike, at := Alike(old, mustParse(t, expr[1], nil), from, from.AddDate(0, 0, 40)); !alike {
				t.Errorf("%s and %s differ at %v", row[0], expr[1], at)
			}
		}
	}
	for _, row := range rowsOf(t, "robfig") {
		old, err := cron.ParseStandard(quoted.FindStringSubmatch(row[0])[1])
		if err != nil {
			t.Fatal(err)
		}
		loc := time.UTC
		if strings.Contains(row[0], "Tokyo") {
			loc = zone(t, "Asia/Tokyo")
		}
		ours := mustParse(t, quoted.FindStringSubmatch(row[1])[1], loc)
		if alike, at := Alike(old, ours, from.In(loc), from.AddDate(2, 0, 0)); !alike {
			t.Errorf("%s and %s differ at %v", row[0], row[1], at)
		}
	}
}
