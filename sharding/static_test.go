package sharding

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// Static moves no shard whose owner is live.
func TestStatic_KeepsLiveOwners(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 21))
	for range 3000 {
		s := randomSituation(rng, 60, 12)
		alive := make(map[string]bool)
		for _, in := range s.live {
			alive[in.ID] = true
		}
		got := Static.Assign(s.job, s.shards, s.live, s.prev)
		for shard, id := range got {
			if had := at(s.prev, shard); alive[had] && id != had {
				t.Fatalf("shard %d moved from %s, which is live, to %s\n%+v", shard, had, id, s)
			}
		}
	}
}

// Static gives shards without an owner to the least loaded instances.
func TestStatic_OrphansGoToLeastLoaded(t *testing.T) {
	for _, tt := range []struct {
		name string
		live []Instance
		prev []string
		want map[string]int
	}{
		{
			"from the start it is even",
			[]Instance{{ID: "a@1"}, {ID: "b@1"}, {ID: "c@1"}},
			nil,
			map[string]int{"a@1": 2, "b@1": 2, "c@1": 2},
		},
		{"by weight", []Instance{{ID: "a@1", Weight: 2}, {ID: "b@1"}}, nil, map[string]int{"a@1": 4, "b@1": 2}},
		{
			"who joins gets nothing",
			[]Instance{{ID: "a@1"}, {ID: "b@1"}},
			[]string{"a@1", "a@1", "a@1", "a@1", "a@1", "a@1"},
			map[string]int{"a@1": 6},
		},
		{
			"but what is left by one that is gone",
			[]Instance{{ID: "a@1"}, {ID: "b@1"}, {ID: "d@1"}},
			[]string{"a@1", "a@1", "b@1", "b@1", "c@1", "c@1"},
			map[string]int{"a@1": 2, "b@1": 2, "d@1": 2},
		},
		{
			"who starts again gets its own",
			[]Instance{{ID: "a@1"}, {ID: "b@2"}},
			[]string{"a@1", "b@1", "b@1", "b@1", "b@1", "b@1"},
			map[string]int{"a@1": 1, "b@2": 5},
		},
	} {
		if got := loads(Static.Assign("job", 6, tt.live, tt.prev)); !maps.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Pins hold while their instances live.
func TestPin_HoldsWhileInstancesLive(t *testing.T) {
	strategy := Pin("by database", map[int]string{0: "db-1", 1: "db-2", 5: "db-1"}, Average)
	one, two, other := Instance{ID: "db-1@7"}, Instance{ID: "db-2@7"}, Instance{ID: "db-3@7"}
	for _, tt := range []struct {
		name string
		live []Instance
		prev []string
		want []string
	}{
		{"all are live", []Instance{one, two, other}, nil, []string{"db-1@7", "db-2@7", "db-3@7", "db-2@7"}},
		{"one is gone", []Instance{one, other}, nil, []string{"db-1@7", "db-3@7", "db-1@7", "db-3@7"}},
		{
			"it is back",
			[]Instance{one, {ID: "db-2@8"}, other},
			[]string{"db-1@7", "db-3@7", "db-1@7", "db-3@7"},
			[]string{"db-1@7", "db-2@8", "db-3@7", "db-2@8"},
		},
		{
			"two of a name: who has the shard keeps it",
			[]Instance{one, two, {ID: "db-2@8"}, other},
			[]string{"", "db-2@7"},
			[]string{"db-1@7", "db-2@7", "db-3@7", "db-2@8"},
		},
		{
			"two of a name, and neither has it",
			[]Instance{one, two, {ID: "db-2@8"}, other},
			nil,
			[]string{"db-1@7", "db-2@8", "db-3@7", "db-2@8"},
		},
	} {
		if got := strategy.Assign("job", 4, tt.live, tt.prev); !slices.Equal(got, tt.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

// Pin copies its map: later changes have no effect.
func TestPin_CopiesItsMap(t *testing.T) {
	pins := map[int]string{0: "a"}
	strategy := Pin("pins", pins, nil)
	pins[0] = "b"
	if got := strategy.Assign("job", 1, []Instance{{ID: "a@1"}, {ID: "b@1"}}, nil); got[0] != "a@1" {
		t.Errorf("got %q, want a@1", got)
	}
}

// Valid checks the result of a user's function, and a wrong result breaks
// nothing before that.
func TestFunc_NonsenseIsFound(t *testing.T) {
	live := []Instance{{ID: "a@1"}}
	for name, nonsense := range map[string]func(string, int, []Instance, []string) []string{
		"none":     nil,
		"nothing":  func(string, int, []Instance, []string) []string { return nil },
		"too many": func(string, int, []Instance, []string) []string { return []string{"a@1", "a@1", "a@1", "a@1"} },
		"a ghost":  func(string, int, []Instance, []string) []string { return []string{"a@1", "ghost"} },
	} {
		own := Func(name, nonsense)
		if err := Valid(own.Assign("job", 2, live, nil), 2, live); err == nil {
			t.Errorf("%s: is valid", name)
		}
		_ = Pin("pins", map[int]string{0: "a"}, own).Assign("job", 2, live, nil)
	}
}
