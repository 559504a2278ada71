package sharding

import (
	"slices"
	"strings"
	"testing"
)

// FuzzAssign takes lists as lines: IDs with the weights in the order of a
// second list, and previous owners.
func FuzzAssign(f *testing.F) {
	f.Add("job", 10, "a\nb\nc", []byte{1, 2, 255}, "a\nb\n\ngone")
	f.Add("", -1, "", []byte{}, "")
	f.Add("job", 3, "a\na\n", []byte{0, 200}, "a\na\na\na\na")
	f.Add("\x00", 1<<20+1, "\xff", []byte{128}, "\xff")
	f.Fuzz(func(t *testing.T, job string, shards int, ids string, weights []byte, prev string) {
		if shards > 5000 && shards <= MaxShards {
			shards %= 5000 // Large ones only take long.
		}
		s := situation{job: job, shards: shards, prev: strings.Split(prev, "\n")}
		seen := map[string]bool{"": true}
		for i, id := range strings.Split(ids, "\n") {
			if seen[id] {
				continue
			}
			seen[id] = true
			in := Instance{ID: id}
			if i < len(weights) {
				// From small to the largest and the smallest that there are.
				in.Weight = int(int8(weights[i])) << (weights[i] % 64)
			}
			s.live = append(s.live, in)
		}
		for _, strategy := range strategies {
			got := strategy.Assign(s.job, s.shards, s.live, s.prev)
			if len(s.live) == 0 || s.shards > MaxShards {
				if got != nil {
					t.Fatalf("%s.Assign = %q, want nil", strategy.Name(), got)
				}
				continue
			}
			if err := Valid(got, s.shards, s.live); err != nil {
				t.Fatalf("%s.Assign = %q: %v", strategy.Name(), got, err)
			}
			if again := strategy.Assign(s.job, s.shards, s.live, got); !slices.Equal(again, got) {
				t.Fatalf("%s.Assign = %q, of its own result %q", strategy.Name(), got, again)
			}
			live := slices.Clone(s.live)
			slices.Reverse(live)
			live = append(live, live[0], Instance{})
			if other := strategy.Assign(s.job, s.shards, live, s.prev); !slices.Equal(other, got) {
				t.Fatalf("%s.Assign = %q, with the instances in another order %q", strategy.Name(), got, other)
			}
		}
		if s.shards < 0 || s.shards > MaxShards || len(s.live) == 0 {
			return
		}
		got := Sticky.Assign(s.job, s.shards, s.live, s.prev)
		checkShares(t, s, got)
		if s.few() {
			checkFew(t, s, got)
			return
		}
		if n, want := moves(s.prev, got), fewestByQuota(s); n != want {
			t.Fatalf("%d shards moved, %d would do\n%+v\ngot %q", n, want, s, got)
		}
	})
}
