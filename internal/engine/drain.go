package engine

import "github.com/elasticjob-go/elastic/failover"

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
		for _, j := range e.jobs {
			for _, s := range j.shards {
				if s.run != nil && s.run.cancel != nil {
					s.run.cancel(ErrShutdown)
				}
			}
		}
	})
	e.after(e.cfg.Drain+e.cfg.Grace, func() { e.drain.late = true })
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
			if s.run != nil && !(e.drain.late && s.run.phase == failover.Working) {
				return
			}
		}
	}
	e.drain.over = true
}
