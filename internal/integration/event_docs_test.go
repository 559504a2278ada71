package integration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
)

// documented is a row of docs/events.md about one code.
type documented struct{ kinds, args []string }

// table returns the rows of a section of docs/events.md, without backquotes.
func table(t *testing.T, section string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n## "+section+"\n")
	if !ok {
		t.Fatalf("docs/events.md has no section %q", section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.ReplaceAll(strings.TrimSpace(cell), "`", ""))
		}
		rows = append(rows, cells)
	}
	return rows
}

// list splits a cell that names several things.
func list(cell string) []string {
	if cell == "" {
		return nil
	}
	return strings.Split(cell, ", ")
}

func codesOfEvents(t *testing.T) map[string]documented {
	t.Helper()
	codes := map[string]documented{}
	for _, row := range table(t, "Codes") {
		codes[row[0]] = documented{kinds: list(row[1]), args: list(row[2])}
	}
	return codes
}

// allows reports whether a code may have an argument of this name.
func (d documented) allows(name string) bool {
	side, _, field := strings.Cut(name, ".")
	if field {
		name = side + ".FIELD"
	}
	return slices.Contains(d.args, name)
}

// kindsOfEvents returns the kinds that package observe declares.
func kindsOfEvents(t *testing.T) (kinds []observe.Kind) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../observe/event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && len(spec.Values) == 1 {
			if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "Kind" {
				kind, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				kinds = append(kinds, observe.Kind(kind))
			}
		}
		return true
	})
	return kinds
}

// withoutReason are the kinds without a code. Joined and Ended have a code if
// there is a reason.
var withoutReason = []observe.Kind{
	observe.Left, observe.Appeared, observe.Vanished, observe.Assigned, observe.Gained, observe.Dropped,
	observe.Began, observe.Reclaimed, observe.Scheduled, observe.ClockAgrees, observe.Recovered,
}

// needsCode reports whether an event must have a code.
func needsCode(e elastic.Event) bool {
	switch e.Kind {
	case observe.Joined:
		return e.Detail != ""
	case observe.Ended:
		return e.Result != "ok"
	}
	return !slices.Contains(withoutReason, e.Kind)
}

// undocumented returns the first fact about an event that docs/events.md lacks.
// It is empty if the page is complete.
func undocumented(codes map[string]documented, e elastic.Event) string {
	if e.Code == "" {
		if needsCode(e) {
			return "it has no code"
		}
		return ""
	}
	d, ok := codes[e.Code]
	if !ok || !slices.Contains(d.kinds, string(e.Kind)) {
		return "its kind does not have this code"
	}
	for name := range e.Args {
		if !d.allows(name) {
			return "its code does not have the argument " + name
		}
	}
	return ""
}

// checkEvents checks events against docs/events.md.
func checkEvents(t *testing.T, events []elastic.Event) {
	t.Helper()
	checkFields(t, events)
	codes := codesOfEvents(t)
	for _, e := range events {
		if fault := undocumented(codes, e); fault != "" {
			t.Errorf("docs/events.md does not describe an event: %s: %+v", fault, e)
		}
	}
}

// docs/events.md has each kind, with its level and alarm.
func TestEvents_KindsAreDocumented(t *testing.T) {
	written := map[string]string{}
	for _, row := range table(t, "Kinds") {
		written[row[0]] = row[1]
	}
	codes := codesOfEvents(t)
	kinds := kindsOfEvents(t)
	if len(kinds) != len(written) {
		t.Errorf("%d kinds are declared, %d documented", len(kinds), len(written))
	}
	for _, kind := range kinds {
		level, ok := written[string(kind)]
		if !ok {
			t.Errorf("kind %q is not documented", kind)
		}
		if alarm := strings.HasPrefix(level, "warn, alarm"); alarm != kind.Alarm() {
			t.Errorf("kind %q: documented as %q, Alarm is %t", kind, level, kind.Alarm())
		}
		hasCode := slices.ContainsFunc(slices.Collect(maps.Values(codes)), func(d documented) bool {
			return slices.Contains(d.kinds, string(kind))
		})
		if hasCode == slices.Contains(withoutReason, kind) {
			t.Errorf("kind %q: has a documented code: %t", kind, hasCode)
		}
	}
}

// docs/events.md has each code of the source, and no other.
func TestEvents_CodesAreDocumented(t *testing.T) {
	source := codesOfSource(t)
	written := map[string]bool{}
	for _, section := range []string{"Codes", "Codes of decisions"} {
		for _, row := range table(t, section) {
			if written[row[0]] {
				t.Errorf("code %q is documented twice", row[0])
			}
			written[row[0]] = true
		}
	}
	for code := range source {
		if !written[code] {
			t.Errorf("code %q is in the source and not in docs/events.md", code)
		}
	}
	for code := range written {
		if !source[code] {
			t.Errorf("code %q is in docs/events.md and not in the source", code)
		}
	}
}

// codesOfSource returns the codes in the source: all strings in snake_case that
// are not names of arguments, and the values of the constants for codes.
func codesOfSource(t *testing.T) map[string]bool {
	t.Helper()
	snake := regexp.MustCompile(`^[a-z]+(_[a-z]+)+$`)
	constant := regexp.MustCompile(`^(code|Code|Missed)[A-Z]`)
	codes := map[string]bool{}
	add := func(x ast.Expr, form *regexp.Regexp) {
		if lit, ok := x.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil && form.MatchString(text) {
				codes[text] = true
			}
		}
	}
	for _, pattern := range []string{
		"../../events.go",
		"../../guarded.go",
		"../engine/*.go",
		"../../failover/*.go",
		"../../history/*.go",
	} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("no files %s: %v", pattern, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.KeyValueExpr:
					ast.Inspect(n.Value, func(v ast.Node) bool {
						if x, ok := v.(ast.Expr); ok {
							add(x, snake)
						}
						_, pair := v.(*ast.KeyValueExpr)
						return !pair
					})
					_, name := n.Key.(*ast.BasicLit)
					return !name // a key of a map is the name of an argument
				case *ast.ValueSpec:
					for i, name := range n.Names {
						if constant.MatchString(name.Name) && i < len(n.Values) {
							add(n.Values[i], regexp.MustCompile(`^[a-z_]+$`))
						}
					}
				case ast.Expr:
					add(n, snake)
				}
				return true
			})
		}
	}
	return codes
}
