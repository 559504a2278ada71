package sim

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/engine"
)

// The handler has returned, the record says that it runs, and its instance is gone.
func TestARunThatIsLeftBehindWithoutAWordIsABreach(t *testing.T) {
	began := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		name   string
		doctor func(n *node, x *execution, r *failover.Record)
		want   int
	}{
		{"it had returned a moment before", func(*node, *execution, *failover.Record) {}, 1},
		{"it returned when its instance had given it up", func(n *node, x *execution, _ *failover.Record) { x.end = n.parting.Add(1) }, 0},
		{"it has not returned", func(_ *node, x *execution, _ *failover.Record) { x.end = time.Time{} }, 0},
		{"it was handed over", func(_ *node, _ *execution, r *failover.Record) { *r = r.HandOver() }, 0},
		{"it was completed", func(_ *node, _ *execution, r *failover.Record) { *r = r.Complete(failover.Succeeded, "", began) }, 0},
		{"its instance had trouble", func(n *node, _ *execution, _ *failover.Record) { n.troubled = true }, 0},
		{"its instance was not asked to leave", func(n *node, _ *execution, _ *failover.Record) { n.left = false }, 0},
	} {
		r := failover.Record{}.Begin(began, "n0@1", began)
		n := &node{id: "n0.1", left: true, parting: began.Add(time.Second)}
		x := &execution{node: n, run: engine.Run{Job: "job", Fence: r.Fence}, start: began, end: n.parting.Add(-1)}
		row.doctor(n, x, &r)
		w := &World{audit: checker.NewAudit(operator), all: []*node{n}, runs: map[place][]*execution{{"job", 0}: {x}}}
		w.audit.Shard("job", 0).Record = r
		if w.farewell(n.id); len(w.found) != row.want {
			t.Errorf("%s: %d breaches, want %d: %v", row.name, len(w.found), row.want, w.found)
		}
	}
}
