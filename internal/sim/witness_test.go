package sim

import (
	"context"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/internal/vtime"
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
		{"it was completed", func(_ *node, _ *execution, r *failover.Record) { *r = r.Complete(failover.ResultSucceeded, "", began) }, 0},
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

// What a record says of a run must be what its handler returned.
//
// The run of a job with failover ends in the record, after its handler has returned.
func TestWitness_RecordMatchesHandlerResult(t *testing.T) {
	began := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	told, stop := context.WithCancelCause(context.Background())
	stop(engine.ErrShutdown)
	gaveBack := func(x *execution) { x.err, x.yields = &engine.HandOver{}, true }
	handOver := func(r failover.Record) failover.Record { return r.HandOver() }
	ends := func(result failover.Result) func(r failover.Record) failover.Record {
		return func(r failover.Record) failover.Record { return r.Complete(result, "", began) }
	}
	for _, row := range []struct {
		name   string
		doctor func(x *execution)
		then   func(r failover.Record) failover.Record
		want   int
	}{
		{"it was through", func(*execution) {}, ends(failover.ResultSucceeded), 0},
		{"it was through, and is recorded as failed", func(*execution) {}, ends(failover.ResultFailed), 1},
		{"it was through, and is handed over", func(*execution) {}, handOver, 1},
		{"it failed, and is handed over", func(x *execution) { x.err = errWork }, handOver, 1},
		{"it has not returned, and is recorded as done", func(x *execution) { x.end = time.Time{} }, ends(failover.ResultSucceeded), 1},
		{"it has not returned, and is handed over", func(x *execution) { x.end = time.Time{} }, handOver, 0},
		{"it was told to stop, and is handed over", func(x *execution) { x.ctx, x.err = told, context.Cause(told) }, handOver, 0},
		{"it gave back, and is handed over", gaveBack, handOver, 0},
		{"it gave back, and is recorded as failed", gaveBack, ends(failover.ResultFailed), 1},
		{"it gave back too soon, and is recorded as failed", func(x *execution) { x.err = &engine.HandOver{} }, ends(failover.ResultFailed), 0},
	} {
		r := failover.Record{}.Begin(began, "n0@1", began)
		x := &execution{node: &node{id: "n0.1"}, ctx: context.Background(), run: engine.Run{Job: "job", Fence: r.Fence}, start: began, end: began.Add(time.Second)}
		row.doctor(x)
		w := &World{audit: checker.NewAudit(operator), counts: map[string]int{}, told: map[string]layout.Spec{"job": {Failover: true}}, runs: map[place][]*execution{{"job", 0}: {x}}}
		w.audit.Shard("job", 0).Record = row.then(r)
		if w.recorded("job", 0); len(w.found) != row.want {
			t.Errorf("%s: %d breaches, want %d: %v", row.name, len(w.found), row.want, w.found)
		}
	}
}

// A job with a retry within 20 ms has failed 10 ms ago, and its handler is called again.
func TestARetryThatNobodyAskedForIsABreach(t *testing.T) {
	for _, row := range []struct {
		name   string
		doctor func(x *execution, again *engine.Run)
		want   int
	}{
		{"in time, the first of one", func(*execution, *engine.Run) {}, 0},
		{"the second of one", func(x *execution, again *engine.Run) { x.run.Retry, again.Retry = 1, 2 }, 1},
		{"under another claim", func(_ *execution, again *engine.Run) { again.Fence++ }, 1},
		{"as another attempt", func(_ *execution, again *engine.Run) { again.Attempt++ }, 1},
		{"after success", func(x *execution, _ *engine.Run) { x.err = nil }, 1},
		{"after nothing was to do", func(x *execution, _ *engine.Run) { x.err = &engine.Skipped{} }, 1},
		{"after an error for good", func(x *execution, _ *engine.Run) { x.err = &engine.Permanent{Err: errWork} }, 1},
		{"late", func(x *execution, _ *engine.Run) { x.paused = x.paused.Add(-time.Second) }, 1},
		{"as the handler asked", func(x *execution, _ *engine.Run) { x.err = &engine.Again{After: 10 * time.Millisecond, Err: errWork} }, 0},
		{"sooner than the handler asked", func(x *execution, _ *engine.Run) { x.err = &engine.Again{After: time.Minute, Err: errWork} }, 1},
	} {
		vtime.Test(t, func(t *testing.T) {
			n := &node{id: "n0.1"}
			x := &execution{node: n, run: engine.Run{Job: "job", Fence: 7, Attempt: 1}, ctx: context.Background(), err: errWork, paused: time.Now().Add(-10 * time.Millisecond)}
			again := x.run
			again.Retry = 1
			row.doctor(x, &again)
			w := &World{runs: map[place][]*execution{{"job", 0}: {x}}, counts: map[string]int{}, told: map[string]layout.Spec{
				"job": {Retries: 1, RetryDelay: layout.Duration(20 * time.Millisecond), RetryMaxDelay: layout.Duration(20 * time.Millisecond)},
			}}
			x.waits = w.toCallAgain(x)
			if w.calledAgain(n, again); len(w.found) != row.want {
				t.Errorf("%s: %d breaches, want %d: %v", row.name, len(w.found), row.want, w.found)
			}
		})
	}
}

// Two run, of one job, on an instance.
func TestMoreRunsThanAnInstanceMayHaveAreABreach(t *testing.T) {
	for _, row := range []struct{ job, instance, want int }{{0, 0, 0}, {2, 2, 0}, {2, 3, 0}, {1, 0, 1}, {0, 1, 1}, {1, 1, 2}} {
		n := &node{id: "n0.1"}
		w := &World{
			plan: Plan{Most: []int{row.instance}}, counts: map[string]int{}, told: map[string]layout.Spec{"job": {MaxConcurrent: row.job}},
			runs: map[place][]*execution{
				{"job", 0}: {{node: n, run: engine.Run{Job: "job"}, end: time.Now()}, {node: n, run: engine.Run{Job: "job"}}},
				{"job", 1}: {{node: n, run: engine.Run{Job: "job", Shard: 1}}},
				{"job", 2}: {{node: &node{}, run: engine.Run{Job: "job", Shard: 2}}},
			},
		}
		if w.limited(n, engine.Run{Job: "job", Shard: 1}); len(w.found) != row.want {
			t.Errorf("%+v: %d breaches: %v", row, len(w.found), w.found)
		}
	}
}

// Without claims a process runs a shard once at a time, and a fire once.
//
// A shard of a job without claims ran the fire of a minute ago, in another process or in the same.
func TestWitness_UnclaimedRunsOnceAtATime(t *testing.T) {
	fire := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	n := &node{id: "n0.1"}
	for _, row := range []struct {
		name   string
		doctor func(old, x *execution)
		want   int
	}{
		{"the next fire", func(*execution, *execution) {}, 0},
		{"the same fire", func(old, x *execution) { x.run.Fire = old.run.Fire }, 1},
		{"the same fire in another process", func(old, x *execution) { x.run.Fire, old.node = old.run.Fire, &node{} }, 0},
		{"while it runs", func(old, _ *execution) { old.end = time.Time{} }, 1},
		{"while it runs in another process", func(old, _ *execution) { old.end, old.node = time.Time{}, &node{} }, 0},
		{"with a fence", func(_, x *execution) { x.run.Fence = 1 }, 1},
	} {
		ctx := context.Background()
		old := &execution{node: n, ctx: ctx, run: engine.Run{Job: "job", Fire: fire, Attempt: 1}, end: fire.Add(time.Second)}
		x := &execution{node: n, ctx: ctx, run: engine.Run{Job: "job", Fire: fire.Add(time.Minute), Attempt: 1}}
		row.doctor(old, x)
		w := &World{counts: map[string]int{}, runs: map[place][]*execution{{"job", 0}: {old}}}
		if w.unclaimed(x); len(w.found) != row.want {
			t.Errorf("%s: %d breaches, want %d: %v", row.name, len(w.found), row.want, w.found)
		}
	}
}
