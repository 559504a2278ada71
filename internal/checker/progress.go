package checker

import (
	"time"

	"github.com/elasticjob-go/elastic/failover"
)

// progress checks invariant 5: a shard starts within Bound of the moment at
// which it is ready to, that is, when a fire is due, the one before it has
// ended, and a TTL has passed since something was last done to any process. In
// the end the last fire is recent, and no run is in progress.
//
// Acts postpone the moment whatever they are: a process that starts while the
// fleet is dead is as important as one that dies.
func (c *checker) progress(s *shard) {
	before, due := s.policy.Since, s.policy.Schedule.Next(s.policy.Since) // the last start, and what is due after it
	free := before                                                        // when the shard was free again
	what := "it was never started"
	for _, x := range s.runs {
		ready := later(free, due)
		if x.start.Attempt > 1 {
			ready = free // what was cut off does not wait for a fire
		}
		if late := x.start.Time.Sub(c.ready(ready, before, x.start.Time)); late > c.Bound {
			c.breach(s, 5, x.start.Time, "started %s later than it could: %s; %s", late.Round(time.Millisecond), what, x)
		}
		before, due, free, what = x.start.Time, s.policy.Schedule.Next(x.start.Fire), later(free, x.busyUntil()), x.String()
	}
	if !due.IsZero() && !s.spec.Disabled {
		if late := c.End.Sub(c.ready(later(free, due), before, c.End)); late > c.Bound {
			c.breach(s, 5, c.End, "it has not started for %s, though it could: %s", late.Round(time.Millisecond), what)
		}
	}
	c.recent(s)
}

// ready returns when a shard could start that is ready otherwise: a TTL after
// what was last done to any process meanwhile.
func (c *checker) ready(at, from, to time.Time) time.Time {
	for _, a := range c.Acts {
		if a.Time.After(from) && a.Time.Before(to) {
			at = later(at, a.Time.Add(c.TTL))
		}
	}
	return at
}

// recent checks the shard's record at the end.
func (c *checker) recent(s *shard) {
	r, ok := s.records[s.item]
	if !ok {
		if len(s.runs) > 0 || s.item < s.spec.Shards {
			c.breach(s, 5, time.Time{}, "it has no record")
		}
		return
	}
	if r.State != failover.StateIdle {
		c.breach(s, 5, time.Time{}, "it is stuck: %s", r)
	}
	if s.spec.Disabled {
		return
	}
	newest := time.Time{}
	for fire := s.policy.Schedule.Next(r.Fire); !fire.IsZero() && fire.Before(c.End.Add(-c.Bound)); fire = s.policy.Schedule.Next(fire) {
		newest = fire
	}
	if !newest.IsZero() {
		c.breach(s, 5, time.Time{}, "its last fire is %s, and %s was due", r.Fire.Format(time.TimeOnly), newest.Format(time.TimeOnly))
	}
}
