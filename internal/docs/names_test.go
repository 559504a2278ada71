package docs

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest = regexp.MustCompile("`((?:Test|Benchmark|Fuzz|Example)[A-Z][A-Za-z0-9_]*)`")
	testFunc  = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz|Example)\w+)\(`)
)

// Each test that a page names is a function of a test file.
func TestPages_NameTestsThatExist(t *testing.T) {
	exists := map[string]bool{}
	for _, path := range goSources(t) {
		if !strings.HasSuffix(path, "_test.go") {
			continue
		}
		for _, m := range testFunc.FindAllStringSubmatch(read(t, path), -1) {
			exists[m[1]] = true
		}
	}
	named := 0
	for _, page := range pages(t) {
		for _, m := range namedTest.FindAllStringSubmatch(read(t, page), -1) {
			named++
			if !exists[m[1]] {
				t.Errorf("%s names %s, which does not exist", page, m[1])
			}
		}
	}
	if named < 50 {
		t.Errorf("got %d names of tests, want at least 50: the pattern finds too few", named)
	}
}

// goSources returns the paths of all Go files of the repository.
func goSources(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "node_modules") {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, ".go") {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
