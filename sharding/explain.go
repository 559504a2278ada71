package sharding

// Explanation says why an instance owns a shard.
type Explanation struct {
	// Owner is the instance that the strategy gives the shard to; empty if none
	// may own it.
	Owner string

	// Kept reports whether that instance owned the shard before.
	Kept bool

	// Holds is the number of shards of the job that the strategy gives to
	// Owner, and Fair its exact share of all by weight.
	Holds int
	Fair  float64
}

// Explain returns why a strategy gives a shard to an instance. The arguments
// are those of [Strategy.Assign]. A shard that the job does not have, or that
// the strategy gives to no instance, has no owner.
func Explain(s Strategy, job string, shards int, live []Instance, prev []string, shard int) Explanation {
	owners := s.Assign(job, shards, live, prev)
	if shard < 0 || shard >= len(owners) || owners[shard] == "" {
		return Explanation{}
	}
	e := Explanation{Owner: owners[shard]}
	e.Kept = at(prev, shard) == e.Owner
	for _, id := range owners {
		if id == e.Owner {
			e.Holds++
		}
	}
	total, own := 0, 0
	for _, in := range canonical(live) {
		total += in.Weight
		if in.ID == e.Owner {
			own = in.Weight
		}
	}
	if total > 0 {
		e.Fair = float64(shards) * float64(own) / float64(total)
	}
	return e
}
