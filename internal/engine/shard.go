package engine

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/internal/wheel"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// shard is a shard that this instance owns, or still runs.
type shard struct {
	job   *job
	item  int
	alarm alarm
	place wheel.Entry[*shard] // among those that wait for a fire without claims

	owned, was bool      // by assignment, now and before the last refresh
	surplus    bool      // the job has fewer shards by now: its record is to go
	dirty      bool      // it is to be considered
	busy       bool      // a read or write of its record is under way; nothing is decided meanwhile
	blocked    bool      // it waits for another instance's run
	held       bool      // it waits for another run of this instance to end
	limited    time.Time // since when it waits for that without a break, by the monotonic clock; zero: it does not
	gone       bool      // it is no longer among the job's shards

	known    bool          // record and version are what a read or our own last write showed
	outdated bool          // the read that is under way may show an old record
	asOf     store.Version // of the job's assignment, when the read began
	broken   bool          // the record can't be read: it is left alone
	record   failover.Record
	version  store.Version // zero: there is no record yet

	unclaimed bool          // the record is only here, not in the store
	came      time.Time     // and this instance has had the shard since, by the monotonic clock
	run       *run          // what this process does about the shard
	ending    *ending       // a write that ends an attempt and may have been applied; nil: none
	proving   string        // an instance for whose death a proof is sought
	told      time.Time     // the last missed fire that was reported
	rest      *misses       // those that are reported when the next run begins
	delay     time.Duration // how much later than its time a fire begins here
	future    time.Time

	fire, ended firstSeen // the record's times
	changed     time.Time // Since of the policy whose change was looked at
}

func byJob(a, b *shard) int { return cmp.Or(byName(a.job, b.job), cmp.Compare(a.item, b.item)) }

// consider decides what to do with a shard, and does it.
func (e *Engine) consider(s *shard) {
	e.local.wheel.Leave(&s.place)
	if s.busy || s.gone {
		return // if busy, it is considered again when the answer is there
	}
	if !s.owned && s.run == nil {
		e.forget(s)
		return
	}
	if e.me == nil {
		e.unblock(s)
		e.unhold(s)
		e.alarms.set(&s.alarm, time.Time{})
		return // joining marks it
	}
	e.keepRecord(s)
	if !s.known {
		e.wantRecord(s)
		return
	}
	if s.broken {
		return
	}
	e.recognize(s)
	if s.run != nil && s.run.phase != failover.PhaseWorking && !s.claimStands() {
		e.setRun(s, nil) // the claim was not applied, or somebody has taken the run over
		e.mark(s)
		return
	}
	now := e.cfg.Now()
	e.reportFuture(s, now)
	p := s.policy(now)
	v := e.view(s, p, now)
	e.noteDropped(s, p, v)
	e.explainFollower(s, p, v)
	d := failover.Decide(p, v)
	if d.Action != failover.ActionComplete { // which another may have done before
		e.noteMissed(s, p, d)
	}
	e.wait(s, p, d, now)
	if d.Action != failover.ActionBlock {
		e.unblock(s)
	}
	e.act(s, p, d, now)
}

// view is what is known about the shard.
func (e *Engine) view(s *shard, p failover.Policy, now time.Time) failover.View {
	v := failover.View{
		Record: s.record,
		Now:    now,
		Me:     e.me.id,
		Owned:  s.owned,
		Paused: e.cordons.paused,
	}
	if !s.unclaimed {
		v.Cancels = s.job.cancelsOf(s.item)
		v.Trigger = failover.NextTrigger(failover.NotCancelled(s.job.triggers, v.Cancels), s.item, s.record, p)
	}
	if e.replica.alive(s.record.Owner) {
		v.Owner = failover.LivenessAlive
	} else if since, dead := e.dead[s.record.Owner]; dead {
		v.Owner, v.Since = failover.LivenessDead, time.Since(since)
	}
	if s.run != nil {
		v.Local = failover.Local{Phase: s.run.phase, Owner: s.run.owner, Fence: s.run.fence}
	}
	v.Learned = s.learned(now)
	return v
}

// policy is the job's; of a shard that the job no longer has nothing begins, and
// a lost run is not repeated.
func (s *shard) policy(now time.Time) failover.Policy {
	p := s.job.policy
	p.Delay = s.delay
	if spec := s.job.spec; spec != nil {
		p.Disabled = p.Disabled || slices.Contains(spec.DisabledShards, s.item)
		p.Enabled = spec.EnabledSince(s.item)
	}
	if a := s.job.assigned; a != nil {
		p.Grown, p.Passed = a.Grown, a.Triggers
	}
	if s.unclaimed {
		p.Came = moment(s.came, now)
	}
	if s.surplus {
		p.Disabled = true
	}
	return p
}

// claimStands says whether the record is the one that our run's claim wrote.
func (s *shard) claimStands() bool {
	return s.record.State == failover.StateRunning && s.record.Owner == s.run.owner && s.record.Fence == s.run.fence
}

func (e *Engine) act(s *shard, p failover.Policy, d failover.Decision, now time.Time) {
	begins := d.Action == failover.ActionBegin || d.Action == failover.ActionTakeOver
	if begins && e.full(s.job) {
		fire := d.Fire
		if d.Action == failover.ActionTakeOver {
			fire = s.record.Fire
		}
		e.hold(s, limitPeriod(p, fire))
		return
	}
	if !begins {
		e.unhold(s)
	}
	switch d.Action {
	case failover.ActionBegin:
		if s.unclaimed {
			e.beginDue(s, p, d.Fire, now) // it has no triggers
			break
		}
		if d.Trigger != nil {
			e.claim(s, d, s.record.BeginTrigger(*d.Trigger, e.me.id, now), s.job.guards)
			return
		}
		e.claim(s, d, s.record.Begin(d.Fire, e.me.id, now), s.job.ofFires)
	case failover.ActionTakeOver:
		e.claim(s, d, s.record.TakeOver(e.me.id, now), s.job.guards)
	case failover.ActionStart:
		e.start(s)
	case failover.ActionComplete:
		if d.Missed.IsZero() {
			e.complete(s, now, func() {})
			break
		}
		e.completeMissing(s, p, d, now)
	case failover.ActionHandOver:
		r := s.run
		e.write(s, s.record.HandOver(), nil, true, e.endRun(s, history.ResultHandedOver, now), func() {
			ev := s.runEvent(observe.HandedOver)
			ev.Code, ev.Err = r.code, r.err
			ev.Took = r.took
			e.emit(ev)
			e.setRun(s, nil)
		})
	case failover.ActionAbandon:
		e.abandon(s, d, now)
	case failover.ActionProveDeath:
		e.prove(s, s.record.Owner)
	case failover.ActionBlock:
		e.block(s)
	case failover.ActionCancel:
		e.cancelRun(s.run, causeOf(d))
	case failover.ActionReclaim:
		e.reclaim(s)
	case failover.ActionCancelLost:
		e.cancelRun(s.run, ErrSessionLost)
	case failover.ActionWait:
		e.tidy(s)
	}
	if begins && s.run != nil { // a claim can wait for a newer assignment
		e.unhold(s)
	}
}

// completeMissing records how a run ended during which fires were missed. What
// a function literal captures is on the heap from the begin of the function
// around it, so act must have none that captures policies or decisions.
//
//go:noinline
func (e *Engine) completeMissing(s *shard, p failover.Policy, d failover.Decision, now time.Time) {
	e.complete(s, now, func() { e.noteMissed(s, p, d) })
}

// abandon gives up the run of a dead owner.
//
//go:noinline
func (e *Engine) abandon(s *shard, d failover.Decision, now time.Time) {
	prior := s.prior()
	if s.job.awaiting() {
		return
	}
	next := s.record.Abandon(now)
	if d.Code == failover.CodeCancelled {
		next = s.record.Cancelled(d.Args, now)
	}
	if e.isFollowed(s.job.name) {
		next = next.Follow()
	}
	e.write(s, next, s.job.guards, true, e.endLost(s, d.Code, now), func() {
		ev := s.event(observe.Abandoned)
		ev.Subject, ev.Prior = prior.Owner, prior
		ev.Result = string(next.Result)
		if s.job.assigned != nil {
			ev.Total = len(s.job.assigned.Owners)
		}
		ev.Code, ev.Args, ev.Detail = string(d.Code), maps.Clone(d.Args), d.Reason
		e.emit(ev)
	})
}

// awaiting says whether the guards are known to be out of date.
func (j *job) awaiting() bool { return len(j.awaits) > 0 }

// tidy removes the record of a shard that the job no longer has, once nothing runs there.
func (e *Engine) tidy(s *shard) {
	if !s.surplus || s.run != nil {
		return
	}
	switch {
	case s.version == 0 && s.asOf != s.job.assignedVersion:
		s.known = false // the job may have had the shard again meanwhile, and others run it
		e.mark(s)
	case s.version == 0:
		if s.job.swept == nil {
			s.job.swept = map[int]bool{}
		}
		s.job.swept[s.item] = true // when all are, the assignment says so
		s.owned = false
		e.suspect(s.job)
		e.forget(s)
	case s.record.State == failover.StateRunning:
		e.block(s) // its owner finishes first
	case !s.job.awaiting():
		s.busy = true
		asOf, guards, m := s.job.assignedVersion, s.job.guards, e.me
		e.send(&e.records, &move{guards: guards, at: s.version, op: store.Delete(layout.RunKey(s.job.name, s.item)), patient: true,
			done: func(_ store.Version, err error) {
				s.busy, s.outdated = false, false
				e.mark(s)
				if err == nil {
					s.setRecord(failover.Record{}, 0)
					s.asOf = asOf
					return
				}
				e.writeFailed(s, guards, e.me == m, err)
				s.known = false
			}})
	}
}

// forget drops a shard that this instance neither owns nor runs.
//
// Answers that are still on their way may name it afterwards: gone keeps them from disturbing the shard of the same number that
// may have come since.
func (e *Engine) forget(s *shard) {
	s.gone = true
	e.local.wheel.Leave(&s.place)
	e.loseEnding(s)
	e.unblock(s)
	e.unhold(s)
	e.alarms.set(&s.alarm, time.Time{})
	delete(s.job.shards, s.item)
	if s.job.removed {
		e.touch(s.job)
	}
}

func (e *Engine) reportFuture(s *shard, now time.Time) {
	learned := s.fire.learned(now)
	if failover.InFuture(s.record, learned) && !s.future.Equal(s.record.Fire) {
		s.future = s.record.Fire
		ev := s.event(observe.FutureFire)
		ev.Code = "fire_in_future"
		ev.Args = map[string]string{"counts_as": learned.UTC().Format(time.RFC3339)}
		ev.Detail = "it was written by a clock that is ahead of this one, and counts as " + learned.UTC().Format(time.RFC3339) + "; fires before that are not made up for"
		e.emit(ev)
	}
}

// event is an event about the shard's record.
func (s *shard) event(kind observe.Kind) observe.Event {
	ev := observe.Event{
		Kind:    kind,
		Job:     s.job.name,
		Shard:   s.item,
		Fire:    s.record.Time(),
		Due:     s.due(),
		Attempt: s.record.Attempt,
		Fence:   s.record.Fence,
	}
	if s.record.IsManual() {
		ev.Trigger = s.record.Trigger
	}
	if s.unclaimed {
		ev.Fence = 0 // as Run.Fence of its handler
	}
	return ev
}

// runEvent is an event about the run of the shard that this instance has
// started.
func (s *shard) runEvent(kind observe.Kind) observe.Event {
	ev, r := s.event(kind), s.run
	if r == nil || r.began.IsZero() {
		return ev
	}
	ev.Started = r.began
	ev.Total = r.total
	ev.Rev = r.rev
	ev.Retries = r.retries
	if !ev.Due.IsZero() {
		ev.Late = max(r.began.Sub(ev.Due), 0)
	}
	return ev
}

// due returns when the run of the record should have begun. It is zero for a
// job that follows others: the end of their runs is not in the record.
func (s *shard) due() time.Time {
	rec := s.record
	switch {
	case rec.IsManual():
		return rec.Manual.At
	case rec.Fire.IsZero(), s.job.spec != nil && len(s.job.spec.After) > 0:
		return time.Time{}
	}
	return rec.Fire.Add(s.delay)
}

// prior returns the attempt that the record shows, for an event that tells what
// became of it.
func (s *shard) prior() observe.Prior {
	if s.record.State != failover.StateRunning {
		return observe.Prior{}
	}
	p := observe.Prior{
		Owner:   s.record.Owner,
		Fence:   s.record.Fence,
		Attempt: s.record.Attempt,
		Started: s.record.Started,
	}
	if s.unclaimed {
		p.Fence = 0
	}
	return p
}
