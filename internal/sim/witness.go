package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// execution is one call of a handler.
type execution struct {
	node       *node
	run        engine.Run
	ctx        context.Context
	start, end time.Time // end is zero until it has returned
	err        error
	died       bool // its process did

	waits  bool      // it has returned, and is to be called again
	paused time.Time // since when
	exits  bool      // it ends its goroutine
	yields bool      // its shard moves, and it has returned for the next owner to go on, without being told to stop
}

// fence is that of its claim, which is another one when it has gone on through a lost session.
func (x *execution) fence() uint64 {
	if x.run.Live == nil {
		return x.run.Fence // one that a test has made up
	}
	return x.run.Live.Fence.Load()
}

// over says whether it has ended for good.
func (x *execution) over() bool { return !x.end.IsZero() || x.waits && x.ctx.Err() != nil }

func (x *execution) String() string {
	text := fmt.Sprintf("fire %s attempt %d fence %d on %s from %s", stamp(x.run.Fire), x.run.Attempt, x.run.Fence, x.node.id, stamp(x.start))
	switch {
	case x.died:
		return text + ", cut off at " + stamp(x.end)
	case !x.end.IsZero():
		return text + fmt.Sprintf(" to %s: %v", stamp(x.end), x.err)
	}
	return text
}

func stamp(t time.Time) string { return t.UTC().Format("04:05.000") }

func (w *World) violate(invariant int, job string, shard int, format string, a ...any) {
	w.found = append(w.found, checker.Violation{Invariant: invariant, Job: job, Shard: shard, Time: time.Now(), Text: fmt.Sprintf(format, a...)})
}

// running returns what runs on a node. The caller holds w.mu.
func (w *World) running(n *node) (list []*execution) {
	for _, runs := range w.runs {
		for _, x := range runs {
			if x.node == n && !x.over() {
				list = append(list, x)
			}
		}
	}
	return list
}

// called checks a call of a handler as it begins. It returns nil if the process is dead.
func (w *World) called(n *node, ctx context.Context, r engine.Run) *execution {
	if w.gate.buried(n) {
		return nil
	}
	w.logf(n.id, "runs %s/%d fire %s attempt %d fence %d of %d, retry %d", r.Job, r.Shard, stamp(r.Fire), r.Attempt, r.Fence, r.Total, r.Retry)
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Retry > 0 {
		return w.calledAgain(n, r)
	}
	x := w.began(n, ctx, r)
	w.limited(n, r)
	w.countKind(w.told[r.Job])
	return x
}

// began checks an execution as it begins: the store must know its claim, and nobody else may be at it.
func (w *World) began(n *node, ctx context.Context, r engine.Run) *execution {
	at := place{r.Job, r.Shard}
	x := &execution{node: n, run: r, ctx: ctx, start: time.Now()}
	w.counts["run"]++
	if r.Attempt > 1 {
		w.counts["run again"]++
	}
	if !r.Trace.IsZero() {
		w.counts["run with a trace"]++
	}
	defer func() { w.runs[at] = append(w.runs[at], x) }()
	if w.told[r.Job].Unclaimed {
		w.unclaimed(x)
		return x
	}
	claim, ok := w.audit.Shard(r.Job, r.Shard).Claims[r.Fence]
	switch {
	case !ok || claim.Client != n.id:
		w.violate(1, r.Job, r.Shard, "the store has no such claim, or another's %+v: %s", claim, x)
	case !claim.Fire.Equal(r.Fire) || claim.Attempt != r.Attempt || claim.Trigger != r.Trigger:
		w.violate(1, r.Job, r.Shard, "the claim was another, %+v: %s", claim, x)
	case claim.Trace != r.Trace:
		w.violate(1, r.Job, r.Shard, "it has the trace %q, the claim has %q: %s", r.Trace, claim.Trace, x)
	case claim.Total != r.Total:
		w.violate(6, r.Job, r.Shard, "it is told of %d shards, the claim was one of %d: %s", r.Total, claim.Total, x)
	}
	for _, old := range w.runs[at] {
		if old.run.Fence == r.Fence {
			w.violate(1, r.Job, r.Shard, "one claim, two executions: %s; %s", old, x)
			continue
		}
		if old.excused(x) || x.excused(old) {
			continue
		}
		if old.run.Fence > r.Fence {
			w.violate(1, r.Job, r.Shard, "the fence fell: %s; %s", old, x)
		}
		if !old.over() && old.ctx.Err() == nil {
			w.violate(1, r.Job, r.Shard, "two at a time: %s; %s", old, x)
		}
	}
	return x
}

// excused says whether nothing could stop this execution when another begins: its process stood still, or had been declared dead
// while it lived, and had not learned of it.
func (x *execution) excused(other *execution) bool {
	n, now := x.node, other.start
	if x.run.Fence > other.run.Fence {
		return false // it is the other that should not be
	}
	if x.ctx.Err() != nil {
		return true // it was told to stop before it had begun
	}
	for _, s := range n.asleep {
		if !s.from.After(now) && now.Before(s.to.Add(wake)) {
			return true
		}
	}
	for _, t := range n.doomed {
		if !t.After(now) && now.Sub(t) < n.w.plan.TTL+n.w.plan.carryOn()+wake {
			return true
		}
	}
	return false
}

// wake is how long a process may take to learn that it was asleep: what waited at the gate comes first.
const wake = 2 * time.Second

// effect is what a handler does to the outside world: to a resource that remembers the greatest fence and refuses smaller ones. Only
// who lost its claim may be refused.
func (w *World) effect(x *execution) {
	if w.gate.buried(x.node) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	at := place{x.run.Job, x.run.Shard}
	fence := x.fence()
	w.update(x, fence)
	if fence < w.fences[at] {
		w.counts["effect refused"]++
		if r := w.audit.Shard(at.job, at.shard).Record; r.Fence != 0 && r.Fence <= fence {
			w.violate(1, at.job, at.shard, "the resource refuses %s, which holds the claim", x)
		}
		return
	}
	w.counts["effect"]++
	w.fences[at] = fence
}

func (w *World) returned(x *execution, err error) {
	if w.gate.buried(x.node) {
		return
	}
	w.logf(x.node.id, "ends %s/%d fence %d: %v", x.run.Job, x.run.Shard, x.run.Fence, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	x.err = err
	if x.waits = w.toCallAgain(x); x.waits {
		x.paused = time.Now()
		return
	}
	x.end = time.Now()
	unfinished := (*engine.HandOver)(nil)
	x.yields = errors.As(err, &unfinished) && x.ctx.Err() == nil
}

// committed checks each commit of the store as it is made.
func (w *World) committed(c memory.Commit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.audit.Commit(c)
	w.counts["commit "+string(c.Cause)]++
	for _, op := range c.Do {
		if op.Kind == store.OpDelete {
			continue
		}
		if job, item, ok := shardOf(op.Key); ok {
			w.recorded(job, item)
		}
	}
	if c.Cause == memory.Ended {
		w.farewell(c.Client)
	}
	if w.tracing {
		w.describe(c)
	}
}

// farewell checks that a process which leaves in good order, and had no trouble with the store, leaves no run behind that its handler
// had given back by then: it completes it or hands it over. A handler that returns later is one of those of which Run says that they
// did not.
func (w *World) farewell(client string) {
	if w.plan.Slow > 0 || w.plan.Torn {
		return // its time may have been too short
	}
	for _, n := range w.all {
		if n.id != client || !n.left || n.troubled {
			continue
		}
		for at, runs := range w.runs {
			r := w.audit.Shard(at.job, at.shard).Record
			if x := runs[len(runs)-1]; x.node == n && x.returnedBefore(n.parting) && r.State == failover.StateRunning && r.Fence == x.fence() && r.Owner != "" {
				w.violate(4, at.job, at.shard, "left without a word by an instance in good order: %s", x)
			}
		}
	}
}

// returnedBefore says whether the handler had returned for good before a moment, which is now or was just before. In one nanosecond nothing
// but one step happens.
func (x *execution) returnedBefore(t time.Time) bool {
	return x.over() && (x.end.IsZero() || x.end.Before(t))
}

// result is what is to be recorded of an execution.
func (x *execution) result() failover.Result {
	skipped := (*engine.Skipped)(nil)
	switch {
	case errors.Is(context.Cause(x.ctx), engine.ErrTimeout):
		return failover.ResultFailed
	case x.err == nil:
		return failover.ResultSucceeded
	case errors.As(x.err, &skipped):
		return failover.ResultSkipped
	case errors.Is(context.Cause(x.ctx), engine.ErrReplaced):
		return failover.ResultReplaced
	}
	return failover.ResultFailed
}

func shardOf(key string) (job string, item int, ok bool) { return layout.RunOf(key) }

// recorded checks that what a record says of an end is what the handler said.
func (w *World) recorded(job string, item int) {
	r := w.audit.Shard(job, item).Record
	switch {
	case r.State == failover.StateRunning && r.Owner == "":
		w.counts["handed over"]++
		w.handedOver(job, item, r)
		return
	case r.State == failover.StateRunning:
		return
	case r.Result == failover.ResultLost:
		w.counts["abandoned"]++
		return
	}
	w.counts["result "+string(r.Result)]++
	for _, x := range w.runs[place{job, item}] {
		if x.fence() != r.Fence {
			continue
		}
		if !x.over() || r.Result != x.result() {
			w.violate(4, job, item, "recorded as %s: %s", r.Result, x)
		}
		if x.yields && w.told[job].Failover && !w.changed[job] {
			w.violate(4, job, item, "recorded as %s, and its handler had given it back for the next owner to go on: %s", r.Result, x)
		}
		return
	}
	w.violate(4, job, item, "recorded as %s, and nobody ran it: %s", r.Result, r)
}

// handedOver checks that a run which is handed over is not done: its handler gave it back, or was told to stop, or has not returned.
func (w *World) handedOver(job string, item int, r failover.Record) {
	for _, x := range w.runs[place{job, item}] {
		switch {
		case x.fence() != r.Fence:
		case x.yields:
			w.counts["yielded"]++
		case x.over() && (x.err == nil || x.ctx.Err() == nil):
			w.violate(4, job, item, "handed over, and it was through: %s", x)
		}
	}
}

func (w *World) describe(c memory.Commit) {
	text := fmt.Sprintf("%d %s %s", c.Rev, c.Cause, c.Client)
	for _, op := range c.Do {
		text += "; " + op.Key
		if op.Kind == store.OpDelete {
			text += " deleted"
		} else if r, err := failover.Decode(op.Value); err == nil {
			text += " " + r.String()
		} else {
			text += " " + string(op.Value)
		}
	}
	w.pending = append(w.pending, entry{time.Now(), "store", text})
}

// logf adds a line to the trace.
func (w *World) logf(source, format string, a ...any) {
	if !w.tracing {
		return
	}
	text := fmt.Sprintf(format, a...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = append(w.pending, entry{time.Now(), source, text})
}
