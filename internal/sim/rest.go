package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// close has all leave in good order, and checks invariant 8.
func (w *World) close() {
	w.closing = true
	for _, n := range w.nodes {
		if n != nil {
			w.leave(n, -1)
		}
	}
	empty := func() bool { return !slices.ContainsFunc(w.nodes, func(n *node) bool { return n != nil }) }
	w.driveUntil(time.Now().Add(w.plan.Drain+w.plan.Grace+10*time.Second), empty)
	if !empty() && !w.broken() {
		w.violate(5, "", -1, "somebody does not leave")
	}
	w.driveUntil(time.Now().Add(w.plan.TTL+time.Second), func() bool { return false })
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.server.Dump() {
		if why := w.residue(e.Key); why != "" {
			w.violate(8, e.Key, -1, "at rest: %s: %s", why, e.Value)
		}
	}
	if held := w.server.Sessions(); len(held) > 0 {
		w.violate(8, "", -1, "at rest there are sessions: %v", held)
	}
}

// shardsOf returns how many shards of a job may have a record when all have left. Of a broadcast nobody may have been there any more to
// remove those of who left last.
func (w *World) shardsOf(job string, spec *layout.Spec) int {
	if a := w.assignment(job); spec.Broadcast() && a != nil {
		return max(len(a.Owners), a.Surplus)
	}
	return spec.Shards
}

// residue says why a key should not be there.
func (w *World) residue(key string) string {
	kind := layout.KindOf(key)
	if kind != nil && kind.Prefix == layout.JobSets {
		return "" // of the last program
	}
	job, ok := layout.JobOf(key)
	if !ok {
		return "nothing has such a key"
	}
	switch kind.Prefix {
	case layout.Jobs, layout.Assignments, layout.Signals, layout.Revisions:
		if w.audit.Spec(job) == nil {
			return "nobody has such a job"
		}
		return ""
	case layout.Runs:
		_, item, ok := layout.RunOf(key)
		spec := w.audit.Spec(job)
		if ok && w.orphaned[job] {
			return "" // all of it waits for somebody who may own its shards
		}
		if !ok || spec == nil || item >= w.shardsOf(job, spec) {
			return "there is no such shard"
		}
		if r := w.audit.Shard(job, item).Record; r.State != failover.StateIdle {
			return fmt.Sprint("a run in progress: ", r)
		}
		return ""
	}
	return "nothing has such a key"
}
