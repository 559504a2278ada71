package sharding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/elasticjob-go/elastic/internal/elasticjob"
)

// MaxShards is the largest number of shards of one job. An assignment is one document in a store, and
// stores take values of about a megabyte: more shards than this could be computed, but not written down.
const MaxShards = 1 << 20

// maxWeight keeps shards × weight, and the sum of all weights, far from the end of 64 bits.
const maxWeight = 1 << 30

// Instance is somebody who can own shards.
//
// An Instance without an ID owns nothing, as "" in an assignment means that nobody does.
type Instance struct {
	// ID is unique among the live instances. Should one be listed twice, it counts once, with the
	// greater weight.
	ID string

	// Weight is how much the instance takes in relation to the others: 2 takes twice the shards of 1.
	// Zero means 1, and so does anything below it: who shall own nothing is not listed as live. Weights
	// above 2^30 count as 2^30. Only Sticky and Static go by weights.
	Weight int
}

// Strategy assigns the shards of a job to instances.
//
// Implementations are pure and therefore safe for concurrent use: the same arguments give the same
// result in every process, whatever the order of live. They keep and change none of their arguments.
type Strategy interface {
	// Name is what ByName and a job's spec call the strategy.
	Name() string

	// Assign returns for each shard 0..shards-1 of the job the ID of its owner, or nil if no instance
	// is live or shards exceeds MaxShards. The result is empty if shards is zero or less.
	//
	// prev is the assignment before this one, shard by shard. It may be nil, shorter or longer than
	// shards, and contain "" or IDs of instances that are gone.
	Assign(job string, shards int, live []Instance, prev []string) []string
}

// The strategies of this package.
var (
	// Average gives each instance, in descending order of ID, a contiguous block of shards, and those
	// that remain one each to the first instances, as ElasticJob does. It knows neither weights nor
	// the previous owners: when an instance comes or goes, a quarter to a half of all shards move.
	Average Strategy = average{}

	// Sticky is the default. Each instance gets the share of its weight, rounded down or up, and as few
	// shards move as that allows: when an instance of 10 leaves, its tenth does and no more. Who rounds
	// up, where no move depends on it, goes by a hash of job and instance.
	//
	// Of a job with fewer shards than instances, that hash alone says who gets one: 1,000 jobs of one
	// shard spread over 7 instances as 1,000 throws of a die would, however often instances came and went
	// before. Who leaves gives up its shards, who joins takes its fair part, and nothing else moves.
	//
	// One shard goes to each instance with a probability of its part of all weights. Of two shards and
	// more, heavy instances get somewhat less than that, as none gets two where its exact share is below one:
	// of two shards over the weights 4, 2, 2, 1, 1 the first gets 0.69 on average, not 0.8.
	Sticky Strategy = sticky{}

	// Odevity is Average with the instances in ascending order of ID instead if the hash of the job's name is even, as
	// ElasticJob's ODEVITY: of many jobs with fewer shards than instances, half begin at the other end.
	Odevity Strategy = &byName{"odevity", oddOrEven}

	// Rotate is Average that begins with the instance that the hash of the job's name picks, and goes round from there, as
	// ElasticJob's ROUND_ROBIN does.
	Rotate Strategy = &byName{"rotate", rotated}

	// Single is ElasticJob's SINGLE_SHARDING_BALANCE. The shard of a job of one shard stays where it is, goes to the next instance in
	// descending order of ID if its owner is gone, and is passed on after each run, by Rotate of this Rotating, which costs the
	// store a commit. To begin with, and with more shards than one, it assigns as the strategy Rotate.
	Single Rotating = single{}

	// Static moves nothing that has a live owner, as ElasticJob's static sharding: who joins takes only what nobody has. When an
	// owner is gone its shards go to an instance of its name (the part of the ID before the last @) if there is one, as after
	// a restart, and else to those that have least for their weight, and stay there.
	Static Strategy = static{}
)

// ByName returns the strategy of that name, Sticky for "". The error for any other name lists those
// that there are.
func ByName(name string) (Strategy, error) {
	if name == "" {
		return Sticky, nil
	}
	var known []string
	for _, s := range []Strategy{Average, Odevity, Rotate, Single, Static, Sticky} {
		if s.Name() == name {
			return s, nil
		}
		known = append(known, s.Name())
	}
	if own := elasticjob.Strategy(name); own != "" {
		return nil, fmt.Errorf("sharding strategy %q is ElasticJob's name; write %s", name, own)
	}
	return nil, fmt.Errorf("sharding strategy %.100q is unknown, there are: %s", name, strings.Join(known, ", "))
}

// Valid returns nil if owners gives each of the job's shards, and no other, to a live instance. If it
// doesn't, the error names the first shard that is wrong. Whether the shares are even is not asked. Where
// nobody is live, only a job of no shards has a valid assignment.
//
// It is safe for concurrent use.
func Valid(owners []string, shards int, live []Instance) error {
	shards = max(shards, 0)
	if shards > MaxShards {
		return fmt.Errorf("%d shards are more than the %d that a job can have", shards, MaxShards)
	}
	alive := make(map[string]bool, len(live))
	for _, in := range live {
		alive[in.ID] = true
	}
	for shard, id := range owners {
		switch {
		case shard >= shards:
			return fmt.Errorf("shard %d is given to %q, but the job has %d shards", shard, id, shards)
		case id == "":
			return fmt.Errorf("shard %d has no owner", shard)
		case !alive[id]:
			return fmt.Errorf("shard %d is given to %q, which is not live", shard, id)
		}
	}
	if len(owners) < shards {
		return fmt.Errorf("shard %d has no owner", len(owners))
	}
	return nil
}

// canonical returns the instances that can own shards: in ascending order of ID, each once, with
// weights from 1 to maxWeight.
func canonical(live []Instance) []Instance {
	out := make([]Instance, 0, len(live))
	for _, in := range live {
		if in.ID == "" {
			continue
		}
		out = append(out, Instance{ID: in.ID, Weight: min(max(in.Weight, 1), maxWeight)})
	}
	slices.SortFunc(out, func(a, b Instance) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), cmp.Compare(b.Weight, a.Weight))
	})
	return slices.CompactFunc(out, func(a, b Instance) bool { return a.ID == b.ID })
}
