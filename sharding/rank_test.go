package sharding

import (
	"cmp"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// Throw is the logarithm of the hash.
func TestThrow_IsLogarithmOfHash(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 11))
	hashes := []uint64{0, 1, 2, 3, 1 << 32, 1<<63 - 1, 1 << 63, 1<<63 + 1, math.MaxUint64 - 1, math.MaxUint64}
	for range 10_000 {
		hashes = append(hashes, rng.Uint64()>>rng.IntN(64), ^(rng.Uint64() >> rng.IntN(64)))
	}
	for _, h := range hashes {
		want := 64 - math.Log2(float64(h|1))
		if h >= 1<<63 { // Close to 2^64 that would be the difference of two close numbers.
			want = -math.Log1p(-math.Ldexp(float64(-(h|1)), -64)) / math.Ln2
		}
		got := math.Ldexp(float64(throw(h)), -throwFraction)
		if math.Abs(got-want) > 1e-14*want+1e-17 {
			t.Fatalf("throw of %#x = %v, want %v", h, got, want)
		}
		if throw(h) == 0 {
			t.Errorf("throw of %#x is zero", h)
		}
	}
}

// Throws fall as the hash grows.
func TestThrow_FallsAsHashGrows(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 12))
	for range 10_000 {
		a := rng.Uint64() >> rng.IntN(64)
		b := a + rng.Uint64N(math.MaxUint64-a)
		if throw(a) < throw(b) {
			t.Errorf("throw of %#x = %d, of %#x = %d", a, throw(a), b, throw(b))
		}
	}
}

// Ranks compare as ratios.
func TestRank_ComparesAsRatios(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 13))
	number := func() uint64 { return 1 + rng.Uint64()>>(1+rng.IntN(63)) }
	for range 10_000 {
		a, b := rank{number(), number()}, rank{number(), number()}
		if rng.IntN(4) == 0 {
			b.weight = a.weight
		}
		x := new(big.Int).Mul(new(big.Int).SetUint64(a.throw), new(big.Int).SetUint64(b.weight))
		y := new(big.Int).Mul(new(big.Int).SetUint64(b.throw), new(big.Int).SetUint64(a.weight))
		if got, want := a.compare(b), cmp.Or(x.Cmp(y), cmp.Compare(a.throw, b.throw)); got != want {
			t.Errorf("%v compared with %v: %d, want %d", a, b, got, want)
		}
	}
}

// A rank without weight comes last.
func TestRank_WithoutWeightComesLast(t *testing.T) {
	ranks := []rank{{5, 0}, {math.MaxUint64, 1}, {1, 0}, {1, 1}}
	slices.SortFunc(ranks, rank.compare)
	if want := []rank{{1, 1}, {math.MaxUint64, 1}, {1, 0}, {5, 0}}; !slices.Equal(ranks, want) {
		t.Errorf("%v, want %v", ranks, want)
	}
}
