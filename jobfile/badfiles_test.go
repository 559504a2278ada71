package jobfile_test

import (
	"os"
	"strings"
	"testing"
)

// Each fault of a file names the line and the key, shows the value, and says
// what to write. Secrets and Go types are not shown. testdata/badfiles.txt has
// the files and the errors; -rewrite writes the errors again.
func TestRead_RefusesBadFiles(t *testing.T) {
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
			t.Errorf("%s: got no error", name)
			continue
		}
		got := err.Error()
		for _, secret := range []string{"hunter2", "twice", "S3cr3t"} {
			if strings.Contains(got, secret) {
				t.Errorf("%s: the error shows a secret: %s", name, got)
			}
		}
		for _, word := range []string{"!!", "unmarshal", "time:", "Time", "map[", "[]string", "layout.", "elastic."} {
			if strings.Contains(got, word) && !strings.Contains(text, word) {
				t.Errorf("%s: the error has the word %q: %s", name, word, got)
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
