package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/sharding"
	"github.com/elasticjob-go/elastic/store"
)

// plan is what an assignment should be.
type plan struct {
	want   layout.Assignment
	wrong  bool // it is not what is there
	urgent bool // some shard has no owner that may own it, or instances would compute with different totals
}

// planFor derives the assignment of a job from its spec, the instances that may own, oldest first, and what there is; a nil
// have means none. swept says that the records of its surplus shards are gone. The error is errAsking while the job's strategy is asked.
func (e *Engine) planFor(j *job, spec layout.Spec, have *layout.Assignment, may []*peer, swept bool, now time.Time) (plan, error) {
	var before layout.Assignment
	if have != nil {
		before = *have
	}
	live := candidates(may)
	ids := make(map[string]bool, len(may))
	for _, p := range may {
		ids[p.id] = true
	}
	owners, err := e.ownersOf(j, spec, live, before.Owners)
	if err != nil {
		return plan{}, err
	}
	p := plan{want: before}
	p.want.Epoch, p.want.Strategy, p.want.Owners, p.want.Surplus = before.Epoch+1, spec.Sharding, owners, 0
	p.want.Division = spec.Division()
	low := before.Fences < j.floor() // of a job that was restored
	if have == nil || before.Divides(p.want) || low {
		p.want.RaiseFences(now, j.floor())
	}
	// A time that a broken clock has written gives way, too.
	if grown := failover.Credible(before.Grown, now); len(owners) > len(before.Owners) && spec.Broadcast() && !grown.After(now) {
		p.want.Grown = now
	}
	surplus := len(before.Owners)
	if !swept {
		surplus = max(surplus, before.Surplus)
	}
	if surplus > len(owners) {
		p.want.Surplus = surplus
	}
	p.urgent = have == nil || low || !spec.Broadcast() && len(before.Owners) != spec.Shards || before.Strategy != p.want.Strategy || before.Division != p.want.Division ||
		slices.ContainsFunc(before.Owners, func(id string) bool { return !ids[id] })
	p.wrong = p.urgent || !slices.Equal(owners, before.Owners) || p.want.Surplus != before.Surplus
	return p, nil
}

// ownersOf asks the job's strategy.
func (e *Engine) ownersOf(j *job, spec layout.Spec, live []sharding.Instance, before []string) ([]string, error) {
	if spec.Broadcast() {
		if len(live) > layout.MaxShards {
			return nil, fmt.Errorf("a broadcast has at most %d shards, and there are %d instances", layout.MaxShards, len(live))
		}
		return sharding.Broadcast(live, before), nil
	}
	strategy, err := e.strategy(spec.Sharding)
	if err != nil {
		return nil, err
	}
	var owners []string
	if e.isOwn(spec.Sharding) {
		owners, err = e.consult(j, spec, strategy, live, before)
	} else {
		owners = strategy.Assign(j.name, spec.Shards, live, before)
	}
	if err != nil {
		return nil, err
	}
	if err := sharding.Valid(owners, spec.Shards, live); err != nil {
		return nil, fmt.Errorf("strategy %s: %w", spec.Sharding, err)
	}
	return owners, nil
}

// isOwn reports whether a strategy is one of this program's own.
func (e *Engine) isOwn(strategy string) bool { return e.cfg.Strategies[strategy] != nil }

// strategy returns the strategy of a name: this program's own, or one that is always there.
func (e *Engine) strategy(name string) (sharding.Strategy, error) {
	if own := e.cfg.Strategies[name]; own != nil {
		return own, nil
	}
	return sharding.ByName(name)
}

// candidates are instances as a strategy sees them.
func candidates(may []*peer) []sharding.Instance {
	live := make([]sharding.Instance, len(may))
	for i, p := range may {
		live[i] = sharding.Instance{ID: p.id, Weight: p.Weight}
	}
	return live
}

// rotates reports whether the strategy of a job goes round.
func (e *Engine) rotates(spec *layout.Spec) bool {
	strategy, err := e.strategy(spec.Sharding)
	_, ok := strategy.(sharding.Rotating)
	return err == nil && ok
}

// passOn gives a job that has run to the instance whose turn it is, if its strategy goes round: one more commit a fire.
func (e *Engine) passOn(j *job) {
	if !j.rotates || j.assigning || j.awaiting() || !e.mayOwn(j) {
		return
	}
	strategy, _ := e.strategy(j.spec.Sharding)
	round := strategy.(sharding.Rotating)
	live := candidates(e.mayOwners(j))
	if e.isOwn(j.spec.Sharding) {
		e.consultRotation(j, round, live)
		return
	}
	e.rotate(j, round.Rotate(j.name, live, j.assigned.Owners))
}

// rotate gives a job's shards to these owners, if it is their turn.
func (e *Engine) rotate(j *job, owners []string) {
	if slices.Equal(owners, j.assigned.Owners) {
		return
	}
	want := *j.assigned
	want.Epoch, want.Owners = want.Epoch+1, owners
	e.assign(j, want)
}

// raiseFences writes an assignment with a higher floor, so that claims with fences of the given one and more may rest on it. Any instance may: the
// division of the work stays as it is. The shards are considered again when the watch has shown it.
func (e *Engine) raiseFences(j *job, least uint64) {
	if j.assigning || j.awaiting() || !e.mayOwn(j) {
		return
	}
	want := *j.assigned
	want.Epoch++
	want.RaiseFences(e.cfg.Now(), least)
	e.assign(j, want)
}

// mayOwners returns the instances that may own shards of a job, oldest first. The first leads the job: it mends its assignment.
// There is no election, hence nothing that a crash could leave locked, and safety does not rest on who leads.
func (e *Engine) mayOwners(j *job) []*peer {
	var may []*peer
	for _, p := range e.replica.peers {
		if p.mayOwn(j) {
			may = append(may, p)
		}
	}
	return may
}

// mayOwn says whether an instance may own shards of a job.
func (p *peer) mayOwn(j *job) bool {
	return p.readable && p.State == layout.Up && p.Has(j.name) && (j.spec == nil || p.Meets(j.spec.Requires))
}

// leads says whether this instance is the one to mend the job's assignment.
func (e *Engine) leads(j *job) bool {
	for _, p := range e.replica.peers {
		if p.mayOwn(j) {
			return e.isMe(p.id)
		}
	}
	return false
}

// suspect notes that a job's assignment may be wrong by now.
func (e *Engine) suspect(j *job) {
	e.mendNow = true
	if _, already := e.suspects[j]; !already {
		e.suspects[j] = time.Now()
	}
}

// mendAssignments writes the assignments that are wrong, when it is this instance's turn. A leader that lives but is stuck stops
// nothing: the second oldest instance does it after a while, then the third.
func (e *Engine) mendAssignments() {
	if e.me == nil || e.drain.on || !e.replica.ready() || !e.mendNow {
		return
	}
	e.mendNow = false
	now, next := time.Now(), time.Duration(-1)
	for _, j := range slices.SortedFunc(maps.Keys(e.suspects), byName) {
		wait := e.mend(j, now.Sub(e.suspects[j]))
		if wait == done {
			delete(e.suspects, j)
		} else if wait != answered && (next < 0 || wait < next) {
			next = wait
		}
	}
	if next >= 0 {
		if e.check != nil {
			e.check.Stop()
		}
		e.check = e.after(next, func() { e.mendNow = true })
	}
}

// What mend answers instead of a time to wait.
const (
	done     time.Duration = -1 // the assignment is right, or not this instance's business
	answered time.Duration = -2 // it is considered again when an answer of the store has come
)

// mend looks at a job whose assignment has been suspect for a while, and returns how long to wait before it does so again.
func (e *Engine) mend(j *job, suspectFor time.Duration) time.Duration {
	if j.spec == nil || j.removed || j.assigned == nil && j.assignedVersion != 0 {
		return done // nothing to assign, or an assignment that can't be read and is left alone; a change suspects it again
	}
	if j.assigning || j.awaiting() {
		return answered
	}
	may := e.mayOwners(j)
	rank := slices.IndexFunc(may, func(p *peer) bool { return e.isMe(p.id) })
	if rank < 0 {
		return done
	}
	turn := time.Duration(rank) * e.cfg.StandIn
	if suspectFor < turn {
		return turn - suspectFor
	}
	p, err := e.planFor(j, *j.spec, j.assigned, may, j.allSwept(), e.cfg.Now())
	if errors.Is(err, errAsking) {
		return answered
	}
	if err != nil {
		e.strategyFailed(j, "strategy_failed", err)
		return done
	}
	if !p.wrong {
		return done
	}
	if patience := turn + e.cfg.JoinDelay; !p.urgent && suspectFor < patience {
		return patience - suspectFor
	}
	if regrows(j.assigned, p.want) && !e.passOver(j, &p.want) {
		return answered
	}
	e.assign(j, p.want)
	return answered
}

// allSwept says whether this instance has seen that the records of all surplus shards are gone. They stay so: nobody claims a shard
// that the assignment does not have.
func (j *job) allSwept() bool {
	return j.assigned != nil && len(j.swept) == j.assigned.Surplus-len(j.assigned.Owners)
}

// assign writes a job's assignment, if spec and assignment are still those that it was computed from.
func (e *Engine) assign(j *job, want layout.Assignment) {
	j.assigning = true
	key, at := layout.AssignmentKey(j.name), j.assignedVersion
	op := store.Set(key, want.Encode())
	if at == 0 {
		op = store.Create(key, want.Encode())
	}
	guards := []store.Cond{store.Exists(layout.InstanceKey(e.me.id)), store.At(layout.JobKey(j.name), j.specVersion)}
	if regrows(j.assigned, want) {
		guards = append(guards, store.At(layout.SignalsKey(j.name), j.signalsVersion))
	}
	m := e.me
	e.send(&e.docs, &move{guards: guards, at: at, op: op, done: func(_ store.Version, err error) {
		j.assigning = false
		e.suspect(j)
		switch {
		case err == nil:
			e.suspects[j] = time.Now() // what comes from now on is another matter
			e.emit(observe.Event{Kind: observe.Assigned, Job: j.name, Shard: -1, Detail: fmt.Sprintf("epoch %d, %d shards", want.Epoch, len(want.Owners))})
			e.await(j, key, at)
		case e.me != m:
		case errors.Is(err, store.ErrConflict) && e.refused(j, guards, conflictKey(err)):
		case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrUnknown):
			e.await(j, key, at)
		default:
			e.touch(j)
		}
	}})
}
