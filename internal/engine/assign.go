package engine

import (
	"errors"
	"fmt"
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
		slices.ContainsFunc(before.Owners, func(id string) bool { return !ids[id] && (id != "" || len(ids) > 0) })
	p.wrong = p.urgent || !slices.Equal(owners, before.Owners) || p.want.Surplus != before.Surplus
	return p, nil
}

// ownersOf asks the job's strategy.
func (e *Engine) ownersOf(j *job, spec layout.Spec, live []sharding.Instance, before []string) ([]string, error) {
	if len(live) == 0 {
		return make([]string, spec.Shards), nil // no instance may own them
	}
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

// mayOwners returns the instances that may own shards of a job, oldest first.
func (e *Engine) mayOwners(j *job) []*peer {
	var may []*peer
	for _, p := range e.replica.peers {
		if p.mayOwn(j) && !e.cordons.holds(p) {
			may = append(may, p)
		}
	}
	return may
}

// mayOwn reports whether an instance may own shards of a job, cordons aside.
func (p *peer) mayOwn(j *job) bool {
	return p.mayLead(j) && (j.spec == nil || p.Meets(j.spec.Requires))
}

// What mend answers instead of a time to wait.
const (
	done     time.Duration = -1 // the job is right, or not this instance's business
	answered time.Duration = -2 // it is looked at again when an answer of the store has come
)

// mend looks at a suspect job, and returns how long to wait before it does so
// again.
func (e *Engine) mend(j *job, now time.Time) time.Duration {
	if j.removed || !j.isMissing() && (j.spec == nil || j.assigned == nil && j.assignedVersion != 0) {
		return done // there is nothing to assign, or what is there can't be read and is left alone; a change suspects it again
	}
	if j.assigning || j.writingSpec || j.awaiting() {
		return answered
	}
	rank := e.rankFor(j)
	if rank < 0 {
		return done
	}
	since := j.suspicion.since
	if most := j.suspicion.first.Add(beganAgainMost * e.cfg.StandIn); since.After(most) {
		since = most
	}
	turn := since.Add(time.Duration(rank) * e.cfg.StandIn)
	if quiet := e.quietAt(j); turn.Before(quiet) {
		turn = quiet
	}
	if now.Before(turn) {
		return turn.Sub(now)
	}
	if j.isMissing() {
		if j.registered.Spec.Fires(e.cfg.Now()) != nil {
			return done
		}
		e.create(j)
		return answered
	}
	if rank >= standIns && !e.lacksOwners(j) {
		return done
	}
	e.meter.looks++
	p, err := e.planFor(j, *j.spec, j.assigned, e.mayOwners(j), j.allSwept(), e.cfg.Now())
	if errors.Is(err, errAsking) {
		return answered
	}
	j.unplanned = err != nil
	if err != nil {
		e.strategyFailed(j, "strategy_failed", err)
		return done
	}
	if !p.wrong {
		return done
	}
	if patience := turn.Add(e.cfg.JoinDelay); !p.urgent && now.Before(patience) {
		return patience.Sub(now)
	}
	if regrows(j.assigned, p.want) && !e.passOver(j, &p.want) {
		return answered
	}
	e.assign(j, p.want)
	return answered
}

// lacksOwners reports whether an assignment is one that nothing can run by, or
// that leaves out shards, whatever the strategy says.
func (e *Engine) lacksOwners(j *job) bool {
	a := j.assigned
	if a == nil || a.Strategy != j.spec.Sharding || a.Division != j.division || !j.spec.Broadcast() && len(a.Owners) != j.spec.Shards {
		return true
	}
	if slices.Contains(a.Owners, "") {
		return len(e.mayOwners(j)) > 0
	}
	return slices.ContainsFunc(a.Owners, func(id string) bool {
		p := e.replica.byID[id]
		return p == nil || !p.mayOwn(j) || e.cordons.holds(p)
	})
}

// An instance that has just come waits for others that come with it, before it
// creates or assigns anything: of a fleet that starts at one instant, each would
// otherwise lead all jobs for a moment.
const (
	quietAfter = 100 * time.Millisecond // an arrival
	quietMost  = time.Second            // for this long, if instances come all the time
)

// quietAt returns when instances have stopped to come, for a suspect job.
func (e *Engine) quietAt(j *job) time.Time {
	quiet := e.arrived.Add(min(quietAfter, e.cfg.JoinDelay))
	if most := j.suspicion.first.Add(quietMost); quiet.After(most) {
		return most
	}
	return quiet
}

// allSwept says whether this instance has seen that the records of all surplus shards are gone. They stay so: nobody claims a shard
// that the assignment does not have.
func (j *job) allSwept() bool {
	return j.assigned != nil && len(j.swept) == j.assigned.Surplus-len(j.assigned.Owners)
}

// tellAssigned reports an assignment that this instance has written.
func (e *Engine) tellAssigned(j *job, a layout.Assignment) {
	e.emit(observe.Event{
		Kind:   observe.Assigned,
		Job:    j.name,
		Shard:  wholeJob,
		Detail: fmt.Sprintf("epoch %d, %d shards", a.Epoch, len(a.Owners)),
	})
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
			e.suspectAnew(j) // what comes from now on is another matter
			e.tellAssigned(j, want)
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
