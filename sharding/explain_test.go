package sharding_test

import (
	"fmt"
	"testing"

	"github.com/elasticjob-go/elastic/sharding"
)

// An explanation agrees with the assignment, for every strategy and shard.
func TestExplain_AgreesWithAssign(t *testing.T) {
	live := []sharding.Instance{{ID: "a@1", Weight: 2}, {ID: "b@1", Weight: 1}, {ID: "c@1"}}
	prev := []string{"a@1", "gone@1", "b@1", "b@1", "b@1", "c@1", "a@1"}
	for _, name := range []string{"sticky", "average", "odevity", "rotate", "single", "static"} {
		s, err := sharding.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		owners := s.Assign("job", 7, live, prev)
		held := map[string]int{}
		for _, id := range owners {
			held[id]++
		}
		for shard, owner := range owners {
			e := sharding.Explain(s, "job", 7, live, prev, shard)
			if e.Owner != owner || e.Kept != (prev[shard] == owner) || e.Holds != held[owner] {
				t.Errorf("%s: shard %d: got %+v, want the owner %s", name, shard, e, owner)
			}
		}
	}
	if e := sharding.Explain(sharding.Sticky, "job", 7, nil, prev, 0); e != (sharding.Explanation{}) {
		t.Errorf("without instances: got %+v", e)
	}
	if e := sharding.Explain(sharding.Sticky, "job", 7, live, prev, 7); e != (sharding.Explanation{}) {
		t.Errorf("a shard that is not there: got %+v", e)
	}
}

// Why does this instance own the shard?
func ExampleExplain() {
	live := []sharding.Instance{{ID: "a@1"}, {ID: "b@1"}}
	e := sharding.Explain(sharding.Sticky, "report", 4, live, []string{"a@1", "a@1", "a@1", "a@1"}, 0)
	fmt.Println(e.Owner, e.Kept, e.Holds, e.Fair)
	// Output: a@1 true 2 2
}
