package layout

import (
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/years"
)

// Assignment says which instance owns which shard of a job. It is a hint about
// who should act; safety rests on records alone.
type Assignment struct {
	Epoch    uint64   // grows by one with every change
	Strategy string   // the strategy that made it
	Owners   []string // of shard 0, 1, …; empty where no instance may own the shard

	// Grown is when a broadcast last got more shards: those that never ran
	// count their fires from here.
	Grown time.Time

	// Surplus is set after the job lost shards: records of the shards from
	// len(Owners) up to it may still exist, and whoever leads the job removes
	// them. It is written down so that a leader that dies half-way leaves
	// nothing behind.
	Surplus int

	// Fences is the floor of the fences: a claim that rests on this assignment
	// has at least this one, and less than Ceiling. So all claims that rest on
	// an assignment with a floor of Ceiling or more have greater fences than
	// all that rest on this one.
	Fences uint64

	// Division says how the job's parameters divide its work; see
	// Spec.Division. With another one, other shards do the same work.
	Division string

	// Triggers is the number of the last trigger that was given before a
	// broadcast last got more shards: those that are new pass over all up to
	// it. A shard of the same number may have been there before, and begun
	// them.
	Triggers uint64
}

// FenceSpan is how many fences lie between an assignment's floor and its
// ceiling. A shard that is claimed once a second takes nine hours to come to
// the ceiling, and then costs one more commit. A floor that is raised much more
// often than every 33 seconds (FenceSpan milliseconds) runs ahead of the clock;
// see decision 3 for what that means.
const FenceSpan = 1 << 15

// maxFences is the greatest floor that is ever given. 70 million floors fit
// below it, from a clock of today on.
const maxFences = failover.MaxFence / 2

// Ceiling is the least fence that no claim may have which rests on this
// assignment. Beyond the greatest floor there is none.
func (a *Assignment) Ceiling() uint64 {
	if a.Fences >= maxFences {
		return failover.MaxFence
	}
	return a.Fences + FenceSpan
}

// RaiseFences sets the floor of an assignment that is to follow this one to a
// number above all fences that were given under this one and those before it,
// and to at least the given one. Where no assignment was before, the floor is
// the time in milliseconds since 1970: the job may have been removed and made
// again, or moved to another store, and a resource remembers its fences.
func (a *Assignment) RaiseFences(now time.Time, least uint64) {
	least = max(least, uint64(max(years.Clamp(now).UnixMilli(), 1)))
	if a.Fences > 0 {
		least = max(least, a.Ceiling())
	}
	a.Fences = min(least, maxFences)
}

// Divides reports whether the work of a job is divided otherwise by another
// assignment, so that a piece of it can have another shard. Of a broadcast any
// change of its owners counts: its work is that of the instances.
func (a *Assignment) Divides(other Assignment) bool {
	return len(a.Owners) != len(other.Owners) || a.Strategy != other.Strategy || a.Division != other.Division ||
		a.Strategy == BroadcastSharding && !slices.Equal(a.Owners, other.Owners)
}

// none stands for no owner.
const none = -1

// assignmentDoc names each owner once: an ID is long, and a job can have
// thousands of shards.
type assignmentDoc struct {
	V         int       `json:"v"`
	Epoch     uint64    `json:"epoch"`
	Strategy  string    `json:"strategy"`
	Shards    int       `json:"shards"`
	Instances []string  `json:"instances"`
	Owners    []int     `json:"owners"` // indexes into Instances, or none
	Surplus   int       `json:"surplus,omitempty"`
	Grown     time.Time `json:"grown,omitzero"`
	Fences    uint64    `json:"fences,omitempty"`
	Division  string    `json:"division,omitempty"`
	Triggers  uint64    `json:"triggers,omitempty"`
}

// Encode returns the document as it is stored.
func (a Assignment) Encode() []byte {
	ids := slices.DeleteFunc(slices.Clone(a.Owners), func(id string) bool { return id == "" })
	slices.Sort(ids)
	ids = slices.Compact(ids)
	a.Grown = years.Clamp(a.Grown)
	a.Epoch = min(a.Epoch, failover.MaxFence)
	owners := make([]int, len(a.Owners))
	for shard, id := range a.Owners {
		owners[shard] = none
		if id != "" {
			owners[shard], _ = slices.BinarySearch(ids, id)
		}
	}
	return encode(assignmentDoc{
		version,
		a.Epoch,
		a.Strategy,
		len(owners),
		ids,
		owners,
		a.Surplus,
		a.Grown,
		a.Fences,
		a.Division,
		a.Triggers,
	})
}

// DecodeAssignment reads a stored document.
func DecodeAssignment(b []byte) (Assignment, error) {
	var d assignmentDoc
	if err := decode(b, "an assignment", &d); err != nil {
		return Assignment{}, err
	}
	if d.V != version {
		return Assignment{}, wrongVersion("assignment", d.V)
	}
	if d.Shards != len(d.Owners) {
		return Assignment{}, fmt.Errorf("assignment of %d shards with %d owners", d.Shards, len(d.Owners))
	}
	if d.Shards > MaxShards {
		return Assignment{}, fmt.Errorf("assignment of %d shards: want at most %d", d.Shards, MaxShards)
	}
	if d.Epoch > failover.MaxFence || d.Triggers > failover.MaxFence {
		return Assignment{}, fmt.Errorf("assignment of epoch %d after trigger %d: want at most %d",
			d.Epoch, d.Triggers, uint64(failover.MaxFence))
	}
	if err := CheckName(d.Strategy); err != nil {
		return Assignment{}, fmt.Errorf("assignment by a strategy whose name %w", err)
	}
	if err := within("assignment", d.Grown); err != nil {
		return Assignment{}, err
	}
	for _, id := range d.Instances {
		if err := CheckID(id); err != nil {
			return Assignment{}, fmt.Errorf("assignment with an instance whose ID %w", err)
		}
	}
	if d.Surplus < 0 || d.Surplus > MaxShards {
		return Assignment{}, fmt.Errorf("assignment with a surplus up to shard %d", d.Surplus)
	}
	if d.Fences > maxFences {
		return Assignment{}, fmt.Errorf("assignment with fences from %d: want at most %d", d.Fences, uint64(maxFences))
	}
	a := Assignment{
		Epoch:    d.Epoch,
		Strategy: d.Strategy,
		Owners:   make([]string, d.Shards),
		Surplus:  d.Surplus,
		Grown:    d.Grown,
		Fences:   d.Fences,
		Division: d.Division,
		Triggers: d.Triggers,
	}
	for shard, i := range d.Owners {
		if i == none {
			continue
		}
		if i < 0 || i >= len(d.Instances) {
			return Assignment{}, fmt.Errorf("assignment gives shard %d to instance number %d of %d",
				shard, i, len(d.Instances))
		}
		a.Owners[shard] = d.Instances[i]
	}
	return a, nil
}
