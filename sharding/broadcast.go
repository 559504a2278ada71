package sharding

// Broadcast gives each live instance one shard: there are as many shards as instances. Who has a shard keeps it as long as its number is
// below that of the instances; of an instance that is gone the number goes to the one with the highest, or to a new one. Instances
// are taken in the order given.
func Broadcast(live []Instance, prev []string) []string {
	owners := make([]string, len(live))
	alive := make(map[string]bool, len(live))
	for _, i := range live {
		alive[i.ID] = true
	}
	for shard, id := range prev {
		if shard < len(owners) && alive[id] {
			owners[shard] = id
			delete(alive, id) // it has its one
		}
	}
	free := 0
	for _, i := range live {
		if !alive[i.ID] {
			continue
		}
		for owners[free] != "" {
			free++
		}
		owners[free] = i.ID
	}
	return owners
}
