package checker

import (
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// record checks that a write to a record is one of the transitions, by one who
// may.
func (a *Audit) record(s *Shard, op store.Op) {
	old, there := s.Record, s.there
	if op.Kind == store.OpDelete {
		s.Record, s.there, s.reborn, s.since = failover.Record{}, false, a.now.Time, time.Time{}
		a.removed(s, old)
		a.ends(s.Job)
		return
	}
	now, err := failover.Decode(op.Value)
	if err != nil {
		a.breach(8, s.Job, s.Item, "a record that can't be read: %v", err)
		return
	}
	if s.Record, s.there = now, true; !there {
		s.since = a.now.Time
	}
	if there && !a.guarded(op.Key, true) {
		a.breach(1, s.Job, s.Item, "the record was written without a look at its version: from %s to %s", old, now)
	}
	a.sessioned(1, s.Job, s.Item, op.Key)
	switch {
	case now.State == failover.StateIdle && now.Result == failover.ResultLost:
		a.abandoned(s, old, now)
	case now.State == failover.StateIdle && now.Result == failover.ResultCancelled:
		a.cancelled(s, old, now)
	case now.State == failover.StateIdle:
		a.completed(s, old, now)
	case now.Owner == "":
		a.handedOver(s, old, now)
	case a.reclaims(old, now):
		a.reclaimed(s, old, now)
	case now.Attempt == 1:
		a.claimed(s, old, now)
		a.begun(s, old, now)
	default:
		a.claimed(s, old, now)
		a.takenOver(s, old, now)
	}
	if now.Fence < s.fence {
		a.breach(1, s.Job, s.Item, "the fence %d is smaller than one before it, %d", now.Fence, s.fence)
	}
	s.fence = max(s.fence, now.Fence)
}

// claimed checks what begin and take over have in common: the guards, and what
// they guard.
func (a *Audit) claimed(s *Shard, old, now failover.Record) {
	job, owner := s.Job, now.Owner
	spec, assigned := a.specs[job], a.assigned[job]
	if now.Fence <= s.fence {
		a.breach(1, job, s.Item, "claimed with the fence %d, and there was %d before: from %s to %s", now.Fence, s.fence, old, now)
	}
	if doc := a.jobs[job]; doc != nil && now.Fence < doc.Fences {
		a.breach(1, job, s.Item, "claimed with the fence %d, and the job has the floor %d", now.Fence, doc.Fences)
	}
	if !a.Alive(owner) || a.clients[owner] != a.now.Client {
		a.breach(1, job, s.Item, "claimed for %s, which is not alive, or another process", owner)
	} else if !a.guarded(layout.InstanceKey(owner), false) {
		a.breach(1, job, s.Item, "claimed without a guard on the claimer's own key")
	}
	if spec == nil || spec.Disabled || slices.Contains(spec.DisabledShards, s.Item) {
		a.breach(7, job, s.Item, "claimed for a job that is disabled or not there: %+v", spec)
	} else if !a.guarded(layout.JobKey(job), true) {
		a.breach(7, job, s.Item, "claimed without a guard on the job's spec")
	}
	if spec != nil && (assigned == nil || !fits(spec, assigned) || s.Item >= len(assigned.Owners) || assigned.Owners[s.Item] != owner) {
		a.breach(6, job, s.Item, "claimed by %s, which does not own it: assigned is %+v, the spec has %d shards", owner, assigned, spec.Shards)
	} else if !a.guarded(layout.AssignmentKey(job), true) {
		a.breach(6, job, s.Item, "claimed without a guard on the assignment")
	}
	total := 0
	if assigned != nil {
		total = len(assigned.Owners)
	}
	if spec != nil {
		a.asTold(s, spec, now)
	}
	d := a.outranks(s, now)
	s.Claims[now.Fence] = Claim{
		Time:     a.now.Time,
		Client:   a.now.Client,
		Fire:     now.Time(),
		Trigger:  triggerOf(now),
		Attempt:  now.Attempt,
		Total:    total,
		Trace:    now.Trace,
		Division: d.number,
		Order:    d.claims,
	}
	f := s.fate(now)
	if f == nil {
		f = &Fate{Fire: now.Time(), Begun: a.now.Time}
		if now.IsManual() {
			s.Asked[now.Trigger] = f
		} else {
			s.Fires[now.Fire.Unix()] = f
		}
	}
	f.Attempts, f.Result = now.Attempt, ""
}

func triggerOf(r failover.Record) uint64 {
	if r.IsManual() {
		return r.Trigger
	}
	return 0
}

// fate returns that of the record's fire or trigger; nil if it was never begun.
func (s *Shard) fate(r failover.Record) *Fate {
	if r.IsManual() {
		return s.Asked[r.Trigger]
	}
	return s.Fires[r.Fire.Unix()]
}

// forgets says whether a shard may repeat fires: see Skew and Wrong.
func (a *Audit) forgets(s *Shard) bool {
	return !s.reborn.IsZero() && (a.Wrong || a.Skew >= time.Millisecond)
}

// reclaims says whether a process claims anew what it runs itself, after it has
// lost a session.
func (a *Audit) reclaims(old, now failover.Record) bool {
	return old.State == failover.StateRunning && old.Owner != "" && now.Attempt == old.Attempt && sameWork(old, now) && a.clients[old.Owner] == a.clients[now.Owner]
}

// reclaimed checks that a run goes on under a new claim: by the same process,
// in another session. The one before may still live in the store, if the
// process gave it up because it could not be sure of it.
func (a *Audit) reclaimed(s *Shard, old, now failover.Record) {
	switch {
	case old.CarryOn == 0:
		a.breach(1, s.Job, s.Item, "claimed anew, and it may not outlive its session: from %s to %s", old, now)
	case now.Owner == old.Owner:
		a.breach(1, s.Job, s.Item, "claimed anew by %s, which has the claim: to %s", old.Owner, now)
	case !a.Alive(now.Owner) || a.clients[now.Owner] != a.now.Client:
		a.breach(1, s.Job, s.Item, "claimed anew for %s, which is not alive, or another process", now.Owner)
	case now.Fence != old.Fence+1:
		a.breach(1, s.Job, s.Item, "claimed anew with the fence %d after %d", now.Fence, old.Fence)
	}
	a.traced(s, old, now)
	a.outrankedStill(s, now)
	s.Claims[now.Fence] = s.Claims[old.Fence]
}

func (a *Audit) begun(s *Shard, old, now failover.Record) {
	if f := s.fate(now); f.Begun != a.now.Time && (now.IsManual() || !a.Wrong && !(a.forgets(s) && f.Begun.Before(s.reborn) && f.Fire.After(s.reborn.Add(-2*a.Skew)))) {
		a.breach(2, s.Job, s.Item, "begins twice, first at %s: %s", f.Begun.Format(clock), now)
	}
	if old.State != failover.StateIdle {
		a.breach(1, s.Job, s.Item, "begun while it runs: from %s to %s", old, now)
	}
	switch {
	case now.IsManual() && (now.Trigger <= old.Trigger || !now.Fire.Equal(old.Fire)):
		a.breach(2, s.Job, s.Item, "a trigger out of order, or one that changes what the schedule has: from %s to %s", old, now)
	case !now.IsManual() && now.Trigger != old.Trigger && old.Fence != 0: // who is new passes over what was before
		a.breach(2, s.Job, s.Item, "a fire forgets a trigger: from %s to %s", old, now)
	case !now.IsManual() && !now.Fire.After(old.Fire) && !a.Wrong && !failover.InFuture(old, a.now.Time):
		a.breach(2, s.Job, s.Item, "the fire of %s begins after that of %s", now.Fire.Format(clock), old.Fire.Format(clock))
	case !now.IsManual() && !a.Wrong && now.Fire.Before(a.changed[s.Job].Add(-a.Skew-underWay)):
		a.breach(2, s.Job, s.Item, "the fire of %s begins by a change of %s: %s", now.Fire.Format(clock), a.changed[s.Job].Format(clock), now)
	}
}

// underWay bounds how long a change of a job is on its way to the store: the
// time in it is that at which its writer asked.
const underWay = 3 * time.Second

// decidesAs reports whether two jobs pick the same fires of the past. After a
// change of that no fire from before it may begin: it was missed, or will be
// reported as such.
func decidesAs(s, o *layout.Spec) bool {
	return s.Misfire == o.Misfire && s.MisfireWindow == o.MisfireWindow && s.Overlap == o.Overlap && slices.Equal(s.Except, o.Except)
}

func (a *Audit) takenOver(s *Shard, old, now failover.Record) {
	spec := a.specs[s.Job]
	switch {
	case old.State != failover.StateRunning || now.Attempt != old.Attempt+1 || !sameWork(old, now):
		a.breach(3, s.Job, s.Item, "taken over from %s to %s", old, now)
	case old.Owner != "" && a.Alive(old.Owner): // also itself: a claim of its own that it does not know it could only have forgotten
		a.breach(3, s.Job, s.Item, "taken over from %s, which is alive: to %s", old.Owner, now)
	case a.now.Time.Sub(a.died[old.Owner]) < old.CarryOn && a.clients[old.Owner] != a.now.Client:
		a.breach(3, s.Job, s.Item, "taken over from %s, which has %s to come back: to %s", old.Owner, old.CarryOn, now)
	case spec != nil && !spec.Failover:
		a.breach(3, s.Job, s.Item, "taken over, and the job has no failover: to %s", now)
	case spec != nil && old.Attempt-old.HandOvers >= spec.MaxAttempts:
		a.breach(3, s.Job, s.Item, "taken over after %d attempts, %d of them handed over, of at most %d", old.Attempt, old.HandOvers, spec.MaxAttempts)
	}
}

// sameWork says whether two records are of one fire, or of one trigger.
func sameWork(a, b failover.Record) bool {
	return a.Fire.Equal(b.Fire) && a.Trigger == b.Trigger && a.IsManual() == b.IsManual() && a.Time().Equal(b.Time())
}

// mine checks that the run belongs to the process that ends it.
func (a *Audit) mine(s *Shard, what string, old, now failover.Record) {
	if old.State != failover.StateRunning || now.Fence != old.Fence || !sameWork(old, now) || a.clients[old.Owner] != a.now.Client {
		a.breach(3, s.Job, s.Item, "%s by one whose run it is not: from %s to %s", what, old, now)
	}
	a.traced(s, old, now)
}

// traced checks that a run keeps the trace of its claim.
func (a *Audit) traced(s *Shard, old, now failover.Record) {
	if now.Trace != old.Trace {
		a.breach(3, s.Job, s.Item, "the trace %q became %q after the claim: from %s to %s", old.Trace, now.Trace, old, now)
	}
}

func (a *Audit) handedOver(s *Shard, old, now failover.Record) {
	a.mine(s, "handed over", old, now)
	if now.HandOvers != old.HandOvers+1 {
		a.breach(3, s.Job, s.Item, "handed over from %s to %s", old, now)
	}
}

func (a *Audit) completed(s *Shard, old, now failover.Record) {
	a.mine(s, "completed", old, now)
	a.ended(s, now)
}

func (a *Audit) abandoned(s *Shard, old, now failover.Record) {
	spec := a.specs[s.Job]
	switch {
	case old.State != failover.StateRunning || now.Fence != old.Fence || !sameWork(old, now):
		a.breach(4, s.Job, s.Item, "abandoned from %s to %s", old, now)
	case old.Owner != "" && a.Alive(old.Owner):
		a.breach(4, s.Job, s.Item, "abandoned, though %s is alive", old.Owner)
	case now.Result == failover.ResultCancelled:
	case spec != nil && spec.Failover && !spec.Disabled && !slices.Contains(spec.DisabledShards, s.Item) && s.Item < spec.Shards && old.Attempt-old.HandOvers < spec.MaxAttempts:
		a.breach(4, s.Job, s.Item, "abandoned, though another attempt is allowed: from %s", old)
	}
	a.traced(s, old, now)
	a.ended(s, now)
}

// cancelled checks that a run that ends as cancelled was cancelled by an
// operator, and is ended by its owner, or after its owner's death.
func (a *Audit) cancelled(s *Shard, old, now failover.Record) {
	trigger := uint64(0)
	if old.IsManual() {
		trigger = old.Trigger
	}
	asked := slices.ContainsFunc(a.cancels[s.Job], func(c layout.Cancel) bool {
		return c.Cancels(s.Item, old.Fire, trigger)
	})
	if !asked {
		a.breach(4, s.Job, s.Item, "cancelled, though no operator asked for it: from %s", old)
	}
	if old.Owner != "" && a.Alive(old.Owner) {
		a.completed(s, old, now)
		return
	}
	a.abandoned(s, old, now)
}

func (a *Audit) ended(s *Shard, now failover.Record) {
	if f := s.fate(now); f != nil {
		f.Result, f.EndedAs, f.Ended = now.Result, now.Result, a.now.Time
	}
	if !now.IsManual() {
		a.end(s.Job, now.Fire.Unix())
	}
}

// removed checks that only the record of a shard that the job no longer has is
// removed: with it go fence and last fire.
func (a *Audit) removed(s *Shard, old failover.Record) {
	if old.State == failover.StateRunning {
		a.breach(4, s.Job, s.Item, "the record was removed while it runs: %s", old)
	}
	if a.byOperator() {
		return
	}
	if spec := a.specs[s.Job]; spec != nil && s.Item < a.shardsOf(s.Job, spec) {
		a.breach(2, s.Job, s.Item, "the record was removed of a shard that the job has: %s", old)
	}
}
