package elastic_test

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"testing"
)

// docs/guide/jobs.md names every option of a scheduler, but for those for
// tests.
func TestOptions_AreDocumented(t *testing.T) {
	page, err := os.ReadFile("docs/guide/jobs.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("options.go")
	if err != nil {
		t.Fatal(err)
	}
	forTests := []string{"WithTesting"}
	for _, found := range regexp.MustCompile(`(?m)^func (With\w+)\(`).FindAllSubmatch(source, -1) {
		if name := string(found[1]); !bytes.Contains(page, found[1]) && !slices.Contains(forTests, name) {
			t.Errorf("docs/guide/jobs.md lacks the option %s", name)
		}
	}
}
