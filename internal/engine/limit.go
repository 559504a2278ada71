package engine

import "slices"

// setRun sets what this process does about a shard; nil is nothing.
func (e *Engine) setRun(s *shard, r *run) {
	if s.run != nil {
		s.job.active--
		e.active--
	}
	if s.run = r; r != nil {
		s.job.active++
		e.active++
	}
}

// full says whether this instance runs as many shards as it may, of all jobs or of this one.
func (e *Engine) full(j *job) bool {
	return e.cfg.Most > 0 && e.active >= e.cfg.Most || j.spec != nil && j.spec.MaxConcurrent > 0 && j.active >= j.spec.MaxConcurrent
}

// hold has a shard wait until a run ends.
func (e *Engine) hold(s *shard) {
	if !s.held {
		s.held = true
		e.held = append(e.held, s)
	}
}

// releaseOne has a shard considered that has waited, if it may run now. The one that has waited longest comes first.
func (e *Engine) releaseOne() bool {
	i := slices.IndexFunc(e.held, func(s *shard) bool { return s.gone || !e.full(s.job) })
	if i < 0 {
		return false
	}
	s := e.held[i]
	e.held = slices.Delete(e.held, i, i+1)
	s.held = false
	e.mark(s)
	return true
}
