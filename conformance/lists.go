package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/elasticjob-go/elastic/store"
)

// lists returns the cases for lists: a list is complete, sorted, and of one
// namespace.
func lists() []testCase {
	return []testCase{
		{name: "LST/Sorted", run: listSorted},
		{name: "LST/Empty", run: listEmpty},
		{name: "LST/PrefixBoundary", run: listPrefixBoundary},
		{name: "LST/Thousands", run: listThousands},
	}
}

// The order is that of the bytes of the whole key as the caller writes it, and
// not as a driver encodes it.
func listSorted(t *test) {
	c := t.open()
	want := []string{
		"d/!", "d/-", "d/A", "d/Z/k", "d/_", "d/a b",
		"d/a%/k", "d/a-/k", "d/a.b", "d/a/b", "d/a/c/d", "d/a/é", "d/a0", "d/a=",
		"d/aA", "d/b", "d/~", "d/É", "d/é", "d/日本", "d/🙂",
	}
	if !slices.IsSorted(want) {
		t.Fatal("the case itself is not sorted")
	}
	for i := range want {
		c.do(nil, store.Create(want[(i*8)%len(want)], nil)) // 8 and 21 have no divisor in common
	}
	c.wantKeys("d", want...)
	c.wantKeys("", want...)
	c.wantKeys("d/a", "d/a/b", "d/a/c/d", "d/a/é")
	f := t.follow(c, "d")
	if got := keys(f.reset().Entries); !slices.Equal(got, want) {
		t.Fatalf("watch: got %q, want %q", got, want)
	}
}

func listEmpty(t *test) {
	c := t.open()
	c.wantKeys("")
	c.wantKeys("never/there")
	c.do(nil, store.Create("d/k", nil))
	c.do(nil, store.Delete("d/k"))
	c.wantKeys("d")
	c.wantKeys("")
}

// A prefix without its slash is the commonest fault of all: "a/1" also finds
// "a/10".
func listPrefixBoundary(t *test) {
	c := t.open()
	for _, key := range []string{
		"a/keep/in", "a/keep/in2/deep", "a/keepX/k", "a/keepY", "a/kee", "a/keep-", "b/a/keep/k", "k",
	} {
		c.do(nil, store.Create(key, nil))
	}
	c.wantKeys("a/keep", "a/keep/in", "a/keep/in2/deep")
	c.wantKeys("a/kee")
	c.wantKeys("k")
	c.wantAbsent("a/keep", "a")
}

// Keys that do not change are each listed once, whatever is written around
// them.
func listThousands(t *test) {
	const n = 2000
	a, b := t.open(), t.open()
	value := make([]byte, 200)
	for i := 0; i < n; {
		var ops []store.Op
		for ; len(ops) < min(t.caps.MaxOps, 100) && i < n; i++ {
			ops = append(ops, store.Create(fmt.Sprintf("d/stable%04d", i), value))
		}
		a.do(nil, ops...)
	}
	var reading atomic.Bool
	reading.Store(true)
	t.all(3, func(i int) error {
		if i > 0 {
			for n := 0; reading.Load(); n++ {
				key := "d/churn" + strconv.Itoa(i) + "-" + strconv.Itoa(n%50)
				for _, op := range []store.Op{store.Create(key, value), store.Delete(key)} {
					if _, err := a.Commit(t.ctx(), store.Txn{Do: []store.Op{op}}); err != nil {
						return err
					}
				}
			}
			return nil
		}
		defer reading.Store(false)
		for range 10 {
			entries, err := b.List(t.ctx(), "d")
			if err != nil {
				return err
			}
			stable := 0
			for i, e := range entries {
				if i > 0 && entries[i-1].Key >= e.Key {
					return fmt.Errorf("key %q after %q", e.Key, entries[i-1].Key)
				}
				if len(e.Key) == len("d/stable0000") && e.Key[:8] == "d/stable" {
					stable++
				}
			}
			if stable != n {
				return fmt.Errorf("listed %d of %d keys that do not change", stable, n)
			}
		}
		return nil
	})
}
