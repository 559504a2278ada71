package observe_test

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/observe"
)

// logger returns an observer and the lines that it has written, without times.
func logger() (log func(observe.Event), lines func() []string) {
	var out bytes.Buffer
	options := &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}
	log = observe.Log(slog.New(slog.NewTextHandler(&out, options)))
	return log, func() []string {
		all := strings.TrimSpace(out.String())
		out.Reset()
		return strings.Split(all, "\n")
	}
}

var fire = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// A line has the fields that the event has, and no others. Arguments are in the
// order of their names.
func TestLog_HasTheFieldsOfTheEvent(t *testing.T) {
	log, lines := logger()
	for _, row := range []struct {
		event observe.Event
		want  string
	}{
		{
			observe.Event{Kind: observe.Joined, Instance: "a@1", Shard: -1},
			`level=INFO msg="instance a@1 joined" kind=joined instance=a@1`,
		},
		{
			observe.Event{
				Kind:     observe.Ended,
				Instance: "a@1",
				Job:      "report",
				Fire:     fire,
				Attempt:  1,
				Fence:    7,
				Result:   "failed",
				Took:     time.Second,
				Err:      errors.New("out of paper"),
			},
			`level=WARN msg="shard 0 of report failed after 1s" kind=ended instance=a@1 job=report shard=0 ` +
				`fire=2026-01-02T03:00:00Z attempt=1 fence=7 result=failed took=1s error="out of paper"`,
		},
		{
			observe.Event{
				Kind:    observe.Unreadable,
				Job:     "report",
				Shard:   -1,
				Subject: "jobs/report",
				Err:     errors.New("not a job"),
			},
			`level=WARN msg="key jobs/report could not be read" kind=unreadable job=report subject=jobs/report ` +
				`error="not a job"`,
		},
		{
			observe.Event{
				Kind:  observe.Missed,
				Job:   "report",
				Shard: -1,
				Fire:  fire,
				Until: fire.Add(2 * time.Minute),
				Count: 3,
				Code:  "misfire_skip",
				Args:  map[string]string{"window": "1m0s", "misfire": "skip", "overlap": "queue"},
			},
			`level=WARN msg="job report missed 3 fires" kind=missed job=report fire=2026-01-02T03:00:00Z ` +
				`until=2026-01-02T03:02:00Z count=3 code=misfire_skip ` +
				`args.misfire=skip args.overlap=queue args.window=1m0s`,
		},
	} {
		log(row.event)
		if got := lines(); len(got) != 1 || got[0] != row.want {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), row.want)
		}
	}
}

// At level Info the log shows the life of a job: one line for a run with a
// claim, and each change of hands. Runs without claims can be too many for
// that.
func TestLog_ShowsTheLifeOfAJob(t *testing.T) {
	log, lines := logger()
	run := observe.Event{
		Instance: "a@1",
		Job:      "report",
		Shard:    5,
		Fence:    7,
		Attempt:  2,
		Subject:  "b@1",
	}
	of := func(kind observe.Kind) observe.Event {
		e := run
		e.Kind = kind
		return e
	}
	ended := of(observe.Ended)
	ended.Result = "ok"
	ended.Took = 1234567 * time.Microsecond
	skipped := ended
	skipped.Result = "skipped"
	withoutClaim := ended
	withoutClaim.Fence = 0
	scheduled := of(observe.Scheduled)
	scheduled.Shard = -1
	for _, row := range []struct {
		event       observe.Event
		level, want string
	}{
		{scheduled, "INFO", "job report was scheduled"},
		{of(observe.Gained), "DEBUG", "instance a@1 got shard 5 of report"},
		{of(observe.Began), "DEBUG", "instance a@1 began shard 5 of report"},
		{of(observe.Retrying), "INFO", "shard 5 of report failed and will be retried"},
		{of(observe.HandedOver), "INFO", "instance a@1 handed over shard 5 of report"},
		{of(observe.TookOver), "INFO", "instance a@1 took over shard 5 of report (attempt 2)"},
		{of(observe.Reclaimed), "INFO", "instance a@1 reclaimed shard 5 of report"},
		{of(observe.Stuck), "WARN", "the handler of shard 5 of report did not return"},
		{of(observe.Abandoned), "WARN", "instance a@1 abandoned shard 5 of report"},
		{ended, "INFO", "shard 5 of report succeeded in 1.235s"},
		{skipped, "INFO", "shard 5 of report had nothing to do"},
		{withoutClaim, "DEBUG", "shard 5 of report succeeded in 1.235s"},
		{of(observe.Dropped), "DEBUG", "instance a@1 gave up shard 5 of report"},
	} {
		log(row.event)
		want := `level=` + row.level + ` msg="` + row.want + `" kind=`
		if got := lines(); !strings.HasPrefix(got[0], want) {
			t.Errorf("got\n%s\nwant it to begin with\n%s", got[0], want)
		}
	}
}

// Each kind has a sentence of its own, and none is left empty where an event
// has few fields.
func TestLog_HasASentenceForEachKind(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	log, lines := logger()
	seen := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		kind := strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
		log(observe.Event{Kind: observe.Kind(kind), Shard: -1, Subject: "b@1"})
		_, message, _ := strings.Cut(lines()[0], "msg=")
		message, _, _ = strings.Cut(message, " kind=")
		message = strings.Trim(message, `"`)
		if message == kind || strings.Contains(message, "  ") || seen[message] != "" {
			t.Errorf("%s: the sentence is %q, as of %q", kind, message, seen[message])
		}
		seen[message] = kind
		return true
	})
	if len(seen) < 30 {
		t.Errorf("found %d kinds", len(seen))
	}
}

// Alarms are the kinds that need a person.
func TestKind_Alarm(t *testing.T) {
	for kind, want := range map[observe.Kind]bool{
		observe.Abandoned:  true,
		observe.Stuck:      true,
		observe.Unreadable: true,
		observe.Missed:     true,
		observe.Began:      false,
	} {
		if kind.Alarm() != want {
			t.Errorf("%s: alarm %v, want %v", kind, !want, want)
		}
	}
}
