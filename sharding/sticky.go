package sharding

import (
	"cmp"
	"slices"
	"strings"
)

// sticky gives each instance a quota, the exact share of its weight rounded down or up, and leaves each
// shard where it is while its owner is within its quota. Shards without an owner fill the quotas
// that are not full.
//
// At least its share rounded down is due to everyone; what can be chosen is who rounds up. Rounding up saves
// a move for an instance that holds more than its share rounded down, and for no other, so those come
// first, and the moves are the fewest there can be. What that leaves open goes by rank.
//
// Of a job with fewer shards than instances all goes by rank, whoever holds what. An instance that joins
// would else get nothing of it, as nothing has to move: see docs/decisions/0002-few-shards.md.
//
// Time is O(shards + instances·log(instances)).
type sticky struct{}

// member is an instance and its share of one job.
type member struct {
	id    string
	held  int  // shards that it owned before
	floor int  // its exact share, rounded down
	rank  rank // its place among those who may round up; its weight is what rounding down cut off
	quota int  // shards that it shall own: floor or, if that cut off something, perhaps floor+1
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

	// Of its quota an instance keeps what it held, the lowest numbers first, and has room for the rest.
	keep, room := make([]int, len(members)), make([]int, len(members))
	for i, m := range members {
		keep[i] = min(m.held, m.quota)
		room[i] = m.quota - keep[i]
	}
	owners := make([]string, shards)
	taker := 0
	for shard := range owners {
		if shard < len(holders) && holders[shard] != nobody && keep[holders[shard]] > 0 {
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

// byRank returns the instances as members with a quota of their share, shards·weight/total, rounded down, and
// what that leaves of the shards. The order is by rank, another one for each job.
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

// nobody stands for an owner that is not live.
const nobody = -1

// hold counts what each member held, and returns for each shard in prev the index of the member that did.
func hold(members []member, prev []string) []int32 {
	index := make(map[string]int32, len(members))
	for i, m := range members {
		index[m.id] = int32(i)
	}
	holders := make([]int32, len(prev))
	for shard, id := range prev {
		i, live := index[id]
		if !live {
			holders[shard] = nobody
			continue
		}
		holders[shard] = i
		members[i].held++
	}
	return holders
}

// roundUp raises quotas until extra, what their sum lacks of the shards, is used up. It needs no second
// unit for anybody: what was cut off is less than one shard each.
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
