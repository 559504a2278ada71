package sharding

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var strategies = []Strategy{
	Average, Odevity, Rotate, Single, Static, Sticky,
	Func("own", Rotate.Assign),
	Pin("pinned", map[int]string{0: "worker-0", 1: "worker-3", 7: "worker-3", 8: "worker-9", -1: "worker-1"}, Sticky),
	Pin("pinned statically", map[int]string{2: "worker-2"}, Static),
}

// fleet returns n instances of weight 1 with IDs as they look in practice:
// name@incarnation.
func fleet(n int) []Instance {
	live := make([]Instance, n)
	for i := range live {
		live[i] = Instance{ID: fmt.Sprintf("worker-%d@%04x", i, i*7919), Weight: 1}
	}
	return live
}

// loads counts the shards of each owner.
func loads(owners []string) map[string]int {
	n := make(map[string]int)
	for _, id := range owners {
		n[id]++
	}
	return n
}

// moves counts the shards of next that another instance, or none, owned in
// prev.
func moves(prev, next []string) int {
	n := 0
	for shard, id := range next {
		if shard >= len(prev) || prev[shard] != id {
			n++
		}
	}
	return n
}

// situation is a set of arguments of Assign.
type situation struct {
	job    string
	shards int
	live   []Instance
	prev   []string
}

// few reports whether the job has fewer shards than there are instances.
func (s situation) few() bool { return s.shards < len(s.live) }

// randomSituation returns arguments with all that may occur: weights that are
// unset, negative and very unequal, previous owners that are gone or missing,
// previous lists too short and too long.
func randomSituation(rng *rand.Rand, maxShards, maxLive int) situation {
	s := situation{
		job:    fmt.Sprintf("job-%d", rng.IntN(1000)),
		shards: rng.IntN(maxShards + 1),
		live:   fleet(1 + rng.IntN(maxLive)),
	}
	weights := [][]int{{1}, {0, 1, 1, 2}, {1, 2, 3}, {-1, 0, 1, 1000, math.MaxInt}}[rng.IntN(4)]
	for i := range s.live {
		s.live[i].Weight = weights[rng.IntN(len(weights))]
	}
	rng.Shuffle(len(s.live), func(i, j int) { s.live[i], s.live[j] = s.live[j], s.live[i] })
	owners := []string{"", "gone@1", "gone@2"}
	for _, in := range s.live {
		if rng.IntN(4) > 0 { // The others have just joined.
			owners = append(owners, in.ID)
		}
	}
	s.prev = make([]string, rng.IntN(s.shards+s.shards/2+1))
	skew := 1 + rng.IntN(3)
	for shard := range s.prev {
		i := len(owners)
		for range skew { // The more of them, the more the first owners hold.
			i = rng.IntN(i) + 1
		}
		s.prev[shard] = owners[i-1]
	}
	return s
}

// Every shard gets a live owner.
func TestAssign_EveryShardGetsLiveOwner(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 5000 {
		s := randomSituation(rng, 60, 12)
		for _, strategy := range strategies {
			got := strategy.Assign(s.job, s.shards, s.live, s.prev)
			if err := Valid(got, s.shards, s.live); err != nil {
				t.Fatalf("%s.Assign = %q: %v\n%+v", strategy.Name(), got, err, s)
			}
		}
	}
}

// The order of the instances does not matter.
func TestAssign_OrderDoesNotMatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 2000 {
		s := randomSituation(rng, 60, 12)
		if rng.IntN(4) == 0 { // The same instance twice, with another weight.
			s.live = append(s.live, Instance{ID: s.live[0].ID, Weight: 7})
		}
		for _, strategy := range strategies {
			want := strategy.Assign(s.job, s.shards, s.live, s.prev)
			for range 3 {
				live := slices.Clone(s.live)
				rng.Shuffle(len(live), func(i, j int) { live[i], live[j] = live[j], live[i] })
				if got := strategy.Assign(s.job, s.shards, live, s.prev); !slices.Equal(got, want) {
					t.Fatalf(
						"%s.Assign = %q, with the instances in another order %q\n%+v", strategy.Name(), want, got, s,
					)
				}
			}
		}
	}
}

// Neither does its smaller weight matter, nor are there more instances than
// before to compare the shards with.
func TestAssign_InstanceListedTwiceCountsOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(14, 14))
	for range 2000 {
		s := randomSituation(rng, 20, 12)
		twice := append(slices.Clone(s.live), Instance{ID: s.live[0].ID, Weight: 1}, Instance{ID: ""})
		for _, strategy := range strategies {
			want := strategy.Assign(s.job, s.shards, s.live, s.prev)
			if got := strategy.Assign(s.job, s.shards, twice, s.prev); !slices.Equal(got, want) {
				t.Fatalf("%s.Assign = %q, with %q twice %q\n%+v", strategy.Name(), want, s.live[0].ID, got, s)
			}
		}
	}
}

// Assigning again moves nothing.
func TestAssign_AgainMovesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 5000 {
		s := randomSituation(rng, 60, 12)
		for _, strategy := range strategies {
			first := strategy.Assign(s.job, s.shards, s.live, s.prev)
			if again := strategy.Assign(s.job, s.shards, s.live, first); !slices.Equal(again, first) {
				t.Fatalf("%s.Assign = %q, of its own result %q\n%+v", strategy.Name(), first, again, s)
			}
		}
	}
}

// Arguments are not changed.
func TestAssign_KeepsArguments(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 500 {
		s := randomSituation(rng, 60, 12)
		for _, strategy := range strategies {
			live, prev := slices.Clone(s.live), slices.Clone(s.prev)
			got := strategy.Assign(s.job, s.shards, live, prev)
			clear(got)
			if !slices.Equal(live, s.live) || !slices.Equal(prev, s.prev) {
				t.Fatalf("%s.Assign left live %v, prev %q\n%+v", strategy.Name(), live, prev, s)
			}
		}
	}
}

// Without a live instance the assignment is nil.
func TestAssign_NilWithoutInstances(t *testing.T) {
	for _, strategy := range strategies {
		for _, live := range [][]Instance{nil, {}, {{ID: ""}, {ID: "", Weight: 3}}} {
			if got := strategy.Assign("job", 3, live, []string{"a"}); got != nil {
				t.Errorf("%s.Assign for %v = %q, want nil", strategy.Name(), live, got)
			}
		}
	}
}

// Shard counts at the limits are handled.
func TestAssign_ShardCountsAtEdges(t *testing.T) {
	live := []Instance{{ID: "a", Weight: math.MaxInt}, {ID: "b", Weight: math.MinInt}, {ID: "c", Weight: math.MaxInt}}
	for _, strategy := range strategies {
		for _, shards := range []int{math.MinInt, -1, 0} {
			if got := strategy.Assign("job", shards, live, []string{"a"}); got == nil || len(got) != 0 {
				t.Errorf("%s.Assign of %d shards = %#v, want none", strategy.Name(), shards, got)
			}
		}
		for _, shards := range []int{MaxShards + 1, math.MaxInt} {
			if got := strategy.Assign("job", shards, live, []string{"a"}); got != nil {
				t.Errorf("%s.Assign of %d shards has %d owners, want nil", strategy.Name(), shards, len(got))
			}
		}
		if err := Valid(strategy.Assign("job", MaxShards, live, []string{"a"}), MaxShards, live); err != nil {
			t.Errorf("%s.Assign of MaxShards: %v", strategy.Name(), err)
		}
	}
}

func TestByName_FindsBuiltIns(t *testing.T) {
	for name, want := range map[string]Strategy{
		"":        Sticky,
		"sticky":  Sticky,
		"average": Average,
		"odevity": Odevity,
		"rotate":  Rotate,
		"single":  Single,
		"static":  Static,
	} {
		if got, err := ByName(name); err != nil || got != want {
			t.Errorf("ByName(%q) = %v, %v, want %v", name, got, err, want)
		}
	}
	got, err := ByName("Sticky")
	if got != nil || err == nil {
		t.Fatalf(`ByName("Sticky") = %v, %v, want an error`, got, err)
	}
	for _, part := range []string{`"Sticky"`, "average", "sticky"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not name %s", err, part)
		}
	}
}

// Valid names the first shard that is wrong.
func TestValid_NamesFirstWrongShard(t *testing.T) {
	live := []Instance{{ID: "a"}, {ID: "b"}, {ID: ""}}
	for _, tt := range []struct {
		owners []string
		shards int
		want   string // "" is no error
	}{
		{[]string{"a", "b", "a"}, 3, ""},
		{[]string{"a", "a", "a"}, 3, ""},
		{nil, 0, ""},
		{nil, -1, ""},
		{[]string{"a", "", ""}, 3, "shard 1 has no owner"},
		{[]string{"a", "b"}, 3, "shard 2 has no owner"},
		{nil, 3, "shard 0 has no owner"},
		{[]string{"a", "c", "d"}, 3, `shard 1 is given to "c", which is not live`},
		{[]string{"a", "c"}, 3, `shard 1 is given to "c", which is not live`},
		{[]string{"a", "b", "a", "b"}, 3, `shard 3 is given to "b", but the job has 3 shards`},
		{[]string{"a"}, -1, `shard 0 is given to "a", but the job has 0 shards`},
		{nil, MaxShards + 1, "1048577 shards are more than the 1048576 that a job can have"},
	} {
		got := ""
		if err := Valid(tt.owners, tt.shards, live); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("Valid(%q, %d) = %q, want %q", tt.owners, tt.shards, got, tt.want)
		}
	}
}
