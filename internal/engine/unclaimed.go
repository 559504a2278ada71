package engine

import (
	"time"

	"github.com/elasticjob-go/elastic/failover"
)

// A job without claims has no records in the store. Its shards have one all the same, which this instance alone remembers; so everything
// else is decided as for any job, and writes cost nothing.

// keepRecord sees to it that a shard's record is kept where its job wants it. A run ends where it began. What was before this instance had a
// shard without claims is not known.
func (e *Engine) keepRecord(s *shard) {
	unclaimed := s.job.policy.Unclaimed && !s.surplus // what is left of a shard that the job lost is in the store
	if s.unclaimed != unclaimed && s.run == nil {
		s.unclaimed, s.known = unclaimed, false
	}
	if s.unclaimed && !s.known {
		s.known, s.broken = true, false
		s.setRecord(failover.Record{}, 0)
		s.came = time.Now()
	}
}
