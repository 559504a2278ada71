package checker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// execution is one call of a handler.
type execution struct {
	start   Line
	end     *Line // nil: it never said
	until   time.Time
	process *process
}

// executions returns those of a shard, by the time at which they started.
func (c *checker) executions(job string, item int) []execution {
	ends := map[uint64][]Line{}
	var runs []execution
	for _, l := range c.Lines {
		if l.Job != job || l.Shard != item {
			continue
		}
		if l.Event == "end" {
			ends[l.Fence] = append(ends[l.Fence], l)
			continue
		}
		runs = append(runs, execution{start: l, process: c.processes.at(l.PID, l.Time)})
	}
	for i := range runs {
		r := &runs[i]
		r.until = c.End
		if p := r.process; p != nil && !p.gone.IsZero() {
			r.until = p.gone
		}
		for k, l := range ends[r.start.Fence] {
			if l.PID == r.start.PID {
				r.end, r.until = &l, l.Time
				ends[r.start.Fence] = slices.Delete(ends[r.start.Fence], k, k+1)
				break
			}
		}
	}
	for _, left := range ends {
		for _, l := range left {
			c.violate(1, job, item, l.Time, "an end without a start: %s", l)
		}
	}
	slices.SortStableFunc(runs, func(a, b execution) int {
		return cmp.Or(a.start.Time.Compare(b.start.Time), cmp.Compare(a.start.Fence, b.start.Fence))
	})
	return runs
}

// busyUntil returns when others could have the shard: a process that is frozen
// does not end, but it no longer counts.
func (x execution) busyUntil() time.Time {
	until := x.until
	if x.process != nil {
		for _, f := range x.process.frozen {
			if f.overlaps(x.start.Time, until) {
				until = earlier(until, later(f.from, x.start.Time))
			}
		}
	}
	return until
}

// completed says whether the handler said, by a time, that it was through, well
// or not.
func (x execution) completed(by time.Time) bool {
	return x.end != nil && !x.end.Time.After(by) && !x.unfinished()
}

// unfinished says whether the handler was told to stop, and did.
func (x execution) unfinished() bool {
	return x.end != nil && strings.HasPrefix(x.end.Outcome, "unfinished")
}

func (x execution) String() string {
	text := fmt.Sprintf("%s, from %s", x.start, x.start.Time.Format(clock))
	switch {
	case x.end != nil:
		return text + fmt.Sprintf(" to %s (%s)", x.end.Time.Format(clock), x.end.Outcome)
	case x.process != nil && !x.process.gone.IsZero():
		return text + ", cut off at " + x.process.gone.Format(clock)
	}
	return text + ", without an end"
}

func (l Line) String() string {
	return fmt.Sprintf("fire %s attempt %d fence %d by process %d", l.Fire.UTC().Format(time.TimeOnly), l.Attempt, l.Fence, l.PID)
}

// claims checks invariants 1 and 2.
func (c *checker) claims(s *shard) {
	begun := map[int64]execution{}
	for i, b := range s.runs {
		for _, a := range s.runs[:i] {
			c.compare(s, a, b)
		}
		if b.start.Attempt > 1 {
			continue
		}
		if a, twice := begun[b.start.Fire.Unix()]; twice {
			c.breach(s, 2, b.start.Time, "begun twice: %s; %s", a, b)
		}
		begun[b.start.Fire.Unix()] = b
	}
	c.fences(s)
}

// compare looks at two executions of a shard, of which a started first.
func (c *checker) compare(s *shard, a, b execution) {
	if a.start.Fence == b.start.Fence {
		c.breach(s, 1, b.start.Time, "one fence for two claims: %s; %s", a, b)
		return
	}
	// Whoever has the smaller fence lost its claim to the other. That is as it
	// should be if it stood still at that moment, since nothing can stop it
	// then; it may even have started, or go on, when it wakes.
	old, young := a, b
	if a.start.Fence > b.start.Fence {
		old, young = b, a
	}
	if old.process.frozenAt(young.start.Time) {
		return
	}
	switch {
	case a.start.Fence > b.start.Fence:
		c.breach(s, 1, b.start.Time, "the fence fell: %s; %s", a, b)
	case b.start.Time.Before(a.until):
		c.breach(s, 1, b.start.Time, "two at a time: %s; %s", a, b)
	}
}

// fences checks that claims and executions are the same in number, from the
// first execution on: the first fence is a time. A claim whose handler did not
// start needs a process that was lost after it claimed. A leap is no number of
// claims: the floor of the job's fences was raised.
func (c *checker) fences(s *shard) {
	byFence := slices.Clone(s.runs)
	slices.SortFunc(byFence, func(a, b execution) int { return cmp.Compare(a.start.Fence, b.start.Fence) })
	var last uint64
	var since time.Time
	gap := func(fence uint64, until time.Time) {
		if last > 0 && fence > last && fence-last < leap && !c.processes.any(func(p *process) bool { return p.lostBetween(since, until) }) {
			c.breach(s, 1, until, "%d claims between fence %d and fence %d were not run, though nobody died", fence-last, last, fence+1)
		}
	}
	for _, x := range byFence {
		gap(x.start.Fence-1, x.start.Time)
		last, since = x.start.Fence, x.start.Time
	}
	r, ok := s.records[s.item]
	switch {
	case ok && r.Fence < last:
		c.breach(s, 1, time.Time{}, "the record's fence %d is smaller than one that a handler was given, %d", r.Fence, last)
	case ok:
		gap(r.Fence, c.End)
	}
}

// leap is more claims than are ever lost between two that a handler was called
// for.
const leap = 1000

// attempts checks invariant 3.
func (c *checker) attempts(s *shard) {
	for i, b := range s.runs {
		k := b.start.Attempt
		if k == 1 {
			continue
		}
		if why := c.repeated(s, b, k); why != "" {
			c.breach(s, 3, b.start.Time, "%s: %s", b, why)
		}
		for _, a := range s.runs[:i] {
			if a.start.Attempt == k && a.start.Fire.Equal(b.start.Fire) {
				c.breach(s, 3, b.start.Time, "attempt %d twice: %s; %s", k, a, b)
			}
		}
	}
}

// repeated says why there should have been no such attempt.
func (c *checker) repeated(s *shard, b execution, k int) string {
	at := b.start.Time
	i := slices.IndexFunc(s.runs, func(a execution) bool {
		return a.start.Attempt == k-1 && a.start.Fire.Equal(b.start.Fire)
	})
	if i < 0 {
		// It was claimed, or there would be no attempt k; its process was lost
		// before the handler could say so.
		if c.processes.any(func(p *process) bool { return p.lostBetween(b.start.Fire, at) }) {
			return ""
		}
		return "there was no attempt before it"
	}
	a := s.runs[i]
	p := a.process
	switch {
	case !s.spec.Failover && !p.leftBetween(a.start.Time, at):
		return fmt.Sprintf("the job has no failover; before it there was %s", a)
	case a.completed(at):
		// The handler was through, but whether the store learned of it is
		// another matter if the process was lost just then.
		if !p.lostBetween(a.end.Time, a.end.Time.Add(unrecorded)) {
			return fmt.Sprintf("the one before it had completed: %s", a)
		}
	case a.unfinished() && !a.end.Time.After(at):
		if !p.leftBetween(a.start.Time, at) && !p.lostBetween(a.start.Time, at) {
			return fmt.Sprintf("nothing had happened to the process of the one before it: %s", a)
		}
	case !p.lostBetween(a.start.Time, at):
		return fmt.Sprintf("the process of the one before it lived: %s", a)
	}
	return ""
}
