package layout

import (
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/years"
)

// Assignment says which instance owns which shard of a job. It is a hint about who should act; safety rests on records
// alone.
type Assignment struct {
	Epoch    uint64   // grows by one with every change
	Strategy string   // the strategy that made it
	Owners   []string // of shard 0, 1, …

	// Grown is when a broadcast last got more shards: those that never ran count their fires from here.
	Grown time.Time

	// Surplus is set after the job lost shards: records of the shards from len(Owners) up to it may still exist, and whoever
	// leads the job removes them. It is written down so that a leader that dies half-way leaves nothing behind.
	Surplus int

	// Fences is the least that the first fence of a record may be; zero while the job has never got shards back.
	Fences uint64

	// Triggers is the number of the last trigger that was given before a broadcast last got more shards: those that are new pass over all up to
	// it. A shard of the same number may have been there before, and begun them.
	Triggers uint64
}

// fencesApart is more than the clocks of two instances may differ by, in milliseconds, as first fences count.
const fencesApart = 3 * uint64(failover.MaxSkew/time.Millisecond)

// RaiseFences is for a job that gets shards. It may have had them before, and lost them, and their records with them: the fences of
// those that are made now are greater than all that were given then, whatever the clocks of their instances show.
func (a *Assignment) RaiseFences(now time.Time) {
	a.Fences = min(max(a.Fences, uint64(max(years.Clamp(now).UnixMilli(), 0)))+fencesApart, maxFences)
}

// maxFences bounds Fences: far above all clocks, and far below MaxFence.
const maxFences = failover.MaxFence / 2

// assignmentDoc names each owner once: an ID is long, and a job can have thousands of shards.
type assignmentDoc struct {
	V         int       `json:"v"`
	Epoch     uint64    `json:"epoch"`
	Strategy  string    `json:"strategy"`
	Shards    int       `json:"shards"`
	Instances []string  `json:"instances"`
	Owners    []int     `json:"owners"` // indexes into Instances
	Surplus   int       `json:"surplus,omitempty"`
	Grown     time.Time `json:"grown,omitzero"`
	Fences    uint64    `json:"fences,omitempty"`
	Triggers  uint64    `json:"triggers,omitempty"`
}

// Encode returns the document as it is stored.
func (a Assignment) Encode() []byte {
	ids := slices.Clone(a.Owners)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	a.Grown = years.Clamp(a.Grown)
	a.Epoch = min(a.Epoch, failover.MaxFence)
	owners := make([]int, len(a.Owners))
	for shard, id := range a.Owners {
		owners[shard], _ = slices.BinarySearch(ids, id)
	}
	return encode(assignmentDoc{version, a.Epoch, a.Strategy, len(owners), ids, owners, a.Surplus, a.Grown, a.Fences, a.Triggers})
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
		return Assignment{}, fmt.Errorf("assignment of epoch %d after trigger %d: want at most %d", d.Epoch, d.Triggers, uint64(failover.MaxFence))
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
	a := Assignment{Epoch: d.Epoch, Strategy: d.Strategy, Owners: make([]string, d.Shards), Surplus: d.Surplus, Grown: d.Grown, Fences: d.Fences, Triggers: d.Triggers}
	for shard, i := range d.Owners {
		if i < 0 || i >= len(d.Instances) {
			return Assignment{}, fmt.Errorf("assignment gives shard %d to instance number %d of %d", shard, i, len(d.Instances))
		}
		a.Owners[shard] = d.Instances[i]
	}
	return a, nil
}
