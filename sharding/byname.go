package sharding

import (
	"slices"
	"unicode/utf16"
)

// byName is ElasticJob's average allocation over instances in an order that
// depends on the name of the job. So jobs with fewer shards than instances do
// not all begin with the same instance.
type byName struct {
	name  string
	order func(job string, descending []Instance)
}

func (s *byName) Name() string { return s.name }

func (s *byName) Assign(job string, shards int, live []Instance, _ []string) []string {
	instances := descending(live)
	if len(instances) == 0 || shards > MaxShards {
		return nil
	}
	s.order(job, instances)
	return inBlocks(shards, instances)
}

// oddOrEven leaves the instances in descending order if the hash of the name is
// odd, and reverses them if it is even.
func oddOrEven(job string, descending []Instance) {
	if javaHash(job)%2 == 0 {
		slices.Reverse(descending)
	}
}

// rotated begins with the instance at the name's hash, modulo their number, and
// goes round.
func rotated(job string, descending []Instance) {
	by := start(job, len(descending))
	slices.Reverse(descending[:by])
	slices.Reverse(descending[by:])
	slices.Reverse(descending)
}

// start returns the number of the instance, of n in descending order, with
// which the round of a job begins.
func start(job string, n int) int {
	// int64: in Java abs(-2^31) is negative, and ElasticJob fails on a name
	// with that hash.
	h := int64(javaHash(job))
	return int(max(h, -h) % int64(n))
}

// javaHash returns what String.hashCode of Java returns: over the UTF-16 units,
// h = 31·h + unit in 32 bits.
func javaHash(s string) (h int32) {
	for _, r := range s {
		if hi, lo := utf16.EncodeRune(r); hi != '\uFFFD' {
			h = 31*(31*h+hi) + lo
			continue
		}
		h = 31*h + r
	}
	return h
}
