package sharding

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// Each live instance has one shard of a broadcast, and keeps it if possible.
func TestBroadcast_OneShardEachAndKept(t *testing.T) {
	for _, tt := range []struct {
		name             string
		live, prev, want []string
	}{
		{"at first, in the order given", []string{"b", "a"}, nil, []string{"b", "a"}},
		{"one more comes", []string{"a", "b", "c"}, []string{"b", "a"}, []string{"b", "a", "c"}},
		{"the last one goes", []string{"a", "b"}, []string{"b", "a", "c"}, []string{"b", "a"}},
		{"the first one goes", []string{"a", "c"}, []string{"b", "a", "c"}, []string{"c", "a"}},
		{"one goes and one comes", []string{"a", "c", "d"}, []string{"b", "a", "c"}, []string{"d", "a", "c"}},
		{"all are new", []string{"x", "y"}, []string{"b", "a", "c"}, []string{"x", "y"}},
		{"no previous owner", nil, []string{"a"}, nil},
		{"one has two by mistake", []string{"a", "b"}, []string{"a", "a"}, []string{"a", "b"}},
	} {
		var live []Instance
		for _, id := range tt.live {
			live = append(live, Instance{ID: id, Weight: 1})
		}
		if got := Broadcast(live, tt.prev); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A broadcast moves only the shards that must move.
func TestBroadcast_MovesOnlyAsNeeded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var prev []string
	for range 2000 {
		var live []Instance
		ids := map[string]bool{}
		for i := range 12 {
			if id := strconv.Itoa(i); r.IntN(4) > 0 {
				live, ids[id] = append(live, Instance{ID: id, Weight: 1}), true
			}
		}
		got := Broadcast(live, prev)
		if sorted := slices.Sorted(slices.Values(got)); len(slices.Compact(sorted)) != len(live) ||
			len(got) != len(live) {
			t.Fatalf("%v for %v: not one each", got, live)
		}
		for shard, id := range prev {
			if ids[id] && shard < len(live) && got[shard] != id {
				t.Fatalf(
					"shard %d moved from %s to %s though it lives; from %v to %v", shard, id, got[shard], prev, got,
				)
			}
		}
		prev = got
	}
}
