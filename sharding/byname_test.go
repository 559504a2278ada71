package sharding

import (
	"math"
	"slices"
	"testing"
)

// list returns instances that are named for their place in ElasticJob's list,
// which is in descending order: 1 is the first.
func list(n int) (live []Instance, place map[string]int) {
	place = make(map[string]int)
	for i := range n {
		in := Instance{ID: string(rune('z' - i))}
		live = append(live, in)
		place[in.ID] = i + 1
	}
	slices.Reverse(live) // ours are in any order
	return live, place
}

// shardsOf turns an assignment into ElasticJob's notation: the shards of each
// instance, by place in the list.
func shardsOf(owners []string, place map[string]int) map[int][]int {
	got := make(map[int][]int)
	for shard, id := range owners {
		got[place[id]] = append(got[place[id]], shard)
	}
	return got
}

// The rows are from ElasticJob's documentation, its own tests, and what 3.0.3
// did when it was run.
func TestByName_AssignsAsElasticJob(t *testing.T) {
	for _, tt := range []struct {
		strategy  Strategy
		job       string
		instances int
		shards    int
		want      map[int][]int
	}{
		// Documentation: 3 servers, 2 shards; the hash of "1" is 49, odd; of
		// "0" is 48, even.
		{Odevity, "1", 3, 2, map[int][]int{1: {0}, 2: {1}}},
		{Odevity, "0", 3, 2, map[int][]int{3: {0}, 2: {1}}},
		// Run: jobA hashes to 3267620, even, and 2 modulo 3.
		{Odevity, "jobA", 3, 10, map[int][]int{3: {0, 1, 2, 9}, 2: {3, 4, 5}, 1: {6, 7, 8}}},
		{Rotate, "jobA", 3, 10, map[int][]int{3: {0, 1, 2, 9}, 1: {3, 4, 5}, 2: {6, 7, 8}}},
		// Tests of ElasticJob: 3 servers, 2 shards.
		{Rotate, "1", 3, 2, map[int][]int{2: {0}, 3: {1}}},
		{Rotate, "2", 3, 2, map[int][]int{3: {0}, 1: {1}}},
		{Rotate, "3", 3, 2, map[int][]int{1: {0}, 2: {1}}},
		// The same order at the start, without a shard that has been anywhere.
		{Single, "1", 3, 1, map[int][]int{2: {0}}},
		{Single, "2", 3, 1, map[int][]int{3: {0}}},
		{Single, "jobA", 3, 10, map[int][]int{3: {0, 1, 2, 9}, 1: {3, 4, 5}, 2: {6, 7, 8}}},
	} {
		live, place := list(tt.instances)
		got := shardsOf(tt.strategy.Assign(tt.job, tt.shards, live, nil), place)
		for i := 1; i <= tt.instances; i++ {
			if !slices.Equal(got[i], tt.want[i]) {
				t.Errorf("%s of %q: instance %d gets %v, want %v", tt.strategy.Name(), tt.job, i, got[i], tt.want[i])
			}
		}
	}
}

// The values are what a JVM returns for String.hashCode.
func TestJavaHash_AsInJava(t *testing.T) {
	for s, want := range map[string]int32{
		"": 0, "0": 48, "jobA": 3267620, "Aa": 2112, "BB": 2112, "polygenelubricants": math.MinInt32,
		"作业": 649790, "😀": 1772899, "\uFFFD": 0xFFFD,
	} {
		if got := javaHash(s); got != want {
			t.Errorf("hash of %q = %d, want %d", s, got, want)
		}
	}
}

// ElasticJob fails on it: in Java the absolute value of -2^31 is -2^31.
func TestByName_SmallestHash(t *testing.T) {
	live, place := list(3)
	got := shardsOf(Rotate.Assign("polygenelubricants", 1, live, nil), place)
	if want := int(int64(1)<<31%3) + 1; !slices.Equal(got[want], []int{0}) { // 2^31 modulo 3 is 2
		t.Errorf("got %v, want shard 0 on instance %d", got, want)
	}
}

// A single shard goes round all instances.
func TestSingle_GoesRoundAllInstances(t *testing.T) {
	live, place := list(3)
	owners := Single.Assign("1", 1, live, nil)
	var round []int
	for range 7 {
		round = append(round, place[owners[0]])
		owners = Single.Rotate("1", live, owners)
		if again := Single.Assign("1", 1, live, owners); !slices.Equal(again, owners) {
			t.Fatalf("passed on to %q, and assigned to %q", owners, again)
		}
	}
	if want := []int{2, 3, 1, 2, 3, 1, 2}; !slices.Equal(round, want) {
		t.Errorf("got %v, want %v", round, want)
	}
}

// After the loss of its owner, a single shard continues with the next instance.
func TestSingle_ContinuesAfterLostOwner(t *testing.T) {
	live := []Instance{{ID: "a"}, {ID: "c"}, {ID: "e"}}
	for gone, want := range map[string]string{"d": "c", "b": "a", "0": "e", "f": "e"} {
		if got := Single.Assign("job", 1, live, []string{gone}); got[0] != want {
			t.Errorf("%s is gone: got %s, want %s", gone, got[0], want)
		}
		if got := Single.Rotate("job", live, []string{gone}); got[0] != want {
			t.Errorf("%s is gone, passed on: got %s, want %s", gone, got[0], want)
		}
	}
	if got := Single.Assign("job", 1, live, []string{"c"}); got[0] != "c" {
		t.Errorf("moved from c to %s, and c is live", got[0])
	}
	if got := Single.Rotate("job", live[:1], []string{"a"}); got[0] != "a" {
		t.Errorf("alone, and passed on to %s", got[0])
	}
	for _, several := range [][]string{nil, {"a", "c"}} {
		if got := Single.Rotate("job", live, several); !slices.Equal(got, several) {
			t.Errorf("got %q, want %q as it was", got, several)
		}
	}
}
