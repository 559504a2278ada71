package scenario_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/design/hazards.md answers all 44 hazards, and every scenario and test
// that it names exists.
func TestHazards_EachHasScenario(t *testing.T) {
	page, err := os.ReadFile("../../docs/design/hazards.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range pageFaults(string(page), stories(t), testNames(t)) {
		t.Error(fault)
	}
}

func TestHazards_FindsMissingAnswers(t *testing.T) {
	page, err := os.ReadFile("../../docs/design/hazards.md")
	if err != nil {
		t.Fatal(err)
	}
	told, tests := stories(t), testNames(t)
	for name, bend := range map[string]func(page string) string{
		"a row is missing": func(page string) string {
			return regexp.MustCompile(`(?m)^\| H17 .*\n`).ReplaceAllString(page, "")
		},
		"a row is there twice": func(page string) string { return strings.Replace(page, "| H17 |", "| H18 |", 1) },
		"a row names no story": func(page string) string {
			return strings.Replace(page, "h44-failover-needs-nothing-else.txt", "", 1)
		},
		"a story is of another": func(page string) string { return strings.Replace(page, "| h01-", "| h02-", 1) },
		"a story that is not there": func(page string) string {
			return strings.Replace(page, "h10-a-run-that-fails.txt", "h10-a-run-that-falls.txt", 1)
		},
		"a test that is not there": func(page string) string {
			return strings.Replace(page, "`Test", "`TestNone_", 1)
		},
		"a story without a row": func(page string) string {
			return strings.Replace(page, "story-10-without-failover.txt", "", 1)
		},
		"a hazard that does not exist": func(page string) string {
			return strings.Replace(page, "| H44 |", "| H45 |", 1)
		},
	} {
		if len(pageFaults(bend(string(page)), told, tests)) == 0 {
			t.Errorf("%s, and it is not found", name)
		}
	}
}

const hazards = 44

var (
	row       = regexp.MustCompile(`(?m)^\| H(\d+) \| .* \| (.*) \|$`)
	storyName = regexp.MustCompile(`[a-z0-9-]+\.txt`)
	testName  = regexp.MustCompile("`(Test[A-Za-z0-9_]+)`")
	header    = regexp.MustCompile(`(?s)^# H(\d+)\. .*\n# Upstream: `)
)

// pageFaults returns what is wrong with the page, given the texts of all
// scenarios and the names of all tests.
func pageFaults(page string, told map[string]string, tests map[string]bool) []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	answered := map[string]int{}
	for _, m := range row.FindAllStringSubmatch(page, -1) {
		number := m[1]
		answered[number]++
		named := storyName.FindAllString(m[2], -1)
		if len(named) == 0 && len(testName.FindAllString(m[2], -1)) == 0 {
			fault("H%s names neither a story nor a test", number)
		}
		for _, name := range named {
			if h := header.FindStringSubmatch(told[name]); h == nil || h[1] != number {
				fault(
					"H%s names %s, which does not begin with its number, or does not say what it is upstream",
					number, name,
				)
			}
		}
	}
	for n := 1; n <= hazards; n++ {
		if times := answered[fmt.Sprint(n)]; times != 1 {
			fault("H%d is answered %d times, want once", n, times)
		}
	}
	if len(answered) != hazards {
		fault("%d hazards are answered, want %d", len(answered), hazards)
	}
	for _, name := range storyName.FindAllString(page, -1) {
		if told[name] == "" {
			fault("the page names %s, and there is no such story", name)
		}
	}
	for name := range told {
		if !strings.Contains(page, name) {
			fault("no row names %s", name)
		}
	}
	for _, m := range testName.FindAllStringSubmatch(page, -1) {
		if !tests[m[1]] {
			fault("the page names %s, and there is no such test", m[1])
		}
	}
	return faults
}

// stories returns the texts of all scenarios, by file name.
func stories(t *testing.T) map[string]string {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		told[filepath.Base(name)] = string(text)
	}
	return told
}

// testNames returns the names of the tests that the page can name: those of the
// scheduler, of package failover and of this package.
func testNames(t *testing.T) map[string]bool {
	names := map[string]bool{}
	for _, pattern := range []string{
		"../integration/*_test.go",
		"../../*_test.go",
		"../../failover/*_test.go",
		"*_test.go",
	} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
				names[m[1]] = true
			}
		}
	}
	return names
}
