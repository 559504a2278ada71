package sharding

import (
	"cmp"
	"strings"
)

// static moves no shard whose owner is live. A shard whose owner is gone goes
// to the instance of the same name, if it is back under another ID, and
// otherwise to the instance with the fewest shards for its weight.
type static struct{}

func (static) Name() string { return "static" }

func (static) Assign(job string, shards int, live []Instance, prev []string) []string {
	instances := canonical(live)
	if len(instances) == 0 || shards > MaxShards {
		return nil
	}
	owners := make([]string, max(shards, 0))
	byID, byName := make(map[string]*load, len(instances)), make(map[string]*load, len(instances))
	seed := hash(offset64, job)
	takers := make(byLoad, len(instances))
	for i, in := range instances {
		l := &load{id: in.ID, weight: in.Weight, rank: rank{throw(hash(seed, in.ID)), uint64(in.Weight)}}
		takers[i] = l
		byID[in.ID] = l
		byName[nameOf(in.ID)] = l
	}
	var orphans []int
	for shard := range owners {
		owner := byID[at(prev, shard)]
		if owner == nil && at(prev, shard) != "" {
			owner = byName[nameOf(prev[shard])]
		}
		if owner == nil {
			orphans = append(orphans, shard)
			continue
		}
		owners[shard] = owner.id
		owner.held++
	}
	takers.order()
	for _, shard := range orphans {
		owners[shard] = takers[0].id
		takers[0].held++
		takers.sink(0)
	}
	return owners
}

// at returns the owner of a shard in an assignment that may be shorter.
func at(owners []string, shard int) string {
	if shard < len(owners) {
		return owners[shard]
	}
	return ""
}

// nameOf returns the part of an instance ID before the last @, which stays the
// same after a restart.
func nameOf(id string) string {
	if i := strings.LastIndexByte(id, '@'); i >= 0 {
		return id[:i]
	}
	return id
}

// load is the number of shards of an instance.
type load struct {
	id           string
	held, weight int
	rank         rank
}

// byLoad is a heap. Its first element gets the next shard.
type byLoad []*load

// before reports whether a gets a shard before b: with one more shard it would
// have less for its weight.
func (a *load) before(b *load) bool {
	return cmp.Or(
		cmp.Compare((a.held+1)*b.weight, (b.held+1)*a.weight), // at most 2^20 · 2^30
		a.rank.compare(b.rank),
		strings.Compare(a.id, b.id),
	) < 0
}

// order makes h a heap.
func (h byLoad) order() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.sink(i)
	}
}

// sink moves the element at i, which may be too early, to its place.
func (h byLoad) sink(i int) {
	for {
		first := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child].before(h[first]) {
				first = child
			}
		}
		if first == i {
			return
		}
		h[i], h[first] = h[first], h[i]
		i = first
	}
}
