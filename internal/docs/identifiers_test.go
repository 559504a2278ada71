package docs

import (
	"go/ast"
	"path/filepath"
	"regexp"
	"testing"
)

// named are the directories of the packages whose identifiers pages name.
var named = map[string]string{
	"admin":       "admin",
	"alarm":       "observe/alarm",
	"conformance": "conformance",
	"cron":        "cron",
	"dataflow":    "jobs/dataflow",
	"elastic":     ".",
	"elastictest": "elastictest",
	"failover":    "failover",
	"health":      "observe/health",
	"history":     "history",
	"httpcall":    "jobs/httpcall",
	"jobfile":     "jobfile",
	"memory":      "store/memory",
	"observe":     "observe",
	"otel":        "observe/otel",
	"prom":        "observe/prom",
	"script":      "jobs/script",
	"sharding":    "sharding",
	"status":      "status",
	"store":       "store",
}

var (
	qualified = regexp.MustCompile(`\b([a-z]+)\.([A-Z]\w*)(?:\.([A-Z]\w*))?`)
	member    = regexp.MustCompile("`(Job|Run|Scheduler)\\.([A-Z]\\w*)")
)

// Each identifier of a package of this repository that a page names in code
// exists, and so does each field and method of Job, Run and Scheduler.
func TestIdentifiers_Exist(t *testing.T) {
	exported := map[string]map[string]bool{}
	for name, dir := range named {
		exported[name] = identifiers(t, dir)
	}
	n := 0
	for _, page := range pages(t) {
		text := read(t, page)
		spans := append(fence.FindAllString(text, -1), code.FindAllString(fence.ReplaceAllString(text, ""), -1)...)
		for _, span := range spans {
			for _, m := range qualified.FindAllStringSubmatch(span, -1) {
				known := exported[m[1]]
				if known == nil {
					continue
				}
				n++
				if !known[m[2]] || m[3] != "" && !known[m[2]+"."+m[3]] {
					t.Errorf("%s names %s, which does not exist", page, m[0])
				}
			}
			for _, m := range member.FindAllStringSubmatch(span, -1) {
				n++
				if !exported["elastic"][m[1]+"."+m[2]] {
					t.Errorf("%s names %s.%s, which does not exist", page, m[1], m[2])
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("got %d identifiers, want at least 100: the pattern finds too few", n)
	}
}

// identifiers returns the exported names of a package, and those of fields and
// methods behind the name of their type.
func identifiers(t *testing.T, dir string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	fields := func(name string, list *ast.FieldList) {
		for _, f := range list.List {
			for _, field := range f.Names {
				found[name+"."+field.Name] = true
			}
		}
	}
	for _, file := range parse(t, filepath.Join(dir, "*.go")) {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = receiver(d.Recv.List[0].Type) + "." + name
				}
				found[name] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.ValueSpec:
						for _, name := range spec.Names {
							found[name.Name] = true
						}
					case *ast.TypeSpec:
						found[spec.Name.Name] = true
						switch of := spec.Type.(type) {
						case *ast.StructType:
							fields(spec.Name.Name, of.Fields)
						case *ast.InterfaceType:
							fields(spec.Name.Name, of.Methods)
						}
					}
				}
			}
		}
	}
	return found
}

// receiver returns the name of the type of a method.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
