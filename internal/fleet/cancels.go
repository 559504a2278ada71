package fleet

import (
	"slices"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
)

// Over reports whether a cancel has done all that it can: each shard that it
// names has ended that fire or trigger, or a later one, or the fire does not
// count any more. Before that, a later write must keep it, or a fire that waits
// would begin after all.
func (j *Job) Over(c layout.Cancel) bool {
	if j.Spec == nil {
		return false
	}
	shards := []int(c.Shards)
	if len(shards) == 0 {
		for shard := range j.Shards() {
			shards = append(shards, shard)
		}
	}
	for _, shard := range shards {
		if shard < j.Shards() && !j.overOn(c, shard) {
			return false
		}
	}
	return true
}

func (j *Job) overOn(c layout.Cancel, shard int) bool {
	r, read := j.Records[shard]
	if !read || r.Err != nil {
		return false
	}
	if c.Trigger != 0 {
		return r.Trigger > c.Trigger || r.Trigger == c.Trigger && (r.State == failover.StateIdle || !r.IsManual())
	}
	if j.Spec.Since.After(c.Fire) {
		return true
	}
	return r.Fire.After(c.Fire) || r.Fire.Equal(c.Fire) && (r.State == failover.StateIdle || r.IsManual())
}

// cancelsOf returns the cancels of a shard.
func (j *Job) cancelsOf(shard int) []failover.Cancel {
	var all []failover.Cancel
	for _, c := range j.Signals.Cancels {
		if len(c.Shards) == 0 || slices.Contains(c.Shards, shard) {
			all = append(all, failover.Cancel{
				Fire:    c.Fire,
				Trigger: c.Trigger,
				By:      c.By,
				Why:     c.Why,
			})
		}
	}
	return all
}

// Cancels returns the cancels that the store keeps of a job.
func (j *Job) Cancels() []status.Cancel {
	var all []status.Cancel
	for _, c := range j.Signals.Cancels {
		all = append(all, status.Cancel{
			Number:  c.Seq,
			By:      c.By,
			At:      c.At.UTC(),
			Why:     c.Why,
			Fire:    c.Fire.UTC(),
			Trigger: c.Trigger,
			Shards:  c.Shards,
		})
	}
	return all
}
