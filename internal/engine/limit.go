package engine

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/elasticjob-go/elastic/failover"
)

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

// hold makes a shard wait until a run ends. period is how long it may wait
// before that is reported.
func (e *Engine) hold(s *shard, period time.Duration) {
	if !s.held {
		s.held = true
		e.held = append(e.held, s)
	}
	if s.limited.IsZero() {
		s.limited = time.Now()
		s.job.limited++
	}
	if s.job.limitCheck == nil {
		e.checkLimitIn(s.job, period)
	}
}

// unhold notes that a shard does not wait for a limit any more: it begins a
// run, or is not to run at all.
func (e *Engine) unhold(s *shard) {
	if s.limited.IsZero() {
		return
	}
	s.limited = time.Time{}
	s.job.limited--
	if s.job.limited > 0 {
		return
	}
	if s.job.limitCheck != nil {
		s.job.limitCheck.Stop()
		s.job.limitCheck = nil
	}
	e.endWait(s.job.name, wholeJob, codeLimitOfJob)
	e.endWait(s.job.name, wholeJob, codeLimitOfInstance)
}

// The codes of waits for a limit.
const (
	codeLimitOfJob      = "limit_of_job"      // MaxConcurrent of the job
	codeLimitOfInstance = "limit_of_instance" // the limit of all jobs of this instance
)

// checkLimitIn looks after a time whether shards of a job have waited for a
// limit that long without a break, and reports them together, once.
func (e *Engine) checkLimitIn(j *job, period time.Duration) {
	var timer *time.Timer
	timer = e.after(period, func() {
		if j.limitCheck != timer {
			return
		}
		var late []int
		oldest := time.Now()
		for _, s := range j.shards {
			if s.limited.IsZero() {
				continue
			}
			if s.limited.Before(oldest) {
				oldest = s.limited
			}
			if time.Since(s.limited) >= period {
				late = append(late, s.item)
			}
		}
		if len(late) == 0 {
			e.checkLimitIn(j, max(time.Until(oldest.Add(period)), time.Millisecond))
			return
		}
		// limitCheck stays, so that it is not reported again before all of this is
		// over.
		slices.Sort(late)
		e.startWait(j.name, wholeJob, e.limitReason(j, late, period, oldest))
	})
	j.limitCheck = timer
}

// limitReason says for which limit shards wait.
func (e *Engine) limitReason(j *job, late []int, period time.Duration, since time.Time) reason {
	code, limit, may := codeLimitOfInstance, e.cfg.Most, "this instance may run %d shards at a time"
	if j.spec != nil && j.spec.MaxConcurrent > 0 && j.active >= j.spec.MaxConcurrent {
		code, limit, may = codeLimitOfJob, j.spec.MaxConcurrent, "this instance may run %d shards of the job at a time"
	}
	shards := ranges(late)
	return reason{
		code:  code,
		args:  map[string]string{"limit": strconv.Itoa(limit), "shards": shards, "for": period.String()},
		text:  fmt.Sprintf(may, limit) + ", and these have waited for more than " + period.String() + ": " + shards,
		since: since,
	}
}

// limitPatience is how long a shard without a schedule waits for a limit before
// that is reported.
const limitPatience = time.Minute

// limitPeriod returns how long a shard waits for a limit before that is
// reported: a period of its schedule after the fire that is to begin, or
// limitPatience where there is none.
func limitPeriod(p failover.Policy, fire time.Time) time.Duration {
	if p.Schedule == nil || fire.IsZero() {
		return limitPatience
	}
	next := p.Schedule.Next(fire)
	if !next.After(fire) {
		return limitPatience
	}
	return next.Sub(fire)
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
