package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Lines of `stages gotest` are counted, however they are cut into writes.
func TestCounter_SumsTestLines(t *testing.T) {
	var c counter
	for _, part := range []string{"tests: 3 pas", "sed, 1 failed, 0 skipped\nok\nxtests: 9 passed, 9 failed, 9 skipped\n", "tests: 4 passed, 0 failed, 2 skipped"} {
		if _, err := c.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	c.flush()
	if want := (counts{passed: 7, failed: 1, skipped: 2}); c.counts != want {
		t.Errorf("got %+v, want %+v", c.counts, want)
	}
}

// Output of tests that passed is left out; of those that failed or were
// skipped it is printed, and so is the line of the package.
func TestPrinter_ShowsFailuresOnly(t *testing.T) {
	var out strings.Builder
	p := printer{out: &out, output: map[string][]string{}}
	for _, line := range []string{
		`{"Action":"run","Package":"a","Test":"TestGood"}`,
		`{"Action":"output","Package":"a","Test":"TestGood","Output":"    good: told\n"}`,
		`{"Action":"output","Package":"a","Test":"TestBad","Output":"=== RUN   TestBad\n"}`,
		`{"Action":"output","Package":"a","Test":"TestBad","Output":"    bad: got 1, want 2\n"}`,
		`{"Action":"output","Package":"a","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}`,
		`{"Action":"pass","Package":"a","Test":"TestGood"}`,
		`{"Action":"fail","Package":"a","Test":"TestBad"}`,
		`{"Action":"output","Package":"a","Output":"FAIL\n"}`,
		`{"Action":"output","Package":"a","Output":"FAIL\ta\t0.01s\n"}`,
		`{"Action":"fail","Package":"a"}`,
		`not JSON`,
	} {
		p.line([]byte(line + "\n"))
	}
	want := "--- FAIL: TestBad (0.00s)\n    bad: got 1, want 2\nFAIL\ta\t0.01s\nnot JSON\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if want := (counts{passed: 1, failed: 1}); p.counts != want {
		t.Errorf("got %+v, want %+v", p.counts, want)
	}
}

// What is repeated of a long failure begins with the failing test and ends with
// the end of the stage, in no more than mostLines lines.
func TestFailingLines_AreBounded(t *testing.T) {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "before %d\n", i)
	}
	text.WriteString("    --- FAIL: TestBad (0.00s)\n")
	for i := range 500 {
		fmt.Fprintf(&text, "after %d\n", i)
	}
	file := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := failingLines(file)
	if len(lines) > mostLines || !strings.Contains(lines[0], "--- FAIL") || lines[len(lines)-1] != "after 499" {
		t.Errorf("got %d lines, from %q to %q", len(lines), lines[0], lines[len(lines)-1])
	}
}
