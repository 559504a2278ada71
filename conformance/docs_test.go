package conformance

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var caseName = regexp.MustCompile(`\b[A-Z]{2,3}/[A-Z0-9]\w+`)

func TestDocs_NameEveryCaseAndLesson(t *testing.T) {
	text, err := os.ReadFile("../docs/design/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	known, named := map[string]bool{}, map[string]bool{}
	for _, c := range cases() {
		known[c.name] = true
	}
	lesson := 0
	row := regexp.MustCompile(`^\| (\d+) \| .+ \| (.+) \|$`)
	reason := regexp.MustCompile(`^(absent$|no rev|own test: .|e2e: .|left out: .)`)
	for line := range strings.Lines(string(text)) {
		for _, name := range caseName.FindAllString(line, -1) {
			named[name] = true
			if !known[name] {
				t.Errorf("there is no case %s: %s", name, line)
			}
		}
		m := row.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		if lesson++; m[1] != strconv.Itoa(lesson) {
			t.Errorf("lesson %d is missing: %s", lesson, line)
		}
		if !caseName.MatchString(m[2]) && !reason.MatchString(m[2]) {
			t.Errorf("lesson %d is kept by no case and for no reason: %q", lesson, m[2])
		}
	}
	if lesson != 130 {
		t.Errorf("got %d lessons, want 130", lesson)
	}
	for name := range known {
		if !named[name] {
			t.Errorf("docs/design/conformance.md does not name the case %s", name)
		}
	}
}
