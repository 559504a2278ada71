package sharding

import (
	"slices"
	"testing"
)

// The rows are what ElasticJob 3.0.3 assigns.
func TestAverage_NumbersAsElasticJob(t *testing.T) {
	for _, tt := range []struct {
		shards int
		live   []string
		want   map[string][]int
	}{
		{10, []string{"10.0.0.1@-@7", "10.0.0.2@-@7", "10.0.0.3@-@7"}, map[string][]int{
			"10.0.0.3@-@7": {0, 1, 2, 9}, "10.0.0.2@-@7": {3, 4, 5}, "10.0.0.1@-@7": {6, 7, 8},
		}},
		{8, []string{"a", "b", "c"}, map[string][]int{"c": {0, 1, 6}, "b": {2, 3, 7}, "a": {4, 5}}},
		{9, []string{"a", "b", "c"}, map[string][]int{"c": {0, 1, 2}, "b": {3, 4, 5}, "a": {6, 7, 8}}},
		{2, []string{"a", "b", "c"}, map[string][]int{"c": {0}, "b": {1}}},
		{3, []string{"a"}, map[string][]int{"a": {0, 1, 2}}},
		// IDs compare as strings, not as numbers.
		{3, []string{"10.0.0.9", "10.0.0.10"}, map[string][]int{"10.0.0.9": {0, 2}, "10.0.0.10": {1}}},
	} {
		var live []Instance
		for i, id := range tt.live {
			live = append(live, Instance{ID: id, Weight: i * 10})
		}
		want := make([]string, tt.shards)
		for id, shards := range tt.want {
			for _, shard := range shards {
				want[shard] = id
			}
		}
		for _, prev := range [][]string{nil, {"a", "a", "a"}, {"gone"}} {
			if got := Average.Assign("job", tt.shards, live, prev); !slices.Equal(got, want) {
				t.Errorf("%d shards over %q, before %q:\ngot  %q\nwant %q", tt.shards, tt.live, prev, got, want)
			}
		}
	}
}

// Average is even, whatever the weights.
func TestAverage_EvenWhateverWeights(t *testing.T) {
	for n := 1; n <= 12; n++ {
		live := fleet(n)
		live[0].Weight = 1000
		for shards := range 60 {
			count := loads(Average.Assign("job", shards, live, nil))
			for _, in := range live {
				if got := count[in.ID]; got != shards/n && got != (shards+n-1)/n {
					t.Fatalf("%d of %d shards on one of %d instances", got, shards, n)
				}
			}
		}
	}
}
