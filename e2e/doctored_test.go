package e2e

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/store"
)

// mustNotPass doctors a correct history in the ways in which an engine could go
// wrong, and checks that the checker reports each. The checker has test files
// for that too; this history is a real one.
func mustNotPass(t *testing.T, draw *rand.Rand, h checker.History) {
	t.Helper()
	pick := func(wanted func(l checker.Line) bool) int {
		var found []int
		for i, l := range h.Lines {
			if wanted(l) {
				found = append(found, i)
			}
		}
		if len(found) == 0 {
			t.Fatal("there is no line to doctor")
		}
		return found[draw.IntN(len(found))]
	}
	middle := func(l checker.Line) bool { // of the history, and of a run that was not repeated
		again := slices.ContainsFunc(h.Lines, func(o checker.Line) bool {
			return o.Attempt > 1 && o.Shard == l.Shard && o.Fire.Equal(l.Fire)
		})
		return l.Attempt == 1 && !again && l.Time.After(h.Lines[0].Time.Add(bound)) && l.Time.Before(h.End.Add(-bound))
	}
	started := pick(func(l checker.Line) bool { return l.Event == "start" && middle(l) })
	ended := pick(func(l checker.Line) bool { return l.Event == "end" && l.Outcome == "ok" && middle(l) })
	repeated := pick(func(l checker.Line) bool { // whose first attempt was lost after its handler had started
		return l.Event == "start" && l.Attempt == 2 && slices.ContainsFunc(h.Lines, func(o checker.Line) bool {
			return o.Event == "start" && o.Attempt == 1 && o.Shard == l.Shard && o.Fire.Equal(l.Fire)
		})
	})

	for _, row := range []struct {
		name   string
		doctor func(d *checker.History)
	}{
		{"a run that never was", func(d *checker.History) {
			l := d.Lines[started]
			d.Lines = slices.DeleteFunc(d.Lines, func(o checker.Line) bool {
				return o.Shard == l.Shard && o.Fire.Equal(l.Fire)
			})
		}},
		{"a run that never ended", func(d *checker.History) { d.Lines = slices.Delete(d.Lines, ended, ended+1) }},
		{"a run that another process has, too", func(d *checker.History) {
			again := d.Lines[started]
			again.PID++
			d.Lines = append(d.Lines, again)
		}},
		{"a fence that another fire had", func(d *checker.History) { d.Lines[started].Fence++ }},
		{"a second attempt of a run to whose process nothing was done", func(d *checker.History) {
			d.Acts = slices.DeleteFunc(d.Acts, func(a checker.Act) bool {
				return a.PID == 0 || a.Kind != checker.Start
			})
		}},
		{"a second attempt that counts as a first", func(d *checker.History) { d.Lines[repeated].Attempt = 1 }},
		{"a record that says that it runs", func(d *checker.History) {
			for i, e := range d.Final {
				if strings.HasPrefix(e.Key, "runs/") {
					text := strings.Replace(string(e.Value), `"state":"idle"`, `"state":"running","owner":"x@y"`, 1)
					d.Final[i].Value = []byte(strings.Replace(text, `"result":"ok"`, `"result":""`, 1))
					return
				}
			}
		}},
		{"a shard without a record", func(d *checker.History) {
			d.Final = slices.DeleteFunc(d.Final, func(e store.Entry) bool {
				return strings.HasPrefix(e.Key, "runs/") && strings.HasSuffix(e.Key, "/1")
			})
		}},
		{"an instance that is left over", func(d *checker.History) {
			d.Final = append(d.Final, store.Entry{
				Key: "instances/x@y",
				Value: []byte(`{"v":2,"name":"x","pid":1,"weight":1,"state":"up","sets":[],"level":1,` +
					`"started":"2026-01-01T00:00:00Z"}`),
			})
		}},
	} {
		d := h
		d.Lines = slices.Clone(h.Lines)
		d.Acts = slices.Clone(h.Acts)
		d.Final = slices.Clone(h.Final)
		row.doctor(&d)
		if found := d.Check(); len(found) == 0 {
			t.Errorf("the checker finds nothing wrong with a history that is doctored: %s", row.name)
		} else {
			t.Logf("%s: %d violations, such as: %s", row.name, len(found), found[0])
		}
	}
}
