package layout

import (
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/failover"
)

// PolicyOf returns the policy of one shard. p is the policy of the job, as
// Policy returned it, and a its assignment; nil if there is none.
func (s Spec) PolicyOf(p failover.Policy, job string, shard int, a *Assignment) failover.Policy {
	p.Delay = cron.Jitter{Max: time.Duration(s.Jitter)}.Delay(job, shard, time.Time{})
	p.Disabled = p.Disabled || slices.Contains(s.DisabledShards, shard)
	p.Enabled = s.EnabledSince(shard)
	if a != nil {
		p.Grown, p.Passed = a.Grown, a.Triggers
	}
	return p
}
