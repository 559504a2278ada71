package sharding

import (
	"slices"
	"strings"
)

// Rotating is a Strategy whose shards also move from instance to instance with
// their runs. Assign does not move them by itself, because it does not know of
// runs.
type Rotating interface {
	Strategy

	// Rotate returns the owners after owners, once the job has run. It returns
	// the same owners if there is no other instance. Like Assign it is pure,
	// and Assign leaves its result as it is.
	Rotate(job string, live []Instance, owners []string) []string
}

// single is ElasticJob's SingleShardingBalanceJobShardingStrategy, with the
// part of it that is in ElasticJob's facade. The only shard of a job goes round
// the instances in descending order of ID, one run each. ElasticJob begins at a
// random instance, and this where the name of the job says. ElasticJob compares
// IPs, and this IDs.
type single struct{}

func (single) Name() string { return "single" }

func (single) Assign(job string, shards int, live []Instance, prev []string) []string {
	instances := descending(live)
	if len(instances) == 0 || shards > MaxShards {
		return nil
	}
	if shards == 1 && len(prev) > 0 && prev[0] != "" {
		return []string{instances[turn(prev[0], instances)].ID}
	}
	rotated(job, instances)
	return inBlocks(shards, instances)
}

func (single) Rotate(_ string, live []Instance, owners []string) []string {
	instances := descending(live)
	if len(instances) == 0 || len(owners) != 1 {
		return owners
	}
	next := turn(owners[0], instances)
	if instances[next].ID == owners[0] {
		next = (next + 1) % len(instances)
	}
	return []string{instances[next].ID}
}

// turn returns the index of the instance of that ID or, if it is gone, of the
// next one.
func turn(id string, descending []Instance) int {
	i, _ := slices.BinarySearchFunc(descending, id, func(in Instance, id string) int {
		return strings.Compare(id, in.ID)
	})
	return i % len(descending)
}
