package sharding_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/elasticjob-go/elastic/sharding"
)

// Six shards over three instances. When one of them leaves, only its own shards
// move.
func Example() {
	a, b, c := sharding.Instance{ID: "a"}, sharding.Instance{ID: "b"}, sharding.Instance{ID: "c"}

	owners := sharding.Sticky.Assign("invoices", 6, []sharding.Instance{a, b, c}, nil)
	fmt.Println(owners)
	owners = sharding.Sticky.Assign("invoices", 6, []sharding.Instance{a, c}, owners)
	fmt.Println(owners)
	// Output:
	// [a a b b c c]
	// [a a a c c c]
}

// Of jobs with fewer shards than instances, one that joins takes its part from
// each of the others.
func Example_fewShards() {
	a, b, c := sharding.Instance{ID: "a"}, sharding.Instance{ID: "b"}, sharding.Instance{ID: "c"}

	for _, job := range []string{"billing", "exports", "mails", "tickets", "quotes", "rates"} {
		before := sharding.Sticky.Assign(job, 1, []sharding.Instance{a, b}, nil)
		after := sharding.Sticky.Assign(job, 1, []sharding.Instance{a, b, c}, before)
		fmt.Println(job, before, after)
	}
	// Output:
	// billing [a] [a]
	// exports [b] [c]
	// mails [b] [b]
	// tickets [a] [c]
	// quotes [b] [b]
	// rates [a] [a]
}

// An instance of twice the weight owns twice as many shards.
func ExampleInstance_weight() {
	live := []sharding.Instance{{ID: "large", Weight: 2}, {ID: "small"}}

	fmt.Println(sharding.Sticky.Assign("invoices", 6, live, nil))
	// Output:
	// [small small large large large large]
}

// The result of a foreign strategy is checked before it is used.
func ExampleValid() {
	live := []sharding.Instance{{ID: "a"}, {ID: "b"}}

	fmt.Println(sharding.Valid([]string{"a", "b", "a"}, 3, live))
	fmt.Println(sharding.Valid([]string{"a", "c", "a"}, 3, live))
	// Output:
	// <nil>
	// shard 1 is given to "c", which is not live
}

// Of two jobs of one shard, ElasticJob's default gives both to the first
// instance, and its strategies by name do not.
func ExampleByName() {
	live := []sharding.Instance{{ID: "10.0.0.1@-@7"}, {ID: "10.0.0.2@-@7"}, {ID: "10.0.0.3@-@7"}}

	for _, name := range []string{"average", "odevity", "rotate", "single"} {
		strategy, err := sharding.ByName(name)
		fmt.Println(name, strategy.Assign("invoices", 1, live, nil), strategy.Assign("reminders", 1, live, nil), err)
	}
	// Output:
	// average [10.0.0.3@-@7] [10.0.0.3@-@7] <nil>
	// odevity [10.0.0.1@-@7] [10.0.0.3@-@7] <nil>
	// rotate [10.0.0.3@-@7] [10.0.0.1@-@7] <nil>
	// single [10.0.0.3@-@7] [10.0.0.1@-@7] <nil>
}

// The only shard of a job goes round the instances.
func ExampleRotating() {
	live := []sharding.Instance{{ID: "a"}, {ID: "b"}, {ID: "c"}}

	owners := sharding.Single.Assign("invoices", 1, live, nil)
	for range 4 {
		fmt.Println(owners)
		owners = sharding.Single.Rotate("invoices", live, owners)
	}
	// Output:
	// [c]
	// [b]
	// [a]
	// [c]
}

// Nothing moves to an instance that joins.
func ExampleStatic() {
	a, b := sharding.Instance{ID: "a@1"}, sharding.Instance{ID: "b@1"}

	owners := sharding.Static.Assign("invoices", 4, []sharding.Instance{a}, nil)
	fmt.Println(sharding.Static.Assign("invoices", 4, []sharding.Instance{a, b}, owners))
	// Output:
	// [a@1 a@1 a@1 a@1]
}

// Shards 0 and 1 are worked on beside the databases that they read; who works
// on the others does not matter.
func ExamplePin() {
	nearby := sharding.Pin("near the database", map[int]string{0: "db-1", 1: "db-2"}, sharding.Sticky)
	live := []sharding.Instance{{ID: "db-1@x4"}, {ID: "db-2@k9"}}

	fmt.Println(nearby.Assign("invoices", 4, live, nil))
	fmt.Println(nearby.Assign("invoices", 4, live[:1], nil))
	// Output:
	// [db-1@x4 db-2@k9 db-2@k9 db-1@x4]
	// [db-1@x4 db-1@x4 db-1@x4 db-1@x4]
}

// All shards on the instance of the greatest weight.
func ExampleFunc() {
	strongest := sharding.Func("strongest", func(_ string, shards int, live []sharding.Instance, _ []string) []string {
		best := slices.MaxFunc(live, func(a, b sharding.Instance) int {
			return cmp.Or(cmp.Compare(a.Weight, b.Weight), strings.Compare(a.ID, b.ID))
		})
		return slices.Repeat([]string{best.ID}, shards)
	})

	fmt.Println(strongest.Assign("invoices", 3, []sharding.Instance{{ID: "small"}, {ID: "large", Weight: 8}}, nil))
	// Output:
	// [large large large]
}

// Each instance has one shard, and those that stay keep theirs.
func ExampleBroadcast() {
	a, b, c := sharding.Instance{ID: "a"}, sharding.Instance{ID: "b"}, sharding.Instance{ID: "c"}

	owners := sharding.Broadcast([]sharding.Instance{a, b, c}, nil)
	fmt.Println(owners)
	fmt.Println(sharding.Broadcast([]sharding.Instance{b, c}, owners))
	// Output:
	// [a b c]
	// [c b]
}

// ElasticJob's default: blocks in descending order of instances, and what is
// left over to the first of them.
func ExampleStrategy() {
	live := []sharding.Instance{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	for _, strategy := range []sharding.Strategy{sharding.Average, sharding.Odevity, sharding.Rotate} {
		fmt.Println(strategy.Name(), strategy.Assign("invoices", 8, live, nil))
	}
	// Output:
	// average [c c b b a a c b]
	// odevity [a a b b c c a b]
	// rotate [c c b b a a c b]
}
