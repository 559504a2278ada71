package sharding

import (
	"errors"
	"maps"

	"github.com/elasticjob-go/elastic/internal/guard"
)

// Func returns a Strategy of that name that calls assign. The function must
// behave as Assign of [Strategy]: pure, independent of the order of live, and
// each shard goes to a live instance; [Valid] checks the last. Given its own
// result and the same instances, it should return that result, or shards move
// forever. If assign is nil, the strategy is not valid, and
// elastic.WithStrategy refuses it.
//
// All instances that have the job must register the same function under the
// same name.
func Func(name string, assign func(job string, shards int, live []Instance, prev []string) []string) Strategy {
	return &function{name, assign}
}

type function struct {
	name   string
	assign func(job string, shards int, live []Instance, prev []string) []string
}

func (f *function) Name() string { return f.name }

// Validate returns an error if there is no function.
func (f *function) Validate() error {
	if f.assign == nil {
		return errors.New("the function is nil")
	}
	return nil
}

func (f *function) Assign(job string, shards int, live []Instance, prev []string) []string {
	if f.assign == nil {
		return nil
	}
	return f.assign(job, shards, live, prev)
}

// Pin returns a Strategy of that name that assigns shards to instances by name,
// the part of the ID before the last @: owners[3] is the name of the instance
// that owns shard 3 whenever it is live. Among several instances of that name,
// the owner keeps the shard; otherwise the greatest ID gets it. The strategy
// rest assigns the other shards, and those whose instances are gone, as if they
// were all the shards of the job. A nil rest is [Sticky].
//
// All instances that have the job must register the same pins under the same
// name. Numbers beyond the shards of the job are ignored.
func Pin(name string, owners map[int]string, rest Strategy) Strategy {
	if rest == nil {
		rest = Sticky
	}
	return &pinned{name, maps.Clone(owners), rest}
}

type pinned struct {
	name   string
	owners map[int]string
	rest   Strategy
}

func (p *pinned) Name() string { return p.name }

// Validate returns an error if the strategy for the rest is not valid.
func (p *pinned) Validate() error {
	if guard.IsNil(p.rest) {
		return errors.New("the strategy for the rest is a nil pointer")
	}
	if rest, ok := p.rest.(interface{ Validate() error }); ok {
		return rest.Validate()
	}
	return nil
}

func (p *pinned) Assign(job string, shards int, live []Instance, prev []string) []string {
	instances := canonical(live)
	if len(instances) == 0 || shards > MaxShards {
		return nil
	}
	byName, ids := make(map[string]string), make(map[string]bool)
	for _, in := range instances { // ascending, so that the greatest ID remains
		byName[nameOf(in.ID)], ids[in.ID] = in.ID, true
	}
	owners := make([]string, max(shards, 0))
	var free []int
	var before []string // of the free ones
	for shard := range owners {
		name, pinned := p.owners[shard]
		had := at(prev, shard)
		switch {
		case pinned && ids[had] && nameOf(had) == name:
			owners[shard] = had
		case pinned && byName[name] != "":
			owners[shard] = byName[name]
		default:
			free, before = append(free, shard), append(before, had)
		}
	}
	for i, id := range p.rest.Assign(job, len(free), live, before) {
		if i < len(free) { // rest may be a user's, and wrong
			owners[free[i]] = id
		}
	}
	return owners
}
