package atomicmax

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

func TestRaise_NeverLowers(t *testing.T) {
	var n atomic.Int64
	for _, c := range []struct{ v, want int64 }{{-1, 0}, {2, 2}, {1, 2}, {2, 2}, {3, 3}} {
		if Raise(&n, c.v); n.Load() != c.want {
			t.Errorf("raised to %d, it is %d, want %d", c.v, n.Load(), c.want)
		}
	}
}

func TestRaise_HighestOfManyStays(t *testing.T) {
	var n atomic.Uint64
	var all sync.WaitGroup
	const most = 1000
	for _, v := range rand.Perm(most) {
		all.Go(func() { Raise(&n, uint64(v+1)) })
	}
	if all.Wait(); n.Load() != most {
		t.Errorf("got %d, want %d", n.Load(), most)
	}
}
