package memory

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestTableHoldsWhatAMapWould(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var table table
	model := map[string]*record{}
	for step := range 40_000 {
		key := fmt.Sprintf("%c/%04d", 'a'+rng.IntN(4), rng.IntN(3000))
		if grows := step < 20_000; rng.IntN(10) < 7 == grows {
			r := &record{key: key}
			table.put(r)
			model[key] = r
		} else {
			table.remove(key)
			delete(model, key)
		}
		if table.get(key) != model[key] {
			t.Fatalf("step %d: get %s: got %v, want %v", step, key, table.get(key), model[key])
		}
		if step%500 != 0 {
			continue
		}
		for _, prefix := range []string{"", "a", "b", "d", "aa", "e"} {
			after := fmt.Sprintf("%s/%04d", prefix, rng.IntN(3000))
			if rng.IntN(2) == 0 {
				after = ""
			}
			var want []string
			for key := range model {
				if key > after && (prefix == "" || strings.HasPrefix(key, prefix+"/")) {
					want = append(want, key)
				}
			}
			slices.Sort(want)
			limit := math.MaxInt
			if rng.IntN(2) == 0 {
				limit = 100
			}
			want = want[:min(len(want), limit)]
			var got []string
			for _, r := range table.below(prefix, after, limit) {
				got = append(got, r.key)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("step %d: below %q after %q: got %d keys, want %d", step, prefix, after, len(got), len(want))
			}
		}
	}
	for _, page := range table.pages {
		if len(page) == 0 || len(page) >= pageSize {
			t.Fatalf("page of %d", len(page))
		}
	}
}
