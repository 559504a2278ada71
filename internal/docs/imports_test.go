package docs

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// heavy are imports that only one directory may have: a program that does not
// use it must not depend on them.
var heavy = map[string]string{
	"go.opentelemetry.io/":                          "observe/otel",
	"github.com/prometheus/":                        "observe",
	"github.com/elasticjob-go/elastic/observe/otel": "observe/otel",
}

// Heavy libraries are imported where they belong, and nowhere else.
func TestImports_HeavyOnesStayApart(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		dir = filepath.ToSlash(dir)
		for _, i := range file.Imports {
			for prefix, home := range heavy {
				if !strings.HasPrefix(strings.Trim(i.Path.Value, `"`), prefix) {
					continue
				}
				seen[prefix] = true
				if dir != home && !strings.HasPrefix(dir, home+"/") {
					t.Errorf("%s imports %s: only %s may", path, i.Path.Value, home)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for prefix := range heavy {
		if !seen[prefix] {
			t.Errorf("nothing imports %s", prefix)
		}
	}
}

// The package of OpenTelemetry needs the API alone; the SDK is the program's.
func TestImports_OTelUsesAPIAlone(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "observe/otel/*.go"))
	if err != nil || len(files) < 3 {
		t.Fatalf("got the files %q, error %v", files, err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			if strings.HasPrefix(i.Path.Value, `"go.opentelemetry.io/otel/sdk`) {
				t.Errorf("%s imports %s", path, i.Path.Value)
			}
		}
	}
}
