package sharding

import (
	"hash/fnv"
	"strings"
	"testing"
)

// Processes of different versions work side by side during an update, and each
// must come to the assignment that the others would.
func TestHash_Golden(t *testing.T) {
	for s, want := range map[string]uint64{
		"":           0xefd01f60ba992926,
		"job":        0x562c153e174eb750,
		"worker-1@a": 0xe6c7f13b4a5263ba,
	} {
		if got := hash(offset64, s); got != want {
			t.Errorf("hash of %q = %#x, want %#x", s, got, want)
		}
	}
}

// The values of throw never change between versions.
func TestThrow_Golden(t *testing.T) {
	for h, want := range map[uint64]uint64{0: 1 << 63, 0x562c153e174eb750: 0x324465f783aebce, 1<<64 - 1: 1} {
		if got := throw(h); got != want {
			t.Errorf("throw of %#x = %#x, want %#x", h, got, want)
		}
	}
}

// The values of rank never change between versions.
func TestRank_Golden(t *testing.T) {
	live := []Instance{{ID: "a"}, {ID: "b", Weight: 2}, {ID: "c"}}
	for shards, want := range map[int]string{
		1: "a b c b a c c b a b b b b b b c c b c b",
		2: "ab cb cb ab ab cb cb ab ab ab ab ab cb ab cb cb cb ab cb ab",
		5: "aabbc bbbca ccabb bbbac aabbc ccbba ccabb bbbac aacbb bbbac bbbac bbbac bbbca bbbac bbbca ccbba ccbba bbbac ccbba bbbac",
	} {
		var owners []string
		for _, job := range names("job-%d", 20) {
			owners = append(owners, strings.Join(Sticky.Assign(job, shards, live, nil), ""))
		}
		if got := strings.Join(owners, " "); got != want {
			t.Errorf("owners of 20 jobs of %d shards: %s, want %s", shards, got, want)
		}
	}
}

// fmix64 as its author writes it, over FNV-1a as the standard library has it.
func TestHash_IsMixedFNV(t *testing.T) {
	for _, s := range []string{"", "a", "job-17", "größer", "\x00\xff"} {
		f := fnv.New64a()
		f.Write([]byte(s))
		k := f.Sum64()
		k ^= k >> 33
		k *= 0xff51afd7ed558ccd
		k ^= k >> 33
		k *= 0xc4ceb9fe1a85ec53
		k ^= k >> 33
		if got := hash(offset64, s); got != k {
			t.Errorf("hash of %q = %#x, want %#x", s, got, k)
		}
	}
}
