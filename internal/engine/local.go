package engine

import (
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/internal/wheel"
	"github.com/elasticjob-go/elastic/observe"
)

// Fires of jobs without claims have a short way from fire to fire. Nothing is
// written for them, so in the ordinary case nothing is to be decided either: a
// fire is due, the run before it has ended, and no limit is reached.
//
// A shard is on this way while it is in the wheel. It is put there by consider,
// after Decide has said that it waits for a fire. Whatever changes after that,
// the job, the assignment, the clock, the session, marks the shard, and consider
// takes it off. So a shard in the wheel that is not marked is as it was when
// Decide was asked, and when its fire comes the answer is known: begin it.
// Everything else is left to consider: several fires that are due, a run that
// goes on, an error, a limit. Only a process that falls behind begins the last
// of several fires on this way, too, or it would fall behind further.

// local is the short way.
type local struct {
	wheel wheel.Wheel[*shard]
	begun []*run // that were not given to the pool
}

// poolBatch is how many runs are given to the pool at a time. The first
// handlers run while the loop begins the next runs.
const poolBatch = 64

// wait sets the time at which a shard is considered again, or puts it into the
// wheel.
func (e *Engine) wait(s *shard, p failover.Policy, d failover.Decision, now time.Time) {
	if e.joinWheel(s, p, d, now) {
		e.alarms.set(&s.alarm, time.Time{})
		return
	}
	e.alarms.set(&s.alarm, d.Wake)
}

// joinWheel puts a shard into the wheel that waits for its next fire, and for
// nothing else. It reports whether it has.
func (e *Engine) joinWheel(s *shard, p failover.Policy, d failover.Decision, now time.Time) bool {
	atRest := s.unclaimed && s.run == nil && s.rest == nil && s.limited.IsZero()
	if !atRest || d.Code != failover.CodeNoFireDue || d.Wake.IsZero() || p.AfterEnd || s.job.timetable == "" {
		return false
	}
	if failover.InFuture(s.record, s.fire.learned(now)) {
		return false // a fire that has begun by a wrong clock must not begin again
	}
	kind := wheel.Kind{ID: s.job.timetable, Delay: s.delay}
	return e.local.wheel.Join(&s.place, kind, p.Schedule, d.Wake.Add(-s.delay))
}

// ringLocal begins what is due in the wheel. Nothing must be marked.
func (e *Engine) ringLocal(now time.Time) {
	if next := e.local.wheel.Next(); next.IsZero() || next.After(now) {
		return
	}
	at := moments{wall: now, monotonic: time.Now()}
	e.local.wheel.Ring(now, func(s *shard, d wheel.Due) { e.beginLocal(s, d, at) }, e.mark)
	e.giveBegun()
}

// moments are one moment by the wall clock of the instance and by the monotonic
// clock.
type moments struct{ wall, monotonic time.Time }

// beginLocal begins a fire of a shard in the wheel, or lets consider see to it.
func (e *Engine) beginLocal(s *shard, d wheel.Due, at moments) {
	p := &s.job.policy
	late := at.wall.Sub(d.Fire) - s.delay
	most := p.MaxLate()
	several := !d.First.Equal(d.Fire)
	if s.run != nil || s.job.awaiting() || e.full(s.job) || most > 0 && late > most ||
		several && p.Misfire == failover.MisfireAll {
		e.local.wheel.Leave(&s.place)
		e.mark(s)
		return
	}
	if several {
		e.noteMissed(s, s.policy(at.wall), failover.Decision{
			Action:       failover.ActionBegin,
			Fire:         d.Fire,
			Missed:       d.First,
			MissedBefore: d.Fire,
			MissedCode:   failover.CodeMissedSuperseded,
		})
	}
	e.beginUnclaimed(s, d.Fire, at)
}

// beginDue begins a fire of a shard without claims that consider has found due,
// and puts the shard into the wheel for the fires after it.
func (e *Engine) beginDue(s *shard, p failover.Policy, fire, now time.Time) {
	if s.job.awaiting() {
		return // the job's refresh marks the shard again
	}
	e.beginUnclaimed(s, fire, moments{wall: now, monotonic: time.Now()})
	next := time.Time{}
	if s.rest == nil && !p.AfterEnd && s.job.timetable != "" {
		next = p.Schedule.Next(fire)
	}
	kind := wheel.Kind{ID: s.job.timetable, Delay: s.delay}
	if next.IsZero() || !e.local.wheel.Join(&s.place, kind, p.Schedule, next) {
		e.mark(s) // it looks for the next fire by itself
	}
}

// beginUnclaimed begins a fire of a shard without claims.
func (e *Engine) beginUnclaimed(s *shard, fire time.Time, at moments) {
	assigned := s.job.assigned
	next := s.record.Begin(fire, e.me.id, at.wall)
	next.Trigger = max(next.Trigger, assigned.Triggers)
	next.Fence = max(next.Fence, assigned.Fences)
	r := &run{
		shard: s,
		owner: next.Owner,
		fence: next.Fence,
		first: next.Fence,
		rev:   revisionOf(s.job),
		spec:  s.job.spec,
		total: len(assigned.Owners),
		zone:  s.job.zone,
	}
	e.setRun(s, r)
	s.keepLocal(next, at.monotonic)
	e.prepare(s, at)
	e.local.begun = append(e.local.begun, r)
	if len(e.local.begun) == poolBatch {
		e.giveBegun()
	}
}

// giveBegun gives the runs that have begun to the pool.
func (e *Engine) giveBegun() {
	e.handlers.Add(e.local.begun...)
	clear(e.local.begun)
	e.local.begun = e.local.begun[:0]
}

// endLocal ends the run of a shard without claims whose handler has returned
// nil. It reports false, and does nothing, if there is more to decide.
func (e *Engine) endLocal(r *run, at moments) bool {
	s := r.shard
	succeeded := r.outcome.class == classDone && r.cause == nil
	asItWas := s.run == r && s.unclaimed && s.owned && !s.surplus && !s.dirty && !s.job.stale
	if !succeeded || !asItWas || e.me == nil || r.owner != e.me.id || e.isFollowed(s.job.name) {
		return false
	}
	// If the next fire is due already, it has come during the run.
	waits := s.place.Due().After(at.wall)
	if !waits && s.job.policy.Overlap == failover.OverlapSkip {
		return false // it is to be reported as missed
	}
	e.working--
	if r.stuck {
		e.meter.stuck--
	}
	r.phase = failover.PhaseFinished
	r.result = failover.ResultSucceeded
	r.retries = r.outcome.retries
	end := e.endRun(s, r.result, at.wall)
	s.keepLocal(s.record.Complete(r.result, "", at.wall), at.monotonic)
	if end != nil {
		e.cfg.Journal.EndRun(end.run, end.live)
	}
	if e.cfg.Observe != nil {
		ev := s.runEvent(observe.Ended)
		ev.Result = string(r.result)
		ev.Took = r.took
		e.emit(ev)
	}
	e.passOn(s.job)
	e.setRun(s, nil)
	if !waits {
		e.mark(s)
	}
	return true
}

// keepLocal keeps the record of a shard without claims. Its times are of this
// moment, by this instance's clock.
func (s *shard) keepLocal(r failover.Record, now time.Time) {
	s.record = r
	s.fire = firstSeen{value: r.Fire, seen: now}
	s.ended = firstSeen{value: r.Ended, seen: now}
}

// timetableOf returns a text that is the same for specs whose schedules have the
// same fires for ever. It is empty if there is none.
func timetableOf(spec *layout.Spec) string {
	if len(spec.After) > 0 || spec.Schedule == layout.Manual {
		return ""
	}
	parts := []string{spec.Schedule, spec.TimeZone}
	for _, t := range []time.Time{spec.Start, spec.End} {
		parts = append(parts, t.UTC().Format(time.RFC3339Nano))
	}
	return strings.Join(append(parts, spec.Except...), "\n")
}
