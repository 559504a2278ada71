package chaos

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/e2e/fenced"
	"github.com/elasticjob-go/elastic/e2e/internal/worker"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/store"
)

// The columns "lost" and "double" of the table must be able to rise. A real
// history is doctored in the ways in which an engine could go wrong, and each
// must be counted.
func TestFigures_CountDoctoredRun(t *testing.T) {
	l := small
	l.schedule, l.nodes = "* * * * * ?", 0
	k := kinds[slices.IndexFunc(kinds, kind.alone)]
	f := launch(t, k, l)
	f.busy()
	f.hits("kill")
	f.places[0].Kill()
	f.places[0].start()
	f.awaitAll()
	h := f.settle()
	log := f.resource.Log()
	if g := count(h, log); g.lost+g.double+g.stuck+g.residue+g.smaller > 0 || g.repeated == 0 ||
		g.due != g.begun || g.due != g.completed {
		t.Fatalf("got %+v, want nothing wrong, runs that were repeated, and every fire completed", g)
	}

	started := slices.IndexFunc(h.Lines, func(l checker.Line) bool {
		return l.Event == "start" && l.Attempt == 1 && l.Time.After(h.Lines[0].Time.Add(time.Second))
	})
	run := h.Lines[started]
	for _, row := range []struct {
		name   string
		doctor func(d *checker.History, log *[]fenced.Write)
		wrong  func(g figures) bool
	}{
		{"a fire that did not run", func(d *checker.History, _ *[]fenced.Write) {
			d.Lines = slices.DeleteFunc(d.Lines, func(l checker.Line) bool {
				return worker.Of(l) == worker.Of(run) && l.Fire.Equal(run.Fire)
			})
		}, func(g figures) bool { return g.lost > 0 && g.begun == g.due-1 && g.skipped == 0 }},
		{"a run that another process has, too", func(d *checker.History, _ *[]fenced.Write) {
			again := run
			again.PID++
			d.Lines = append(d.Lines, again)
		}, func(g figures) bool { return g.double > 0 }},
		{"a repetition without a death", func(d *checker.History, _ *[]fenced.Write) {
			d.Acts = slices.DeleteFunc(d.Acts, func(a checker.Act) bool {
				return a.PID == 0 || a.Kind != checker.Start
			})
		}, func(g figures) bool { return g.double > 0 }},
		{"a shard that stopped", func(d *checker.History, _ *[]fenced.Write) { d.End = d.End.Add(time.Minute) },
			func(g figures) bool { return g.stuck > 0 }},
		{"an instance that is left over", func(d *checker.History, _ *[]fenced.Write) {
			d.Final = append(d.Final, store.Entry{
				Key: "instances/x@y",
				Value: []byte(`{"v":2,"name":"x","pid":1,"weight":1,"state":"up","sets":[],"level":1,` +
					`"started":"2026-01-01T00:00:00Z"}`),
			})
		}, func(g figures) bool { return g.residue > 0 }},
		{"a resource that took an outdated fence", func(_ *checker.History, log *[]fenced.Write) {
			late := slices.Clone(*log)
			last := late[len(late)-1]
			last.Fence, last.Accepted = 1, true
			*log = append(late, last)
		}, func(g figures) bool { return g.smaller > 0 }},
	} {
		d, log := h, log
		d.Lines = slices.Clone(h.Lines)
		d.Acts = slices.Clone(h.Acts)
		d.Final = slices.Clone(h.Final)
		row.doctor(&d, &log)
		if g := count(d, log); !row.wrong(g) {
			t.Errorf("%s is not counted: %s", row.name, strings.TrimSpace(g.row()))
		}
	}
}

// count checks a history as finish does.
func count(h checker.History, log []fenced.Write) figures {
	return tally(h, h.Check(), log, append(fenced.Check(log), fenced.Shared(log)...))
}
