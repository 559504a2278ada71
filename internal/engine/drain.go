package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/observe"
)

// drain is how far this instance is with leaving.
type drain struct {
	on   bool // nothing begins any more, and the shards move to others
	told bool // handlers have been told to stop, also those whose claim is answered only now
	late bool // handlers have had their time: who has not returned is left behind
	over bool // there is nothing to wait for, or no more time
}

// startDrain begins to leave: the others are told at once, running handlers get their time, then their contexts end. What handlers
// that have returned in time have done is still recorded, as long as a good-bye may take.
func (e *Engine) startDrain() {
	e.drain.on = true
	e.selfChanged = true
	e.reviewAll()
	e.after(e.cfg.Drain, func() {
		e.drain.told = true
		for _, s := range e.inHandlers() { // in order, so that a simulation repeats
			e.cancelRun(s.run, ErrShutdown)
		}
	})
	e.tellLeaving()
	e.after(e.cfg.Drain+e.cfg.Grace, func() {
		e.drain.late = true
		e.tellStuck()
	})
	e.after(e.cfg.Drain+e.cfg.Grace+farewell, func() { e.drain.over = true })
}

// checkDrained ends the loop when nothing of this instance runs, or may run any longer, and every result is recorded.
func (e *Engine) checkDrained() {
	if !e.drain.on || e.working > 0 && !e.drain.late {
		return
	}
	if e.failed != nil {
		e.drain.over = true // nothing can be recorded any more
		return
	}
	for _, j := range e.jobs {
		for _, s := range j.shards {
			if s.run != nil && !(e.drain.late && s.run.phase == failover.PhaseWorking) {
				return
			}
		}
	}
	e.drain.over = true
}

const (
	// leavingAgain is how often an instance that leaves says what it waits for.
	leavingAgain = 5 * time.Second

	// namedRuns bounds how many runs it names.
	namedRuns = 10
)

// inHandlers returns the shards whose handlers have not returned, in order.
func (e *Engine) inHandlers() []*shard {
	var all []*shard
	for _, j := range e.jobs {
		for _, s := range j.shards {
			if s.run != nil && s.run.phase == failover.PhaseWorking {
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, byJob)
	return all
}

// tellLeaving reports what this instance waits for before it leaves.
func (e *Engine) tellLeaving() {
	shards := e.inHandlers()
	if len(shards) == 0 || e.drain.over || e.drain.late {
		return
	}
	var names []string
	for _, s := range shards[:min(len(shards), namedRuns)] {
		names = append(names, fmt.Sprintf("%s/%d", s.job.name, s.item))
	}
	text := strings.Join(names, ", ")
	if more := len(shards) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	e.emit(observe.Event{
		Kind:   observe.Leaving,
		Shard:  -1,
		Code:   "runs_in_progress",
		Count:  len(shards),
		Args:   map[string]string{"drain": e.cfg.Drain.String(), "grace": e.cfg.Grace.String()},
		Detail: fmt.Sprintf("waits for %d handlers: %s", len(shards), text),
	})
	e.after(leavingAgain, e.tellLeaving)
}

// tellStuck reports the handlers that have not returned though their time is
// over; this instance leaves without them.
func (e *Engine) tellStuck() {
	for _, s := range e.inHandlers() {
		ev := s.runEvent(observe.Stuck)
		ev.Code, ev.Err = "stuck_while_leaving", ErrShutdown
		ev.Args = map[string]string{"drain": e.cfg.Drain.String(), "grace": e.cfg.Grace.String()}
		ev.Detail = "the handler ignores its context; the instance leaves without waiting for it any longer"
		e.emit(ev)
	}
}
