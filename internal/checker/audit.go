package checker

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// Audit checks every commit of a memory store against the protocol, in the order of the store: not only that nothing went wrong, but
// that nothing was let through that should have been refused, even where it happened to do no harm. What it finds has the number of
// the invariant that the rule holds up.
//
// It sees what the store was asked, and no handler: History is for those. It is not safe for concurrent use; Server.OnCommit calls
// it for one commit at a time.
type Audit struct {
	// Operator is the name of the client that stands for people: it may write what it likes, except records.
	Operator string

	// Wrong says that some clock is, or was, further off than MaxSkew. What a record says of times is then not to be relied on: fires can
	// begin again, also those that others follow, and the first fence of a new record, which is a time, can be one that the record before it has had, or smaller.
	Wrong bool

	// Skew is how far clocks differ at most. What a shard has done is forgotten with its record when the job loses it; if it comes back what
	// is due to it follows from the time, so within Skew it can repeat itself. Below a millisecond it must not.
	Skew time.Duration

	// Found has every breach so far.
	Found []Violation

	specs    map[string]*layout.Spec       // nil: there is one, and it can't be read
	assigned map[string]*layout.Assignment // likewise
	alive    map[string]layout.Instance    // the instances that have a key; zero: one that can't be read
	whole    map[string]map[int64]*Whole   // by job and Fire.Unix(): what all its shards have ended
	died     map[string]time.Time          // when their key was gone
	clients  map[string]string             // who wrote that key, also of those that are gone
	shards   map[string]*Shard             // by the record's key
	now      memory.Commit                 // that is being checked
}

// Shard is what the store's history says about one shard.
type Shard struct {
	Job    string
	Item   int
	Record failover.Record  // as it is now; zero if it has none
	Fires  map[int64]*Fate  // by Fire.Unix()
	Asked  map[uint64]*Fate // by the number of the trigger that asked for it
	Claims map[uint64]Claim
	fence  uint64    // the greatest ever, also of records that were deleted
	reborn time.Time // when the record was last deleted
	there  bool
}

// Fate is what became of one fire of a shard, or of one trigger.
type Fate struct {
	Fire     time.Time // of a trigger: when it was given
	Begun    time.Time // when it was claimed first
	Attempts int
	Result   failover.Result // empty while it runs

	// Of the last end, also while it runs again: a clock that was wrong can have it begin twice.
	Ended   time.Time
	EndedAs failover.Result
}

// Claim is a claim that the store took.
type Claim struct {
	Time    time.Time
	Client  string
	Fire    time.Time
	Trigger uint64 // zero: the schedule asked for it
	Attempt int
	Total   int // how many shards the job had
}

// NewAudit returns an audit that has seen nothing.
func NewAudit(operator string) *Audit {
	return &Audit{
		Operator: operator, specs: map[string]*layout.Spec{}, assigned: map[string]*layout.Assignment{},
		alive: map[string]layout.Instance{}, died: map[string]time.Time{}, whole: map[string]map[int64]*Whole{}, clients: map[string]string{}, shards: map[string]*Shard{},
	}
}

// Commit checks one commit.
func (a *Audit) Commit(c memory.Commit) {
	a.now = c
	for _, op := range c.Do {
		prefix, rest, _ := strings.Cut(op.Key, "/")
		switch prefix {
		case layout.Instances:
			a.instance(rest, op)
		case layout.Jobs:
			a.spec(rest, op)
		case layout.Assignments:
			a.assignment(rest, op)
		case layout.Signals:
			a.signals(rest, op)
		case "runs":
			job, _, _ := strings.Cut(rest, "/")
			item, err := layout.ShardOf(op.Key)
			if err != nil || op.Key != layout.RunKey(job, item) {
				a.breach(8, job, -1, "nothing has the key %s", op.Key)
				continue
			}
			a.record(a.shard(job, item), op)
		default:
			a.breach(8, "", -1, "nothing has the key %s", op.Key)
		}
	}
}

// Shard returns what is known about a shard. It is never nil.
func (a *Audit) Shard(job string, item int) *Shard { return a.shard(job, item) }

// Alive says whether an instance has a key.
func (a *Audit) Alive(id string) bool {
	_, ok := a.alive[id]
	return ok
}

// Instance returns what an instance says about itself; zero if it has no key, or one that can't be read.
func (a *Audit) Instance(id string) layout.Instance { return a.alive[id] }

// Spec returns a job's spec as it is now; nil if there is none that can be read.
func (a *Audit) Spec(job string) *layout.Spec { return a.specs[job] }

// Client returns who registered an instance.
func (a *Audit) Client(id string) string { return a.clients[id] }

func (a *Audit) shard(job string, item int) *Shard {
	key := layout.RunKey(job, item)
	s := a.shards[key]
	if s == nil {
		s = &Shard{Job: job, Item: item, Fires: map[int64]*Fate{}, Asked: map[uint64]*Fate{}, Claims: map[uint64]Claim{}}
		a.shards[key] = s
	}
	return s
}

func (a *Audit) breach(invariant int, job string, shard int, format string, args ...any) {
	text := fmt.Sprintf("%s by %s: %s", a.now.Cause, a.now.Client, fmt.Sprintf(format, args...))
	a.Found = append(a.Found, Violation{invariant, job, shard, a.now.Time, text})
}

func (a *Audit) byOperator() bool { return a.now.Client == a.Operator }

func (a *Audit) instance(id string, op store.Op) {
	if op.Kind == store.OpDelete {
		delete(a.alive, id)
		a.died[id] = a.now.Time
		return
	}
	if op.Kind == store.OpCreateEphemeral {
		if a.clients[id] != "" {
			a.breach(1, "", -1, "the instance %s comes back: nothing proves it dead any more", id)
		}
		a.clients[id] = a.now.Client
	}
	if a.now.Session == "" && !a.byOperator() {
		a.breach(1, "", -1, "the instance %s is registered outside a session", id)
	}
	a.alive[id], _ = layout.DecodeInstance(op.Value)
}

func (a *Audit) spec(job string, op store.Op) {
	defer a.ends(job)
	if op.Kind == store.OpDelete {
		delete(a.specs, job)
		return
	}
	a.specs[job] = nil
	if spec, err := layout.DecodeSpec(op.Value); err == nil {
		a.specs[job] = &spec
	} else if !a.byOperator() {
		a.breach(8, job, -1, "a spec that can't be read: %v", err)
	}
	if !a.byOperator() {
		a.sessioned(7, job, -1, op.Key)
	}
}

// sessioned checks that a write carries its writer's session, so that it can't be applied once the session is over.
func (a *Audit) sessioned(invariant int, job string, shard int, key string) {
	if a.now.Session == "" {
		a.breach(invariant, job, shard, "%s was written outside a session", key)
	}
}

func (a *Audit) assignment(job string, op store.Op) {
	old := a.assigned[job]
	delete(a.assigned, job)
	if op.Kind == store.OpDelete || a.byOperator() {
		if next, err := layout.DecodeAssignment(op.Value); err == nil {
			a.assigned[job] = &next
		}
		return
	}
	a.sessioned(6, job, -1, op.Key)
	next, err := layout.DecodeAssignment(op.Value)
	if err != nil {
		a.breach(6, job, -1, "an assignment that can't be read: %v", err)
		return
	}
	a.assigned[job] = &next
	if spec := a.specs[job]; !fits(spec, &next) {
		a.breach(6, job, -1, "assigned is %+v, and the spec has other shards: %+v", next, spec)
	}
	if old != nil && next.Epoch != old.Epoch+1 {
		a.breach(6, job, -1, "epoch %d after %d", next.Epoch, old.Epoch)
	}
	switch {
	case old == nil && op.Kind != store.OpCreate, old != nil && !a.guarded(op.Key, true):
		a.breach(6, job, -1, "assigned without a look at the assignment before it")
	case !a.guarded(layout.JobKey(job), true):
		a.breach(6, job, -1, "assigned without a guard on the spec that it is computed from")
	case a.leader() == "":
		a.breach(6, job, -1, "assigned by one that no longer leads: no instance of its own is among the guards")
	}
}

func (a *Audit) signals(job string, op store.Op) {
	if op.Kind == store.OpDelete || a.byOperator() {
		return
	}
	a.sessioned(4, job, -1, op.Key)
	if _, err := layout.DecodeSignal(op.Value); err != nil {
		a.breach(8, job, -1, "signals that can't be read: %v", err)
	}
	if op.Kind == store.OpSet && !a.guarded(op.Key, true) {
		a.breach(4, job, -1, "signals were written without a look at those before: a trigger can be lost")
	}
}

// leader returns the instance of the writer that the commit is guarded by.
func (a *Audit) leader() string {
	for _, c := range a.now.If {
		if id, ok := strings.CutPrefix(c.Key, layout.Instances+"/"); ok && a.clients[id] == a.now.Client {
			return id
		}
	}
	return ""
}

// guarded says whether the commit rests on a key, and on its version if that is asked for.
func (a *Audit) guarded(key string, version bool) bool {
	for _, c := range a.now.If {
		if c.Key == key && (c.Version != 0 || !version) {
			return true
		}
	}
	return false
}

// record checks that a write to a record is one of the transitions, by one who may.
func (a *Audit) record(s *Shard, op store.Op) {
	old, there := s.Record, s.there
	if op.Kind == store.OpDelete {
		s.Record, s.there, s.reborn = failover.Record{}, false, a.now.Time
		a.removed(s, old)
		a.ends(s.Job)
		return
	}
	now, err := failover.Decode(op.Value)
	if err != nil {
		a.breach(8, s.Job, s.Item, "a record that can't be read: %v", err)
		return
	}
	s.Record, s.there = now, true
	if there && !a.guarded(op.Key, true) {
		a.breach(1, s.Job, s.Item, "the record was written without a look at its version: from %s to %s", old, now)
	}
	a.sessioned(1, s.Job, s.Item, op.Key)
	switch {
	case now.State == failover.Idle && now.Result == failover.Lost:
		a.abandoned(s, old, now)
	case now.State == failover.Idle:
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
	if now.Fence < s.fence && !a.mayFall(s) {
		a.breach(1, s.Job, s.Item, "the fence %d is smaller than one before it, %d", now.Fence, s.fence)
	}
	s.fence = max(s.fence, now.Fence)
}

// claimed checks what begin and take over have in common: the guards, and what they guard.
func (a *Audit) claimed(s *Shard, old, now failover.Record) {
	job, owner := s.Job, now.Owner
	spec, assigned := a.specs[job], a.assigned[job]
	if now.Fence <= s.fence && !a.mayFall(s) {
		a.breach(1, job, s.Item, "claimed with the fence %d, and there was %d before: from %s to %s", now.Fence, s.fence, old, now)
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
	s.Claims[now.Fence] = Claim{Time: a.now.Time, Client: a.now.Client, Fire: now.Time(), Trigger: triggerOf(now), Attempt: now.Attempt, Total: total}
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

// mayFall says whether a shard's fences may begin anew: see Wrong.
func (a *Audit) mayFall(s *Shard) bool { return !s.reborn.IsZero() && a.Wrong }

// FencesMayFall says whether a shard's fences may begin anew, because it was lost and came back while some clock was wrong.
func (a *Audit) FencesMayFall(job string, item int) bool { return a.mayFall(a.shard(job, item)) }

// reclaims says whether a process claims anew what it runs itself, after it has lost a session.
func (a *Audit) reclaims(old, now failover.Record) bool {
	return old.State == failover.Running && old.Owner != "" && now.Attempt == old.Attempt && sameWork(old, now) && a.clients[old.Owner] == a.clients[now.Owner]
}

// reclaimed checks that a run goes on under a new claim: by the same process, in another session. The one before may still live in the store, if the
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
	s.Claims[now.Fence] = s.Claims[old.Fence]
}

func (a *Audit) begun(s *Shard, old, now failover.Record) {
	if f := s.fate(now); f.Begun != a.now.Time && (now.IsManual() || !a.Wrong && !(a.forgets(s) && f.Begun.Before(s.reborn) && f.Fire.After(s.reborn.Add(-2*a.Skew)))) {
		a.breach(2, s.Job, s.Item, "begins twice, first at %s: %s", f.Begun.Format(clock), now)
	}
	if old.State != failover.Idle {
		a.breach(1, s.Job, s.Item, "begun while it runs: from %s to %s", old, now)
	}
	switch {
	case now.IsManual() && (now.Trigger <= old.Trigger || !now.Fire.Equal(old.Fire)):
		a.breach(2, s.Job, s.Item, "a trigger out of order, or one that changes what the schedule has: from %s to %s", old, now)
	case !now.IsManual() && now.Trigger != old.Trigger && old.Fence != 0: // who is new passes over what was before
		a.breach(2, s.Job, s.Item, "a fire forgets a trigger: from %s to %s", old, now)
	case !now.IsManual() && !now.Fire.After(old.Fire) && !a.Wrong && !failover.InFuture(old, a.now.Time):
		a.breach(2, s.Job, s.Item, "the fire of %s begins after that of %s", now.Fire.Format(clock), old.Fire.Format(clock))
	}
}

func (a *Audit) takenOver(s *Shard, old, now failover.Record) {
	spec := a.specs[s.Job]
	switch {
	case old.State != failover.Running || now.Attempt != old.Attempt+1 || !sameWork(old, now):
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
	if old.State != failover.Running || now.Fence != old.Fence || !sameWork(old, now) || a.clients[old.Owner] != a.now.Client {
		a.breach(3, s.Job, s.Item, "%s by one whose run it is not: from %s to %s", what, old, now)
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
	case old.State != failover.Running || now.Fence != old.Fence || !sameWork(old, now):
		a.breach(4, s.Job, s.Item, "abandoned from %s to %s", old, now)
	case old.Owner != "" && a.Alive(old.Owner):
		a.breach(4, s.Job, s.Item, "abandoned, though %s is alive", old.Owner)
	case spec != nil && spec.Failover && !spec.Disabled && !slices.Contains(spec.DisabledShards, s.Item) && s.Item < spec.Shards && old.Attempt-old.HandOvers < spec.MaxAttempts:
		a.breach(4, s.Job, s.Item, "abandoned, though another attempt is allowed: from %s", old)
	}
	a.ended(s, now)
}

func (a *Audit) ended(s *Shard, now failover.Record) {
	if f := s.fate(now); f != nil {
		f.Result, f.EndedAs, f.Ended = now.Result, now.Result, a.now.Time
	}
	if !now.IsManual() {
		a.end(s.Job, now.Fire.Unix())
	}
}

// removed checks that only the record of a shard that the job no longer has is removed: with it go fence and last fire.
func (a *Audit) removed(s *Shard, old failover.Record) {
	if old.State == failover.Running {
		a.breach(4, s.Job, s.Item, "the record was removed while it runs: %s", old)
	}
	if a.byOperator() {
		return
	}
	if spec := a.specs[s.Job]; spec != nil && s.Item < a.shardsOf(s.Job, spec) {
		a.breach(2, s.Job, s.Item, "the record was removed of a shard that the job has: %s", old)
	}
}
