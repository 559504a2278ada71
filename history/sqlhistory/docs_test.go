package sqlhistory_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The reference of the schema has each table and column of each dialect.
func TestSchema_IsDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/reference/history-schema.md")
	if err != nil {
		t.Fatal(err)
	}
	table := regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\)`)
	for _, dialect := range []string{"postgres", "mysql", "sqlite"} {
		sql, err := os.ReadFile("migrations/" + dialect + "/00001_create_tables.sql")
		if err != nil {
			t.Fatal(err)
		}
		found := table.FindAllStringSubmatch(string(sql), -1)
		if len(found) != 8 {
			t.Errorf("%s: %d tables, want 8", dialect, len(found))
		}
		for _, m := range found {
			_, section, ok := strings.Cut(string(b), "## "+m[1]+"\n")
			if !ok {
				t.Errorf("%s: table %s is not documented", dialect, m[1])
			}
			section, _, _ = strings.Cut(section, "\n## ")
			for _, line := range strings.Split(strings.TrimSpace(m[2]), "\n") {
				column, _, _ := strings.Cut(strings.TrimSpace(line), " ")
				if column != "PRIMARY" && !strings.Contains(section, "`"+column+"`") {
					t.Errorf("%s: column %s of %s is not documented", dialect, column, m[1])
				}
			}
		}
	}
}
