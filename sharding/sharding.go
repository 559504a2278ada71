package sharding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/elasticjob-go/elastic/internal/elasticjob"
)

// MaxShards is the largest number of shards of one job. An assignment is one
// document in a store, and stores take values of about a megabyte, so a larger
// assignment could not be stored.
const MaxShards = 1 << 20

// maxWeight keeps shards × weight, and the sum of all weights, well within 64
// bits.
const maxWeight = 1 << 30

// Instance is a candidate for owning shards. An Instance without an ID owns
// nothing, because "" in an assignment means that a shard has no owner.
type Instance struct {
	// ID is unique among the live instances. An ID that is listed twice counts
	// once, with the greater weight.
	ID string

	// Weight is the share of the instance in relation to the others: 2 gets
	// twice the shards of 1. Zero and less mean 1. To own nothing, an instance
	// must not be listed as live. Weights above 2^30 count as 2^30. Only Sticky
	// and Static use weights.
	Weight int
}

// Strategy assigns the shards of a job to instances.
//
// Implementations must be pure, and so are safe for concurrent use: the same
// arguments give the same result in every process, whatever the order of live.
// They must not keep or change their arguments.
type Strategy interface {
	// Name returns the name of the strategy in ByName and in the spec of a job.
	Name() string

	// Assign returns the ID of the owner of each shard 0..shards-1, or nil if
	// no instance is live or shards exceeds MaxShards. The result is empty if
	// shards is zero or less.
	//
	// prev is the previous assignment, shard by shard. It may be nil, shorter
	// or longer than shards, and contain "" or IDs of instances that are gone.
	Assign(job string, shards int, live []Instance, prev []string) []string
}

// The strategies of this package.
var (
	// Average gives each instance, in descending order of ID, a contiguous
	// block of shards. The remaining shards go one each to the first instances,
	// as in ElasticJob. It ignores weights and previous owners: when an
	// instance comes or goes, a quarter to a half of all shards move.
	Average Strategy = average{}

	// Sticky is the default. Each instance gets the share of its weight,
	// rounded down or up, and as few shards move as that allows: when one of 10
	// instances leaves, a tenth of the shards move. Where it does not affect
	// the moves, a hash of job and instance selects the instances that round
	// up.
	//
	// In a job with fewer shards than instances, only that hash selects the
	// owners. 1,000 jobs of one shard spread over 7 instances as 1,000 throws
	// of a die would, whatever happened before. A leaving instance gives up its
	// shards, a new one takes its fair part, and nothing else moves.
	//
	// One shard goes to each instance with a probability of its part of all
	// weights. Of two or more shards, heavy instances get somewhat less,
	// because no instance gets two if its exact share is below one: of two
	// shards over the weights 4, 2, 2, 1, 1 the first gets 0.69 on average, not
	// 0.8.
	Sticky Strategy = sticky{}

	// Odevity is ElasticJob's ODEVITY: Average, with the instances in ascending
	// order of ID if the hash of the job's name is even. So half of many small
	// jobs begin at the other end.
	Odevity Strategy = &byName{"odevity", oddOrEven}

	// Rotate is ElasticJob's ROUND_ROBIN: Average, beginning with the instance
	// that the hash of the job's name selects.
	Rotate Strategy = &byName{"rotate", rotated}

	// Single is ElasticJob's SINGLE_SHARDING_BALANCE. The shard of a job of one
	// shard stays where it is. It goes to the next instance in descending order
	// of ID if its owner is gone, and after each run, by the method Rotate,
	// which costs the store a commit. The first assignment, and jobs of more
	// shards, are as with the strategy Rotate.
	Single Rotating = single{}

	// Static moves no shard whose owner is live, as ElasticJob's static
	// sharding. A new instance gets only shards without an owner. The shards of
	// an instance that is gone go to an instance of the same name (the part of
	// the ID before the last @) if there is one, as after a restart. Otherwise
	// they go to the instances with the fewest shards for their weight, and
	// stay there.
	Static Strategy = static{}
)

// ByName returns the built-in strategy of a name, and Sticky for "". For any
// other name the error lists the built-in strategies.
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

// Valid returns nil if owners gives each shard of the job, and no other, to a
// live instance. Otherwise the error names the first wrong shard. Valid does
// not check whether the shares are even. If no instance is live, only a job of
// no shards has a valid assignment. It is safe for concurrent use.
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

// canonical returns the instances that can own shards, in ascending order of
// ID, each once, with weights from 1 to maxWeight.
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
