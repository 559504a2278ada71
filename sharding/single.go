package sharding

import (
	"slices"
	"strings"
)

// Rotating is a Strategy whose shards also pass from instance to instance with their runs. Assign does not pass
// anything on by itself, as it knows of no runs: the same arguments give the same result.
type Rotating interface {
	Strategy

	// Rotate returns the owners that follow owners once the job has run. It is the same if there is nobody
	// else to pass to. Like Assign it is pure, and its result is one that Assign leaves as it is.
	Rotate(job string, live []Instance, owners []string) []string
}

// single is ElasticJob's SingleShardingBalanceJobShardingStrategy with the part of it that is in ElasticJob's facade: the only
// shard of a job goes round the instances in descending order of ID, one run each. Where ElasticJob begins at a
// random instance, this begins where the job's name says, and where ElasticJob compares IPs, this compares IDs.
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

// turn returns the index of the instance of that ID or, if it is gone, of the one that comes after it.
func turn(id string, descending []Instance) int {
	i, _ := slices.BinarySearchFunc(descending, id, func(in Instance, id string) int { return strings.Compare(id, in.ID) })
	return i % len(descending)
}
