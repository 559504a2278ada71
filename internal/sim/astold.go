package sim

import (
	"errors"
	"time"

	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// limited checks that an instance runs no more at a time than it and the job may.
func (w *World) limited(n *node, r engine.Run) {
	job, most := w.told[r.Job].MaxConcurrent, w.plan.Most[n.place]
	if job == 0 && most == 0 {
		return
	}
	all, own := 0, 0
	for _, x := range w.running(n) {
		all++
		if x.run.Job == r.Job {
			own++
		}
	}
	if job > 0 && own > job {
		w.violate(9, r.Job, r.Shard, "%s runs %d shards of the job, of at most %d", n.id, own, job)
	}
	if most > 0 && all > most {
		w.violate(9, r.Job, r.Shard, "%s runs %d shards, of at most %d", n.id, all, most)
	}
	if own == job || all == most {
		w.counts["limit reached"]++
	}
}

// countKind counts what kinds of jobs run.
func (w *World) countKind(s layout.Spec) {
	for kind, is := range map[string]bool{
		"follower": len(s.After) > 0, "broadcast": s.Broadcast(), "unclaimed": s.Unclaimed, "once": once(s), "manual": s.Schedule == layout.Manual,
		"choosy": len(s.Requires) > 0, s.Sharding: true,
	} {
		if is {
			w.counts["run of "+kind]++
		}
	}
}

// toCallAgain says whether a handler that has just returned is to be called again.
func (w *World) toCallAgain(x *execution) bool {
	skipped, permanent, again, unfinished := (*engine.Skipped)(nil), (*engine.Permanent)(nil), (*engine.Again)(nil), (*engine.HandOver)(nil)
	switch {
	case x.err == nil, errors.As(x.err, &skipped), errors.As(x.err, &permanent), errors.As(x.err, &unfinished), x.exits, x.ctx.Err() != nil:
		return false
	case errors.As(x.err, &again):
		return true
	}
	return x.run.Retry < w.told[x.run.Job].Retries
}

// calledAgain checks a retry: it is of an execution that goes on, inside its claim, no more often than the job says, and not later.
func (w *World) calledAgain(n *node, r engine.Run) *execution {
	w.counts["retry"]++
	var x *execution
	for _, o := range w.runs[place{r.Job, r.Shard}] {
		if o.node == n && o.run.Fence == r.Fence && o.run.Fire.Equal(r.Fire) {
			x = o
		}
	}
	if x == nil {
		w.violate(9, r.Job, r.Shard, "%s calls the handler again, and has never called it before: %+v", n.id, r)
		return nil
	}
	shortest, longest := w.wait(x)
	switch waited := time.Since(x.paused); {
	case !x.waits:
		w.violate(9, r.Job, r.Shard, "retry %d, and the job has %d, of one that is over: %v: %s", r.Retry, w.told[r.Job].Retries, x.err, x)
	case r.Retry != x.run.Retry+1 || r.Attempt != x.run.Attempt || r.Trigger != x.run.Trigger:
		w.violate(9, r.Job, r.Shard, "retry %d of %+v after retry %d: %s", r.Retry, r, x.run.Retry, x)
	case waited < shortest, waited > longest && n.asleepSince(x.paused) == 0:
		w.violate(9, r.Job, r.Shard, "retry %d after %s, want %s to %s: %s", r.Retry, waited, shortest, longest, x)
	}
	x.run.Retry, x.waits = r.Retry, false
	return x
}

// wait returns how long an execution may wait for its next call: the pause that the job or the handler asks for, and the way through the
// gate.
func (w *World) wait(x *execution) (shortest, longest time.Duration) {
	way := max(w.plan.Latency, w.plan.Tail) + time.Millisecond
	if again := (*engine.Again)(nil); errors.As(x.err, &again) {
		after := max(again.After, engine.ShortestPause)
		return after, after + way
	}
	spec := w.told[x.run.Job]
	longest = time.Duration(spec.RetryDelay) << x.run.Retry
	return 0, min(longest, time.Duration(spec.RetryMaxDelay)) + way
}

// asleepSince returns how long a process has stood still since a moment.
func (n *node) asleepSince(t time.Time) (d time.Duration) {
	for _, s := range n.asleep {
		d += max(0, s.to.Sub(later(s.from, t)))
	}
	return d
}

// unclaimed checks an execution of a job without claims, which is promised less: one process runs a shard once at a time, and a fire once.
func (w *World) unclaimed(x *execution) {
	r := x.run
	if r.Fence != 0 || r.Attempt != 1 || r.Trigger != 0 {
		w.violate(9, r.Job, r.Shard, "it runs without claims, and is told of one: %s", x)
	}
	for _, old := range w.runs[place{r.Job, r.Shard}] {
		switch {
		case old.node != x.node:
		case !old.over() && old.ctx.Err() == nil:
			w.violate(1, r.Job, r.Shard, "two at a time in one process: %s; %s", old, x)
		case old.run.Fire.Equal(r.Fire) && !w.plan.has(Step):
			w.violate(2, r.Job, r.Shard, "one process runs a fire twice: %s; %s", old, x)
		}
	}
}

func (p Plan) has(kind Kind) bool {
	for _, f := range p.Faults {
		if f.Kind == kind {
			return true
		}
	}
	return false
}
