package sharding

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// counted is the weight that an instance of the given one has, as Instance
// documents it.
func counted(weight int) uint64 {
	switch {
	case weight < 1:
		return 1
	case weight > 1<<30:
		return 1 << 30
	}
	return uint64(weight)
}

func totalWeight(live []Instance) (total uint64) {
	for _, in := range live {
		total += counted(in.Weight)
	}
	return total
}

// bounds returns the least and the most that an instance may own of shards: its
// exact share if that is a whole number, and else the two whole numbers around
// it.
func bounds(shards int, in Instance, total uint64) (least, most int) {
	share := uint64(shards) * counted(in.Weight)
	return int(share / total), int((share + total - 1) / total)
}

// fewestByAssignment tries all assignments, and returns the fewest moves of
// those that are within bounds.
func fewestByAssignment(s situation) int {
	total := totalWeight(s.live)
	next := make([]string, s.shards)
	fewest := math.MaxInt
	var try func(shard int)
	try = func(shard int) {
		if shard < s.shards {
			for _, in := range s.live {
				next[shard] = in.ID
				try(shard + 1)
			}
			return
		}
		for _, in := range s.live {
			n := 0
			for _, id := range next {
				if id == in.ID {
					n++
				}
			}
			if least, most := bounds(s.shards, in, total); n < least || n > most {
				return
			}
		}
		fewest = min(fewest, moves(s.prev, next))
	}
	try(0)
	return fewest
}

// fewestByQuota returns the fewest moves that any quotas within bounds allow,
// as of its quota an instance can keep at most what it held. It goes through
// the instances one by one with a table of the most shards that can stay if so
// many of them round up.
func fewestByQuota(s situation) int {
	const never = -1 << 30
	total := totalWeight(s.live)
	held := loads(s.prev[:min(len(s.prev), s.shards)])
	stay := make([]int, len(s.live)+1)
	for up := range stay[1:] {
		stay[up+1] = never
	}
	roundUp := s.shards
	for _, in := range s.live {
		least, most := bounds(s.shards, in, total)
		roundUp -= least
		for up := len(s.live); up >= 0; up-- {
			stay[up] += min(least, held[in.ID])
			if up > 0 && most > least {
				stay[up] = max(stay[up], stay[up-1]+min(most, held[in.ID]))
			}
		}
	}
	return s.shards - stay[roundUp]
}

// Sticky moves as few shards as any assignment could.
func TestSticky_FewestMovesOfAnyAssignment(t *testing.T) {
	for _, weights := range [][]int{
		{1}, {1, 1}, {1, 2}, {5, 1}, {1, 1, 1}, {1, 1, 2}, {1, 2, 3}, {1, 1, 10}, {2, 3, 7},
	} {
		s := situation{job: "job", live: fleet(len(weights))}
		owners := []string{"gone"}
		for i := range s.live {
			s.live[i].Weight = weights[i]
			owners = append(owners, s.live[i].ID)
		}
		for s.shards = len(weights); s.shards < 5; s.shards++ {
			// Every previous assignment that there can be, as the digits of a
			// number.
			for number := range int(math.Pow(float64(len(owners)), float64(s.shards))) {
				s.prev = make([]string, s.shards)
				for shard := range s.prev {
					s.prev[shard] = owners[number%len(owners)]
					number /= len(owners)
				}
				got := Sticky.Assign(s.job, s.shards, s.live, s.prev)
				if n, want := moves(s.prev, got), fewestByAssignment(s); n != want {
					t.Fatalf("%d shards moved, %d would do\n%+v\ngot %q", n, want, s, got)
				}
			}
		}
	}
}

// Sticky moves as few shards as any quotas allow.
func TestSticky_FewestMovesOfAnyQuotas(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 10_000 {
		s := randomSituation(rng, 60, 9)
		if s.few() {
			continue
		}
		got := Sticky.Assign(s.job, s.shards, s.live, s.prev)
		if n, want := moves(s.prev, got), fewestByQuota(s); n != want {
			t.Fatalf("%d shards moved, %d would do\n%+v\ngot %q", n, want, s, got)
		}
	}
}

// Sticky gives each instance its share rounded up or down.
func TestSticky_ShareRoundedUpOrDown(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	for i := range 5000 {
		s := randomSituation(rng, 60, 12)
		if i%100 == 0 {
			s = randomSituation(rng, 50_000, 200)
		}
		checkShares(t, s, Sticky.Assign(s.job, s.shards, s.live, s.prev))
	}
}

// Sticky counts weights as Instance documents them.
func TestSticky_CountsWeightsAsDocumented(t *testing.T) {
	for _, tt := range []struct {
		shards int
		live   []Instance
		want   map[string]int
	}{
		{9, []Instance{{"a", 1}, {"b", 2}}, map[string]int{"a": 3, "b": 6}},
		{9, []Instance{{"a", 0}, {"b", 2}}, map[string]int{"a": 3, "b": 6}},
		{9, []Instance{{"a", math.MinInt}, {"b", 2}}, map[string]int{"a": 3, "b": 6}},
		{9, []Instance{{"a", 1 << 29}, {"b", 1 << 30}}, map[string]int{"a": 3, "b": 6}},
		{10, []Instance{{"a", 1 << 30}, {"b", math.MaxInt}}, map[string]int{"a": 5, "b": 5}},
		{9, []Instance{{"a", 1}, {"b", 1}, {"b", 2}, {"b", 1}}, map[string]int{"a": 3, "b": 6}},
		{2, []Instance{{"a", 1}, {"b", 1}, {"", 50}}, map[string]int{"a": 1, "b": 1}},
		{10, []Instance{{"a", 1}, {"b", 9}}, map[string]int{"a": 1, "b": 9}},
		{8, []Instance{{"a", 1}, {"b", 1 << 30}}, map[string]int{"b": 8}},
	} {
		if got := loads(Sticky.Assign("job", tt.shards, tt.live, nil)); !maps.Equal(got, tt.want) {
			t.Errorf("%d shards over %v: %v, want %v", tt.shards, tt.live, got, tt.want)
		}
	}
}

func TestSticky_MovesFewestOver1000Changes(t *testing.T) {
	for _, weights := range [][]int{{1}, {1, 2, 4}, {1, 1000}} {
		rng := rand.New(rand.NewPCG(7, 7))
		s := situation{job: "job", shards: 1000, live: fleet(20)}
		s.prev = Sticky.Assign(s.job, s.shards, s.live, nil)
		for change := range 1000 {
			var equal int // What has to move if all weights are the same.
			if rng.IntN(2) == 0 && len(s.live) > 10 || len(s.live) > 30 {
				gone := rng.IntN(len(s.live))
				equal = loads(s.prev)[s.live[gone].ID]
				s.live = slices.Delete(s.live, gone, gone+1)
			} else {
				in := Instance{ID: fmt.Sprintf("worker-x@%04x", change), Weight: weights[rng.IntN(len(weights))]}
				s.live = append(s.live, in)
				equal = s.shards / len(s.live)
			}
			got := Sticky.Assign(s.job, s.shards, s.live, s.prev)
			n := moves(s.prev, got)
			if want := fewestByQuota(s); n != want {
				t.Fatalf("weights of %v, change %d: %d shards moved, %d would do", weights, change, n, want)
			}
			if len(weights) == 1 && n != equal {
				t.Fatalf("change %d: %d shards moved, want %d", change, n, equal)
			}
			checkShares(t, s, got)
			s.prev = got
		}
	}
}

// checkShares fails the test unless each instance owns its exact share, rounded
// up or down.
func checkShares(t *testing.T, s situation, owners []string) {
	t.Helper()
	if err := Valid(owners, s.shards, s.live); err != nil {
		t.Fatalf("%v\n%+v\ngot %q", err, s, owners)
	}
	count := loads(owners)
	total := totalWeight(s.live)
	for _, in := range s.live {
		if least, most := bounds(s.shards, in, total); count[in.ID] < least || count[in.ID] > most {
			t.Fatalf("%s owns %d of %d shards, want %d to %d\n%+v", in.ID, count[in.ID], s.shards, least, most, s.live)
		}
	}
}
