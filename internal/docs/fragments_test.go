package docs

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	goBlock    = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")
	importLine = regexp.MustCompile(`(?m)^(?:import )?((?:_ )?"[^"\n]+")[^\n]*\n`)
	dots       = regexp.MustCompile(`(?m)^\s*…\s*$`)
)

// packages are the packages that a fragment can use without an import, by name.
var packages = map[string]string{
	"context":  "context",
	"errors":   "errors",
	"http":     "net/http",
	"slog":     "log/slog",
	"time":     "time",
	"os":       "os",
	"sql":      "database/sql",
	"elastic":  "github.com/elasticjob-go/elastic",
	"failover": "github.com/elasticjob-go/elastic/failover",
	"history":  "github.com/elasticjob-go/elastic/history",
	"dataflow": "github.com/elasticjob-go/elastic/jobs/dataflow",
	"httpcall": "github.com/elasticjob-go/elastic/jobs/httpcall",
	"script":   "github.com/elasticjob-go/elastic/jobs/script",
	"alarm":    "github.com/elasticjob-go/elastic/observe/alarm",
	"health":   "github.com/elasticjob-go/elastic/observe/health",
	"observe":  "github.com/elasticjob-go/elastic/observe",
	"store":    "github.com/elasticjob-go/elastic/store",

	"sqlhistory": "github.com/elasticjob-go/elastic/history/sqlhistory",
}

// Each block of Go code that is no complete file compiles inside a function,
// with the variables of testdata/prelude.go.txt.
func TestFragments_Compile(t *testing.T) {
	dir := t.TempDir()
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	overlay := map[string]string{}
	add := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay[filepath.Join(checkout, "internal/docs/fragments", name)] = path
	}
	add("prelude.go", read(t, "testdata/prelude.go.txt"))
	n := 0
	for _, page := range pages(t) {
		for _, m := range goBlock.FindAllStringSubmatch(read(t, page), -1) {
			if goFile.MatchString("```go\n" + m[1] + "```") {
				continue // a complete file, which other tests compile
			}
			n++
			text, err := fragment(n, page, m[1])
			if err != nil {
				t.Errorf("%s: %v\n%s", page, err, m[1])
				continue
			}
			add(fmt.Sprintf("fragment%02d.go", n), text)
		}
	}
	if n < 15 {
		t.Errorf("got %d fragments, want at least 15: the pattern finds too few", n)
	}
	replaced, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, replaced, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-gcflags=-e", "-overlay", file, "./internal/docs/fragments")
	cmd.Dir = checkout
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// fragment returns a Go file with a function around a block of code. Errors of
// the compiler name the page.
func fragment(n int, page, code string) (string, error) {
	var imports []string
	for _, m := range importLine.FindAllStringSubmatch(code, -1) {
		imports = append(imports, m[1])
	}
	code = dots.ReplaceAllString(importLine.ReplaceAllString(code, ""), "")
	head := "package fragments\n\n"
	body := fmt.Sprintf("func fragment%d() error {\n//line %s:1\n%s", n, filepath.ToSlash(page), code)
	tree, err := parser.ParseFile(token.NewFileSet(), "", head+body+"\nreturn nil\n}\n", parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	var unused strings.Builder
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			name, ok := n.X.(*ast.Ident)
			if ok && packages[name.Name] != "" && !slices.ContainsFunc(imports, func(i string) bool {
				return strings.HasSuffix(i, "/"+name.Name+`"`)
			}) {
				imports = append(imports, `"`+packages[name.Name]+`"`)
			}
		case *ast.FuncDecl:
			for _, statement := range n.Body.List {
				a, ok := statement.(*ast.AssignStmt)
				if !ok || a.Tok != token.DEFINE {
					continue
				}
				for _, name := range a.Lhs {
					fmt.Fprintf(&unused, "_ = %s\n", name)
				}
			}
		}
		return true
	})
	slices.Sort(imports)
	for _, path := range slices.Compact(imports) {
		head += "import " + path + "\n"
	}
	return head + body + "\n" + unused.String() + "return nil\n}\n", nil
}
