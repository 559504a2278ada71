package alarm_test

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"strconv"
	"testing"

	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/observe/alarm"
)

// kinds returns every kind of event that package observe declares.
func kinds(t *testing.T) []observe.Kind {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []observe.Kind
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != "Kind" {
			return false
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, observe.Kind(text))
		return false
	})
	if len(all) < 25 {
		t.Fatalf("found %d kinds in event.go: %v", len(all), all)
	}
	return all
}

// The log's level Warn, Event.Alarm and the default rule of alarms agree about
// every kind of event, and about runs that failed.
func TestDefault_AgreesWithLogAndKind(t *testing.T) {
	for _, kind := range kinds(t) {
		for _, result := range []string{"", "ok", "failed", "skipped", "lost", "replaced", "cancelled"} {
			e := observe.Event{Kind: kind, Job: "report", Shard: -1, Result: result}
			var out bytes.Buffer
			warn := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))
			observe.Log(warn)(e)
			want := kind.Alarm() || alarm.Failed(e)
			if logged := out.Len() > 0; logged != want || e.Alarm() != want || alarm.Default(e) != want {
				t.Errorf("%s %s: at level Warn %v, Event.Alarm %v, alarm.Default %v, want all %v",
					kind, result, logged, e.Alarm(), alarm.Default(e), want)
			}
			if warn.Enabled(context.Background(), slog.LevelInfo) {
				t.Fatal("the logger takes more than warnings")
			}
		}
	}
}
