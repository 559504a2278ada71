package docs

import (
	"flag"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the generated part of docs/guide/configuration.md")

// docLink matches a reference to an identifier in a doc comment.
var docLink = regexp.MustCompile(`\[([\w.]+)\]`)

const configuration = "docs/guide/configuration.md"

// The table of options on the page is the one that the code gives.
func TestConfiguration_ListsOptions(t *testing.T) {
	const start, end = "<!-- generated: options -->\n", "<!-- end -->"
	path := filepath.Join(root, configuration)
	page := read(t, path)
	before, rest, found := strings.Cut(page, start)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the options", configuration)
	}
	want := before + start + optionTable(t) + end + after
	if page == want {
		return
	}
	if !*update {
		t.Fatalf("%s differs from the code; run go test ./internal/docs -run Configuration -update", configuration)
	}
	if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
}

// optionTable returns a table of the functions of the root package that return
// an option, sorted by kind and name.
func optionTable(t *testing.T) string {
	t.Helper()
	kinds := map[string]string{
		"Option":        "`Open`, `New`",
		"AddOption":     "`Add`",
		"TriggerOption": "`Trigger`",
	}
	var rows []string
	for _, file := range parse(t, "*.go") {
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !f.Name.IsExported() || f.Type.Results == nil {
				continue
			}
			result, ok := f.Type.Results.List[0].Type.(*ast.Ident)
			if !ok || kinds[result.Name] == "" {
				continue
			}
			sentence := new(doc.Package).Synopsis(f.Doc.Text())
			if sentence == "" || len(sentence) > 200 {
				t.Errorf("%s: got a first sentence of %d characters, want 1 to 200", f.Name, len(sentence))
			}
			sentence = docLink.ReplaceAllString(strings.ReplaceAll(sentence, "|", `\|`), "`$1`")
			rows = append(rows, "| "+kinds[result.Name]+" | `"+f.Name.Name+"` | "+sentence+" |\n")
		}
	}
	if len(rows) < 10 {
		t.Errorf("got %d options, want at least 10", len(rows))
	}
	slices.Sort(rows)
	return "\n| given to | option | meaning |\n| --- | --- | --- |\n" + strings.Join(rows, "") + "\n"
}

// The table of URL parameters names each that a driver registers or every store
// understands, and no other.
func TestConfiguration_ListsParameters(t *testing.T) {
	want := map[string]bool{
		"session_ttl":     true,
		"request_timeout": true,
		"password_env":    true,
		"password_file":   true,
	}
	for _, pattern := range []string{"store/*/open.go", "store/internal/endpoint/*.go"} {
		for _, file := range parse(t, pattern) {
			for _, name := range parameters(t, file) {
				want[name] = true
			}
		}
	}
	if len(want) < 15 {
		t.Errorf("got %d parameters from the code, want at least 15", len(want))
	}

	_, section, _ := strings.Cut(read(t, filepath.Join(root, configuration)), "## URL parameters")
	section, _, _ = strings.Cut(section, "\n## ")
	got := map[string]bool{}
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cell := strings.Split(line, "|")[1]
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cell, -1) {
			got[m[1]] = true
		}
	}
	for name := range want {
		if !got[name] {
			t.Errorf("%s does not name the parameter %s", configuration, name)
		}
	}
	for name := range got {
		if !want[name] {
			t.Errorf("%s names the parameter %s, which no driver has", configuration, name)
		}
	}
}

// parameters returns the strings in what a file gives to a field Params or to
// the variable TLSParams.
func parameters(t *testing.T, file *ast.File) []string {
	t.Helper()
	var found []string
	collect := func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
				name, err := strconv.Unquote(text.Value)
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, name)
			}
			return true
		})
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Params" {
				collect(n.Value)
			}
		case *ast.ValueSpec:
			if n.Names[0].Name == "TLSParams" {
				collect(n)
			}
		}
		return true
	})
	return found
}

// parse returns the files that match a pattern, tests excepted.
func parse(t *testing.T, pattern string) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		t.Fatalf("no file matches %s", pattern)
	}
	return files
}
