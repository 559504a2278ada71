package engine

import (
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/observe"
)

// stuckAfter is how long a handler may take to return once its context has
// ended before it is reported.
const stuckAfter = 10 * time.Second

// cancelRun ends the context of a run's handler.
func (e *Engine) cancelRun(r *run, cause error) {
	r.end(cause)
	e.watchRun(r, time.Now())
}

// watchRun sees to it that a run is reported whose handler goes on although its
// context ends, or has ended, at a time.
func (e *Engine) watchRun(r *run, over time.Time) {
	if r.over.IsZero() || over.Before(r.over) {
		r.over = over
		e.checkStuckAt(over.Add(stuckAfter))
	}
}

// checkStuckAt makes the loop look for such runs at a time. All of them share
// one timer.
func (e *Engine) checkStuckAt(at time.Time) {
	if !e.stuckCheck.IsZero() && !at.Before(e.stuckCheck) {
		return
	}
	e.stuckCheck = at
	e.after(time.Until(at), func() {
		if e.stuckCheck.Equal(at) { // otherwise another timer comes first
			e.stuckCheck = time.Time{}
			e.reportStuck()
		}
	})
}

// reportStuck reports handlers that go on although their contexts have ended.
// Their shards are not started again here until they return.
func (e *Engine) reportStuck() {
	now := time.Now()
	var stuck []*shard
	for _, j := range e.jobs {
		for _, s := range j.shards {
			r := s.run
			switch {
			case r == nil || r.phase != failover.PhaseWorking || r.stuck || r.over.IsZero():
			case now.Before(r.over.Add(stuckAfter)):
				e.checkStuckAt(r.over.Add(stuckAfter))
			default:
				stuck = append(stuck, s)
			}
		}
	}
	slices.SortFunc(stuck, byJob)
	for _, s := range stuck {
		s.run.stuck = true
		e.meter.stuck++
		ev := s.runEvent(observe.Stuck)
		ev.Err, ev.Code = s.run.endCause(), "context_ignored"
		ev.Args = map[string]string{"for": stuckAfter.String()}
		ev.Detail = "the handler ignores its context; the shard does not run here until it returns"
		e.emit(ev)
	}
}
