package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/sharding"
)

// A strategy of the program is asked beside the loop, one call for a job at a
// time. So one that blocks stops nothing but the assignment of its job, and
// leaves no more than one goroutine behind; other instances stand in for this
// one as they do for any leader that does nothing.

// advice is a call of a strategy, with its answer.
type advice struct {
	shards int
	live   []sharding.Instance
	before []string

	pending bool
	owners  []string
	err     error
}

// errAsking says that a strategy is being asked. The job is suspect again when
// there is an answer.
var errAsking = errors.New("the strategy is being asked")

// strategyPatience is how long a strategy may take before that is reported.
const strategyPatience = 5 * time.Second

// consult returns the answer of a strategy of the program, or begins to ask it
// and returns errAsking. An answer is used once: a strategy may be given another
// one by whatever it depends on.
func (e *Engine) consult(j *job, spec layout.Spec, s sharding.Strategy, live []sharding.Instance, before []string) ([]string, error) {
	if a := j.advice; a != nil && a.pending {
		return nil, errAsking
	} else if a != nil && a.isFor(spec.Shards, live, before) {
		j.advice = nil
		return a.owners, a.err
	}
	a := &advice{
		shards:  spec.Shards,
		live:    slices.Clone(live),
		before:  slices.Clone(before),
		pending: true,
	}
	j.advice = a
	assign := func() []string {
		return s.Assign(j.name, a.shards, slices.Clone(a.live), slices.Clone(a.before))
	}
	e.askStrategy(j, spec.Sharding, assign, func(owners []string, err error) {
		a.pending, a.owners, a.err = false, owners, err
		e.suspect(j)
	})
	return nil, errAsking
}

func (a *advice) isFor(shards int, live []sharding.Instance, before []string) bool {
	return a.shards == shards && slices.Equal(a.live, live) && slices.Equal(a.before, before)
}

// consultRotation asks a strategy of the program whose turn it is.
func (e *Engine) consultRotation(j *job, s sharding.Rotating, live []sharding.Instance) {
	if j.rotating {
		return
	}
	j.rotating = true
	version, strategy := j.assignedVersion, j.spec.Sharding
	before := slices.Clone(j.assigned.Owners)
	rotate := func() []string { return s.Rotate(j.name, slices.Clone(live), before) }
	e.askStrategy(j, strategy, rotate, func(owners []string, err error) {
		j.rotating = false
		if err == nil {
			err = sharding.Valid(owners, len(before), live)
		}
		switch {
		case e.jobs[j.name] != j || j.assignedVersion != version || j.assigning || j.awaiting() || !e.mayOwn(j):
			// What was asked is over. The next run asks again.
		case err != nil:
			e.strategyFailed(j, "strategy_failed", fmt.Errorf("strategy %s: %w", strategy, err))
		default:
			e.rotate(j, owners)
		}
	})
}

// askStrategy calls a method of a strategy beside the loop, and then answer on
// the loop.
func (e *Engine) askStrategy(j *job, name string, method func() []string, answer func([]string, error)) {
	answered := false
	e.after(strategyPatience, func() {
		if !answered && e.jobs[j.name] == j {
			e.strategyFailed(j, "strategy_blocked", fmt.Errorf("strategy %s has not returned for %s", name, strategyPatience))
		}
	})
	// Not in the wait group: it may never return.
	go func() {
		var owners []string
		err := guard.ErrExited
		defer func() { // deferred, because it may end the goroutine
			if err != nil {
				err = fmt.Errorf("strategy %s %w", name, err)
			}
			e.post(func() {
				answered = true
				answer(owners, err)
			})
		}()
		err = guard.Catch(func() { owners = slices.Clone(method()) })
	}()
}

func (e *Engine) strategyFailed(j *job, code string, err error) {
	ev := observe.Event{
		Kind:   observe.Trouble,
		Job:    j.name,
		Shard:  wholeJob,
		Code:   code,
		Err:    err,
		Detail: "the assignment stays as it is",
	}
	if j.spec != nil {
		ev.Args = map[string]string{"strategy": j.spec.Sharding}
	}
	e.emit(ev)
}
