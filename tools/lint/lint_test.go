package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Each file of testdata has a comment "want RULE" at the end of a line, or on
// the line before a line of a comment, for each breach in it.
func TestCheck_FindsEachBreach(t *testing.T) {
	for _, name := range []string{"bad.txt", "good.txt", "page.txt"} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			file := "dir/bad_test.go"
			if name == "page.txt" {
				file = "dir/page.md"
			}
			found, err := check(file, text)
			if err != nil {
				t.Fatal(err)
			}
			var got, want []string
			for _, b := range found {
				got = append(got, b.rule)
			}
			for line := range strings.Lines(string(text)) {
				if _, rule, ok := strings.Cut(line, "want: "); ok {
					want = append(want, strings.Fields(rule)[0])
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v; breaches: %v", got, want, found)
			}
		})
	}
}

// The text of internal/engine is not checked, its code is.
func TestCheck_SkipsProseOfEngine(t *testing.T) {
	text := "package engine\n\n// " + strings.Repeat("long ", 20) + "\nfunc f() { a.x, a.y, a.z = 1, 2, 3 }\n"
	found, err := check("internal/engine/a.go", []byte(text))
	if err != nil || len(found) != 1 || found[0].rule != "dense-tuple" {
		t.Errorf("got %v, %v; want one dense-tuple", found, err)
	}
}

// A count above its ceiling fails and names the place; one below asks to lower
// the ceiling.
func TestCompare_HoldsCountsToCeiling(t *testing.T) {
	one := breach{file: "dir/a.go", line: 7, rule: "phrase", text: "found"}
	p := one.place()
	for _, row := range []struct {
		name   string
		all    []breach
		most   int
		fails  bool
		prints string
	}{
		{"equal", []breach{one}, 1, false, ""},
		{"above", []breach{one, one}, 1, true, "dir: phrase: 2, the ceiling is 1\n  dir/a.go:7: phrase: found"},
		{"new", []breach{one}, 0, true, "the ceiling is 0"},
		{"below", nil, 1, false, "1 counts are below their ceiling"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out strings.Builder
			err := compare(row.all, map[place]int{p: row.most}, &out)
			if (err != nil) != row.fails || !strings.Contains(out.String(), row.prints) {
				t.Errorf("got error %v and %q, want failure %v and %q", err, out.String(), row.fails, row.prints)
			}
		})
	}
}

// What is written as a ceiling is read again as the same counts.
func TestCeiling_SurvivesWriteAndRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ceiling.txt")
	p := place{"a/b", "phrase"}
	if err := writeCeiling(file, map[place]int{p: 3}); err != nil {
		t.Fatal(err)
	}
	got, err := readCeiling(file)
	if err != nil || len(got) != 1 || got[p] != 3 {
		t.Errorf("got %v, %v; want %v: 3", got, err, p)
	}
	if err := os.WriteFile(file, []byte("a phrase\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readCeiling(file); err == nil || !strings.Contains(err.Error(), "ceiling.txt:1") {
		t.Errorf("a bad line: got error %v, want one that names it", err)
	}
}
