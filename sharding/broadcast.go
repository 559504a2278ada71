package sharding

// Broadcast gives each live instance one shard, so there are as many shards as
// instances. An owner keeps its shard as long as the number of the shard is
// below the number of instances. The shard of an instance that is gone goes to
// the owner of the highest number, or to a new instance. Instances are taken in
// the given order.
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
