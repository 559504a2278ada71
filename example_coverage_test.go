package elastic_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// shown are the packages of which everything that is exported has a runnable
// example. Those for people who write drivers or look at records have examples
// of what they are about, and not of every name.
var shown = []string{
	".",
	"cron",
	"elastictest",
	"jobfile",
	"jobs/dataflow",
	"jobs/httpcall",
	"jobs/script",
	"observe",
	"observe/alarm",
	"observe/health",
	"sharding",
}

// notShown are exported names that need none, and why.
var notShown = map[string]string{}

// Each exported name has code to copy that is known to work: an Example that
// uses the name, or is named after it. A type has one, too, if a
// function that returns it has, as options do.
func TestExports_HaveExamples(t *testing.T) {
	for _, dir := range shown {
		p := readExports(t, dir)
		for _, name := range p.names() {
			full := p.name + "." + name
			why, excused := notShown[full]
			switch {
			case p.isShown(name) && excused:
				t.Errorf("%s has an example by now: it needs no exception (%s)", full, why)
			case !p.isShown(name) && !excused:
				t.Errorf("%s has no example: write one in %s/example_…_test.go", full, dir)
			}
		}
	}
}

// exports lists the exported names of a package, and those that its examples
// use.
type exports struct {
	name    string
	kinds   map[string]ast.Node // exported types and top-level functions
	returns map[string][]string // by type: functions that return it
	used    map[string]bool     // by examples
}

func readExports(t *testing.T, dir string) exports {
	t.Helper()
	p := exports{kinds: map[string]ast.Node{}, returns: map[string][]string{}, used: map[string]bool{}}
	entries, err := fs.ReadDir(os.DirFS(dir), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), dir+"/"+e.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.Name(), "_test.go") {
			p.use(file, e.Name())
			continue
		}
		p.name = file.Name.Name
		p.declare(file)
	}
	return p
}

// declare takes what a file exports.
func (p exports) declare(file *ast.File) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv != nil || !d.Name.IsExported() {
				continue
			}
			p.kinds[d.Name.Name] = d
			for _, result := range fields(d.Type.Results) {
				p.returns[result] = append(p.returns[result], d.Name.Name)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if s, ok := s.(*ast.TypeSpec); ok && s.Name.IsExported() {
					p.kinds[s.Name.Name] = s
				}
			}
		}
	}
}

// fields returns the names of the types in a list, those of other packages
// excepted.
func fields(list *ast.FieldList) (names []string) {
	if list == nil {
		return nil
	}
	for _, f := range list.List {
		typ := f.Type
		if star, ok := typ.(*ast.StarExpr); ok {
			typ = star.X
		}
		if id, ok := typ.(*ast.Ident); ok {
			names = append(names, id.Name)
		}
	}
	return names
}

// use takes what the examples of a file use. A cluster in virtual time needs a
// *testing.T, which an Example has not: what elastictest is for is shown by
// tests in files that are named as examples are.
func (p exports) use(file *ast.File, name string) {
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || !strings.HasPrefix(f.Name.Name, "Example") &&
			!(strings.HasPrefix(name, "example_") && f.Recv == nil) {
			continue
		}
		if subject, ok := strings.CutPrefix(f.Name.Name, "Example"); ok {
			subject, _, _ = strings.Cut(subject, "_")
			p.used[subject] = true
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if of, ok := s.X.(*ast.Ident); ok {
					p.used[of.Name+"."+s.Sel.Name] = true
				}
			}
			return true
		})
	}
}

func (p exports) names() []string { return slices.Sorted(maps.Keys(p.kinds)) }

func (p exports) isShown(name string) bool {
	if p.used[name] || p.used[p.name+"."+name] {
		return true
	}
	_, isType := p.kinds[name].(*ast.TypeSpec)
	return isType && slices.ContainsFunc(p.returns[name], p.isShown)
}
