package fleet

import "github.com/elasticjob-go/elastic/status"

// Triggers returns the triggers that the store keeps of a job. Whether shards
// whose records were not read wait for one is not said.
func (j *Job) Triggers() []status.Trigger {
	var all []status.Trigger
	for _, t := range j.Signals.Triggers {
		s := status.Trigger{
			Number:    t.Seq,
			By:        t.By,
			At:        t.At.UTC(),
			Shards:    t.Shards,
			Parameter: t.Parameter,
		}
		for shard := range j.Shards() {
			r, read := j.Records[shard]
			if read && r.Err == nil && j.Spec != nil && t.Awaits(shard, r.Record, j.Policy(shard)) {
				s.Waiting = append(s.Waiting, shard)
			}
		}
		all = append(all, s)
	}
	return all
}
