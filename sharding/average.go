package sharding

import "slices"

// average is ElasticJob's AverageAllocationJobShardingStrategy: of N shards
// over M instances, in descending order of ID, each gets the next N/M shards,
// and the N%M shards that remain at the end go one each to the first instances.
// 8 shards over 3: [0 1 6] [2 3 7] [4 5].
//
// ElasticJob's Java compares IDs by UTF-16 unit and Go by byte. The orders
// differ only if an ID has characters beyond U+FFFF.
type average struct{}

func (average) Name() string { return "average" }

func (average) Assign(_ string, shards int, live []Instance, _ []string) []string {
	instances := descending(live)
	if len(instances) == 0 || shards > MaxShards {
		return nil
	}
	return inBlocks(shards, instances)
}

// descending returns the instances in the order in which ElasticJob lists them.
func descending(live []Instance) []Instance {
	instances := canonical(live)
	slices.Reverse(instances)
	return instances
}

// inBlocks gives shards to instances, of which there is one at least, in their
// order.
func inBlocks(shards int, instances []Instance) []string {
	owners := make([]string, max(shards, 0))
	block := len(owners) / len(instances)
	rest := block * len(instances)
	for shard := range owners {
		if shard < rest {
			owners[shard] = instances[shard/block].ID
			continue
		}
		owners[shard] = instances[shard-rest].ID
	}
	return owners
}
