package sim

import "github.com/elasticjob-go/elastic/failover"

// rowsOfJob is how many rows the table of each job has.
const rowsOfJob = 24

// row is one of a table that the shards of a job share: a row is that shard's whose number is what the row's number leaves when it is divided by
// the number of shards. It is written by UPDATE … SET fence = $1 WHERE fence <= $1.
type row struct {
	fence    uint64
	division int // of its writer's claim
	order    int // of its writer's claim
}

// update has a handler write all rows of its shard. A run is refused only if it lost its claim, or the work is divided otherwise by now; and
// one that is outdated so is always refused where a later one has written. The caller holds w.mu.
func (w *World) update(x *execution, fence uint64) {
	claim, ok := w.audit.Shard(x.run.Job, x.run.Shard).Claims[x.run.Fence]
	if !ok || w.told[x.run.Job].Unclaimed {
		return // without claims there are no fences
	}
	table := w.rows[x.run.Job]
	if table == nil {
		table = make([]row, rowsOfJob)
		w.rows[x.run.Job] = table
	}
	r := w.audit.Shard(x.run.Job, x.run.Shard).Record
	holds := r.State == failover.StateRunning && r.Fence <= fence && claim.Division == w.audit.Division(x.run.Job)
	for id := x.run.Shard; id < len(table); id += x.run.Total {
		was := &table[id]
		switch {
		case was.fence > fence && holds:
			w.violate(1, x.run.Job, x.run.Shard, "row %d, with the fence %d, refuses %s, which holds the claim", id, was.fence, x)
			return
		case was.fence > fence:
			w.counts["row refused"]++
			continue
		case was.division > claim.Division:
			w.violate(1, x.run.Job, x.run.Shard, "row %d was written by a later division of the work, and takes %s", id, x)
			return
		case was.division == claim.Division && was.order > claim.Order:
			w.violate(1, x.run.Job, x.run.Shard, "row %d was written by a later claim, and takes %s", id, x)
			return
		}
		if was.division != claim.Division && was.division > 0 {
			w.counts["row by another division"]++
		}
		*was = row{fence, claim.Division, claim.Order}
	}
}
