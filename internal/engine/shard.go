package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// shard is a shard that this instance owns, or still runs.
type shard struct {
	job   *job
	item  int
	alarm alarm

	owned, was bool // by assignment, now and before the last refresh
	surplus    bool // the job has fewer shards by now: its record is to go
	dirty      bool // it is to be considered
	busy       bool // a read or write of its record is under way; nothing is decided meanwhile
	blocked    bool // it waits for another instance's run
	held       bool // it waits for another run of this instance to end
	gone       bool // it is no longer among the job's shards

	known    bool          // record and version are what a read or our own last write showed
	outdated bool          // the read that is under way may show an old record
	asOf     store.Version // of the job's assignment, when the read began
	broken   bool          // the record can't be read: it is left alone
	record   failover.Record
	version  store.Version // zero: there is no record yet

	unclaimed bool      // the record is only here, not in the store
	since     time.Time // and this instance has had the shard since
	run       *run      // what this process does about the shard
	proving   string    // an instance for whose death a proof is sought
	missed    time.Time
	delay     time.Duration // how much later than its time a fire begins here
	future    time.Time
}

func byJob(a, b *shard) int { return cmp.Or(byName(a.job, b.job), cmp.Compare(a.item, b.item)) }

// consider decides what to do with a shard, and does it.
func (e *Engine) consider(s *shard) {
	if s.busy || s.gone {
		return // if busy, it is considered again when the answer is there
	}
	if !s.owned && s.run == nil {
		e.forget(s)
		return
	}
	if e.me == nil || e.pause.on {
		e.unblock(s)
		e.alarms.set(&s.alarm, time.Time{})
		if e.pause.on {
			e.later(func() { e.mark(s) })
		}
		return // joining, or the end of the pause, marks it
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
	if s.run != nil && s.run.phase != failover.Working && !s.claimStands() {
		e.setRun(s, nil) // the claim was not applied, or somebody has taken the run over
		e.mark(s)
		return
	}
	now := e.cfg.Now()
	e.reportFuture(s, now)
	d := failover.Decide(s.policy(), e.view(s, now))
	e.reportMissed(s, d)
	e.alarms.set(&s.alarm, d.Wake)
	if d.Action != failover.Block {
		e.unblock(s)
	}
	e.act(s, d, now)
}

// view is what is known about the shard.
func (e *Engine) view(s *shard, now time.Time) failover.View {
	v := failover.View{Record: s.record, Now: now, Me: e.me.id, Owned: s.owned}
	if !s.unclaimed {
		v.Trigger = failover.NextTrigger(s.job.triggers, s.item, s.record, s.policy())
	}
	if e.replica.alive(s.record.Owner) {
		v.Owner = failover.Alive
	} else if since, dead := e.dead[s.record.Owner]; dead {
		v.Owner, v.Since = failover.Dead, time.Since(since)
	}
	if s.run != nil {
		v.Local = failover.Local{Phase: s.run.phase, Owner: s.run.owner, Fence: s.run.fence}
	}
	return v
}

// policy is the job's; of a shard that the job no longer has nothing begins, and a lost run is not repeated.
func (s *shard) policy() failover.Policy {
	p := s.job.policy
	p.Delay = s.delay
	if spec := s.job.spec; spec != nil {
		p.Disabled = p.Disabled || slices.Contains(spec.DisabledShards, s.item)
		if at := spec.EnabledShards[s.item]; at.After(p.Since) {
			p.Since = at
		}
	}
	if s.unclaimed && s.since.After(p.Since) {
		p.Since = s.since
	}
	if a := s.job.assigned; a != nil && a.Grown.After(p.Grown) {
		p.Grown = a.Grown
	}
	if s.surplus {
		p.Disabled = true
	}
	return p
}

// claimStands says whether the record is the one that our run's claim wrote.
func (s *shard) claimStands() bool {
	return s.record.State == failover.Running && s.record.Owner == s.run.owner && s.record.Fence == s.run.fence
}

func (e *Engine) act(s *shard, d failover.Decision, now time.Time) {
	if (d.Action == failover.Begin || d.Action == failover.TakeOver) && e.full(s.job) {
		e.hold(s)
		return
	}
	switch d.Action {
	case failover.Begin:
		if d.Trigger != nil {
			e.claim(s, s.record.BeginTrigger(*d.Trigger, e.me.id, now))
			return
		}
		e.claim(s, s.record.Begin(d.Fire, e.me.id, now))
	case failover.TakeOver:
		e.claim(s, s.record.TakeOver(e.me.id, now))
	case failover.Start:
		e.start(s)
	case failover.Complete:
		e.complete(s, now)
	case failover.HandOver:
		e.write(s, s.record.HandOver(), nil, true, func() {
			e.emit(s.event(observe.HandedOver))
			e.setRun(s, nil)
		})
	case failover.Abandon:
		owner := s.record.Owner
		if s.job.awaiting() {
			return
		}
		next := s.record.Abandon(now)
		if e.isFollowed(s.job.name) {
			next = next.Follow()
		}
		e.write(s, next, s.job.guards, true, func() {
			ev := s.event(observe.Abandoned)
			ev.Subject, ev.Detail, ev.Result = owner, d.Reason, string(failover.Lost)
			e.emit(ev)
		})
	case failover.ProveDeath:
		e.prove(s, s.record.Owner)
	case failover.Block:
		e.block(s)
	case failover.Cancel:
		s.run.cancel(ErrReplaced)
	case failover.Reclaim:
		e.reclaim(s)
	case failover.GiveUp:
		s.run.cancel(ErrSessionLost)
	case failover.Wait:
		e.tidy(s)
	}
}

// awaiting says whether the guards are known to be out of date.
func (j *job) awaiting() bool { return len(j.awaits) > 0 }

// claim writes a record that makes the run ours, and starts the handler once it is.
func (e *Engine) claim(s *shard, next failover.Record) {
	if s.job.awaiting() {
		return // the job's refresh marks the shard again
	}
	if s.version == 0 {
		// The job may have had the shard before.
		next.Fence = max(next.Fence, s.job.assigned.Fences)
		next.Trigger = max(next.Trigger, failover.PassedOver(s.job.triggers, s.policy()))
	}
	next.CarryOn = time.Duration(s.job.spec.CarryOn)
	e.setRun(s, &run{phase: failover.Claiming, owner: next.Owner, fence: next.Fence, previous: s.record.Owner, spec: s.job.spec, total: len(s.job.assigned.Owners), zone: s.job.zone, live: new(Live)})
	e.write(s, next, s.job.guards, false, func() { e.start(s) })
}

// complete records how a run ended. The claim may be that of an earlier incarnation: the compare says whether it still holds.
func (e *Engine) complete(s *shard, now time.Time) {
	r, next := s.run, s.record.Complete(s.run.result, s.run.message, now)
	if e.isFollowed(s.job.name) {
		next = next.Follow()
	}
	e.write(s, next, nil, true, func() {
		ev := s.event(observe.Ended)
		ev.Result, ev.Took, ev.Err = string(r.result), r.took, r.err
		e.emit(ev)
		if s.job.spec != nil {
			e.passOn(s.job)
		}
		e.setRun(s, nil)
	})
}

// write changes the shard's record by compare-and-swap; then is called if it was applied.
func (e *Engine) write(s *shard, next failover.Record, guards []store.Cond, patient bool, then func()) {
	if s.unclaimed {
		s.record, s.version = next, 0
		e.mark(s)
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
			s.record, s.version = next, v
			then()
			return
		}
		e.writeFailed(s, guards, e.me == m, err)
	}})
}

// writeFailed settles what can be said about a write that was not, or perhaps not, applied.
func (e *Engine) writeFailed(s *shard, guards []store.Cond, sameMember bool, err error) {
	unknown := errors.Is(err, store.ErrUnknown)
	if s.run != nil && s.run.phase == failover.Claiming && !(unknown && sameMember) {
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

// conflicted finds out why a claim was refused. What is known to be old are the versions that guarded it; the watch may have shown
// the new ones meanwhile.
func (e *Engine) conflicted(s *shard, guards []store.Cond, key string) {
	j := s.job
	switch key {
	case layout.JobKey(j.name):
		e.await(j, layout.Jobs, versionOf(guards, key))
	case layout.AssignmentKey(j.name):
		e.await(j, layout.Assignments, versionOf(guards, key))
	case layout.InstanceKey(e.me.id):
		e.evicted("the instance's key was deleted by somebody else")
	case "":
		s.known = false
		e.doubt(layout.Jobs)
		e.doubt(layout.Assignments)
		e.await(j, layout.Jobs, j.specVersion)
	default:
		s.known = false
	}
}

// versionOf returns the version of a key that guards ask for.
func versionOf(guards []store.Cond, key string) store.Version {
	for _, c := range guards {
		if c.Key == key {
			return c.Version
		}
	}
	return 0
}

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
		s.job.swept[s.item] = true // when all are, the assignment says so
		s.owned = false
		e.suspect(s.job)
		e.forget(s)
	case s.record.State == failover.Running:
		e.block(s) // its owner finishes first
	case !s.job.awaiting():
		s.busy = true
		asOf, guards := s.job.assignedVersion, s.job.guards
		e.send(&e.records, &move{guards: guards, at: s.version, op: store.Delete(layout.RunKey(s.job.name, s.item)), patient: true,
			done: func(_ store.Version, err error) {
				s.busy, s.outdated = false, false
				e.mark(s)
				if err == nil {
					s.record, s.version, s.asOf = failover.Record{}, 0, asOf
					return
				}
				e.writeFailed(s, guards, true, err)
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
	e.unblock(s)
	e.alarms.set(&s.alarm, time.Time{})
	delete(s.job.shards, s.item)
	if s.job.removed {
		e.touch(s.job)
	}
}

// prove finds out by a linearizable read whether an instance is dead. Its ID never comes back, so if its key is absent the
// answer holds for ever. Shards that ask for the same instance share the read.
func (e *Engine) prove(s *shard, id string) {
	if s.proving == id {
		return
	}
	s.proving = id
	waiting := e.proofs[id]
	e.proofs[id] = append(waiting, s)
	if len(waiting) > 0 {
		return
	}
	e.background(func(ctx context.Context) {
		_, err := e.cfg.Store.Get(ctx, layout.InstanceKey(id))
		e.post(func() { e.proven(id, err) })
	})
}

func (e *Engine) proven(id string, err error) {
	shards := e.proofs[id]
	delete(e.proofs, id)
	again := func() {
		for _, s := range shards {
			s.proving = ""
			e.mark(s)
		}
	}
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrInvalid): // no instance can have an ID that is no key
		if len(e.dead) >= rememberedDead {
			clear(e.dead) // they are proven again when they are asked for
		}
		e.dead[id] = time.Now()
		again()
	case err == nil:
		e.after(proveAgain, again) // it lives; the watch has not shown it yet
	default:
		e.troubled("read instance "+id, err)
		e.later(again)
	}
}

// rememberedDead bounds how many proofs are kept.
const rememberedDead = 1000

// proveAgain is the time after which an instance that the watch has not shown is asked for again.
const proveAgain = time.Second

func (e *Engine) reportMissed(s *shard, d failover.Decision) {
	if d.Missed.IsZero() || d.Missed.Equal(s.missed) || s.surplus {
		return
	}
	s.missed = d.Missed
	ev := observe.Event{Kind: observe.Missed, Job: s.job.name, Shard: s.item, Fire: d.Missed, Detail: "misfire " + string(s.job.policy.Misfire) + ", overlap " + string(s.job.policy.Overlap)}
	if !d.Fire.IsZero() {
		ev.Detail += "; the fire of " + d.Fire.Format(time.RFC3339) + " runs"
	}
	e.emit(ev)
}

func (e *Engine) reportFuture(s *shard, now time.Time) {
	if failover.InFuture(s.record, now) && !s.future.Equal(s.record.Fire) {
		s.future = s.record.Fire
		ev := s.event(observe.FutureFire)
		ev.Detail = "it was written by a clock that is ahead of this one, and counts as now"
		e.emit(ev)
	}
}

// event is an event about the shard's record.
func (s *shard) event(kind observe.Kind) observe.Event {
	ev := observe.Event{Kind: kind, Job: s.job.name, Shard: s.item, Fire: s.record.Time(), Attempt: s.record.Attempt, Fence: s.record.Fence}
	if s.record.IsManual() {
		ev.Trigger = s.record.Trigger
	}
	return ev
}
