package jobfile_test

import (
	"os"
	"strings"
	"testing"
)

// A file that is wrong is answered with the lines, the keys, the values and
// what to write. The answers stand in testdata/badfiles.txt; -rewrite writes
// them again.
func TestJobFile_AnswersToBadFiles(t *testing.T) {
	const path, begin, middle = "testdata/badfiles.txt", "=== ", ">>>\n"
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"SECRET": "hunter2, twice", "NULL": "null"}
	var now strings.Builder
	for block := range strings.SplitSeq(strings.TrimPrefix("\n"+string(stored), "\n"+begin), "\n"+begin) {
		block += "\n"
		name, rest, _ := strings.Cut(block, "\n")
		text, want, _ := strings.Cut(rest, middle)
		_, err := read(text, env)
		if err == nil {
			t.Errorf("%s: the file is accepted", name)
			continue
		}
		got := err.Error()
		if strings.Contains(got, "hunter2") || strings.Contains(got, "twice") {
			t.Errorf("%s: the answer shows the value of a variable: %s", name, got)
		}
		for _, word := range []string{"!!", "unmarshal", "time:", "Time", "map[", "[]string", "layout.", "elastic."} {
			if strings.Contains(got, word) && !strings.Contains(text, word) {
				t.Errorf("%s: the answer speaks of %q: %s", name, word, got)
			}
		}
		if got != strings.TrimSpace(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
		now.WriteString(begin + name + "\n" + text + middle + got + "\n\n")
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(strings.TrimSuffix(now.String(), "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
