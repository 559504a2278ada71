package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// claim writes a record that makes the run that of this instance, and starts the
// handler once it is; why is the decision to do so.
func (e *Engine) claim(s *shard, why failover.Decision, next failover.Record, guards []store.Cond) {
	if s.job.awaiting() {
		return // the job's refresh marks the shard again
	}
	if s.version == 0 {
		// The job may have had the shard before.
		next.Trigger = max(next.Trigger, s.job.assigned.Triggers)
	}
	next.Fence = max(next.Fence, s.job.assigned.Fences)
	switch {
	case s.unclaimed:
	case next.Fence >= failover.MaxFence: // only a hand gets there
		s.broken = true
		key := layout.RunKey(s.job.name, s.item)
		e.unreadable(s.job, s.item, string(failover.CodeFenceAtEnd), key, fmt.Errorf("the fence %d is the last one", s.record.Fence))
		return
	case next.Fence >= s.job.assigned.Ceiling():
		e.raiseFences(s.job, next.Fence)
		return
	}
	next.CarryOn = time.Duration(s.job.spec.CarryOn)
	if e.cfg.Trace != nil && !s.unclaimed {
		next.Trace = e.cfg.Trace(tracing(s, next))
	}
	r := &run{
		shard:   s,
		phase:   failover.PhaseClaiming,
		owner:   next.Owner,
		fence:   next.Fence,
		spec:    s.job.spec,
		total:   len(s.job.assigned.Owners),
		ceiling: s.job.assigned.Ceiling(),
		zone:    s.job.zone,
		first:   next.Fence,
		rev:     revisionOf(s.job),
	}
	if next.Attempt > 1 {
		r.repeats = &repeated{prior: s.prior(), trace: s.record.Trace, why: why}
	}
	if why.Trigger != nil {
		r.traceParent = why.Trigger.TraceParent
	}
	e.setRun(s, r)
	var end *ending
	if why.Action == failover.ActionTakeOver {
		end = e.endLost(s, why.Code, next.Started)
	}
	e.write(s, next, guards, false, end, func() { e.start(s) })
}

// tracing describes the run of a claim.
func tracing(s *shard, next failover.Record) Tracing {
	t := Tracing{
		Job:     s.job.name,
		Shard:   s.item,
		Fire:    next.Time(),
		Attempt: next.Attempt,
		Fence:   next.Fence,
	}
	if next.IsManual() {
		t.Trigger = next.Trigger
	}
	if next.Attempt > 1 {
		t.Previous = s.record.Trace
	}
	return t
}

// complete records how a run ended. The claim may be that of an earlier incarnation: the compare says whether it still holds.
func (e *Engine) complete(s *shard, now time.Time, then func()) {
	r, next := s.run, s.record.Complete(s.run.result, s.run.message, now)
	if e.isFollowed(s.job.name) {
		next = next.Follow()
	}
	e.write(s, next, nil, true, e.endRun(s, r.result, now), func() {
		ev := s.runEvent(observe.Ended)
		ev.Result, ev.Took, ev.Err, ev.Code = string(r.result), r.took, r.err, r.code
		ev.Args = r.args()
		if r.result == failover.ResultSkipped {
			ev.Detail = r.message
		}
		e.emit(ev)
		if s.job.spec != nil {
			e.passOn(s.job)
		}
		e.setRun(s, nil)
		then()
	})
}

// write changes the shard's record by compare-and-swap; then is called if it was applied. end is what it ends; nil: no attempt.
func (e *Engine) write(s *shard, next failover.Record, guards []store.Cond, patient bool, end *ending, then func()) {
	e.loseEnding(s) // there is none: a record is read again before the next write
	s.ending = end
	if end != nil {
		end.next, end.over = next, s.version
	}
	if s.unclaimed {
		s.setRecord(next, 0)
		e.mark(s)
		e.ended(s)
		then()
		return
	}
	key, value := layout.RunKey(s.job.name, s.item), next.Encode()
	op := store.Set(key, value)
	if s.version == 0 {
		op = store.Create(key, value)
	}
	s.busy = true
	m := e.me
	e.send(&e.records, &move{guards: guards, at: s.version, op: op, patient: patient, done: func(v store.Version, err error) {
		s.busy, s.outdated = false, false
		e.mark(s)
		if e.me == m && err == nil {
			s.setRecord(next, v)
			e.ended(s)
			then()
			return
		}
		if err != nil && !mayBeApplied(err, key) {
			s.ending = nil
		}
		e.writeFailed(s, guards, e.me == m, err)
	}})
}

// writeFailed settles what can be said about a write that was not, or perhaps not, applied.
func (e *Engine) writeFailed(s *shard, guards []store.Cond, sameMember bool, err error) {
	unknown := errors.Is(err, store.ErrUnknown)
	if s.run != nil && s.run.phase == failover.PhaseClaiming && !(unknown && sameMember) {
		// Not applied; or applied by an instance that is over: then the record names a dead owner, and is decided
		// on as such.
		e.setRun(s, nil)
	}
	switch {
	case !sameMember, unknown, errors.Is(err, store.ErrSessionLost):
		s.known = false
	case errors.Is(err, store.ErrConflict):
		e.conflicted(s, guards, conflictKey(err))
	}
}

// refused says whether it is one of the guards that no longer held. Then there is a newer version of its key to wait for, or this instance is dead.
func (e *Engine) refused(j *job, guards []store.Cond, key string) bool {
	i := slices.IndexFunc(guards, func(c store.Cond) bool { return c.Key == key })
	switch {
	case i < 0:
		return false
	case key == layout.InstanceKey(e.me.id):
		e.evicted("instance_key_gone", "another instance, or a person, deleted the instance's key")
	default:
		e.await(j, key, guards[i].Version)
	}
	return true
}

// conflicted finds out why a claim was refused. What is known to be old are the versions that guarded it; the watch may have shown
// the new ones meanwhile.
func (e *Engine) conflicted(s *shard, guards []store.Cond, key string) {
	if e.refused(s.job, guards, key) {
		return
	}
	s.known = false
	if key == "" {
		e.doubt(layout.Jobs)
		e.doubt(layout.Assignments)
		e.await(s.job, layout.JobKey(s.job.name), s.job.specVersion)
	}
}
