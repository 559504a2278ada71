package scenario_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/internal/scenario"
	"github.com/elasticjob-go/elastic/internal/vtime"
)

var (
	rewrite = flag.Bool("rewrite", false, "write what happens into the scenario files")
	times   = flag.Int("times", 1, "tell each scenario so many times")
)

// The outcome of each scenario in testdata is the written one. -rewrite writes
// the outcome, but expectations must still hold.
func TestScenario_FilesHold(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			file, err := scenario.Parse(string(text))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for n := range *times {
				tell(t, name, string(text), file, *rewrite && n == 0)
				if text, err = os.ReadFile(name); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func tell(t *testing.T, name, text string, file scenario.File, rewrite bool) {
	vtime.Test(t, func(t *testing.T) {
		told, err := scenario.Run(t, file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		switch got := told.String(); {
		case got == text:
		case rewrite:
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s goes otherwise than it is written (-rewrite writes it as it goes):\n%s", name, diff(text, got))
		}
	})
}

// diff shows the first difference of two texts.
func diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return "want\n\t" + strings.Join(
				w[max(0, i-4):min(len(w), i+6)], "\n\t",
			) + "\ngot\n\t" + strings.Join(g[max(0, i-4):min(len(g), i+6)], "\n\t")
		}
	}
	return "one is longer"
}
