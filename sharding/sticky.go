package sharding

import (
	"cmp"
	"slices"
	"strings"
)

// sticky gives each instance a quota, the exact share of its weight rounded
// down or up. A shard stays where it is while its owner is within its quota.
// Shards without an owner fill the quotas that are not full.
//
// Each instance gets at least its share rounded down. The choice is which
// instances round up. Rounding up saves a move only for an instance that holds
// more than its share rounded down. So these come first, and the moves are the
// fewest possible. The rest goes by rank.
//
// In a job with fewer shards than instances, all shards go by rank, whatever
// the previous owners. Otherwise a new instance would get none of them, because
// no shard has to move: see docs/decisions/0002-few-shards.md.
//
// Time is O(shards + instances·log(instances)).
type sticky struct{}

// member is an instance and its share of one job.
type member struct {
	id    string
	held  int  // shards that it owned before
	floor int  // its exact share, rounded down
	rank  rank // its place among the instances that may round up; its weight is the part that rounding down cut off
	quota int  // shards that it will own: floor or, if rounding cut off a part, perhaps floor+1
}

func (sticky) Name() string { return "sticky" }

func (sticky) Assign(job string, shards int, live []Instance, prev []string) []string {
	instances := canonical(live)
	if len(instances) == 0 || shards > MaxShards {
		return nil
	}
	shards = max(shards, 0)
	members, extra := byRank(job, shards, instances)
	holders := hold(members, prev[:min(len(prev), shards)])
	roundUp(members, extra, shards < len(instances))

	// An instance keeps the shards that it held, the lowest numbers first, up
	// to its quota, and has room for the rest of the quota.
	keep := make([]int, len(members))
	room := make([]int, len(members))
	for i, m := range members {
		keep[i] = min(m.held, m.quota)
		room[i] = m.quota - keep[i]
	}
	owners := make([]string, shards)
	taker := 0
	for shard := range owners {
		if shard < len(holders) && holders[shard] != noOwner && keep[holders[shard]] > 0 {
			keep[holders[shard]]--
			owners[shard] = members[holders[shard]].id
			continue
		}
		// Quotas add up to shards: there is room until the last one.
		for room[taker] == 0 {
			taker++
		}
		room[taker]--
		owners[shard] = members[taker].id
	}
	return owners
}

// byRank returns the instances as members whose quota is their share,
// shards·weight/total, rounded down, and the number of shards that remain. The
// order is by rank, which is different for each job.
func byRank(job string, shards int, instances []Instance) (members []member, extra int) {
	var total uint64
	for _, in := range instances {
		total += uint64(in.Weight)
	}
	seed := hash(offset64, job)
	members, extra = make([]member, len(instances)), shards
	for i, in := range instances {
		parts := uint64(shards) * uint64(in.Weight) // at most 2^20 · 2^30
		floor := int(parts / total)
		members[i] = member{id: in.ID, floor: floor, quota: floor, rank: rank{throw(hash(seed, in.ID)), parts % total}}
		extra -= floor
	}
	slices.SortFunc(members, func(a, b member) int {
		return cmp.Or(a.rank.compare(b.rank), strings.Compare(a.id, b.id))
	})
	return members, extra
}

// noOwner stands for an owner that is not live.
const noOwner = -1

// hold counts the shards that each member held, and returns the index of the
// previous owner of each shard.
func hold(members []member, prev []string) []int32 {
	index := make(map[string]int32, len(members))
	for i, m := range members {
		index[m.id] = int32(i)
	}
	holders := make([]int32, len(prev))
	for shard, id := range prev {
		i, live := index[id]
		if !live {
			holders[shard] = noOwner
			continue
		}
		holders[shard] = i
		members[i].held++
	}
	return holders
}

// roundUp raises quotas until extra, the shards missing from their sum, is used
// up. No member needs two: rounding down cut off less than one shard each.
func roundUp(members []member, extra int, byRankAlone bool) {
	for _, turn := range [...]bool{true, false} {
		for i := range members {
			m := &members[i]
			saves := m.held > m.floor && !byRankAlone
			if extra > 0 && m.rank.weight > 0 && saves == turn {
				m.quota++
				extra--
			}
		}
	}
}
