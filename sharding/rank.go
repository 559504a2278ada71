package sharding

import (
	"cmp"
	"math/bits"
)

// rank is the place of an instance in the order in which the instances of a job
// round up. It is the hash of both as a throw of an exponential distribution
// whose rate is the weight. The smallest rank comes first. The probability of
// that is the part of the instance of all weights.
//
// That is weighted rendezvous hashing (J. Resch, "New hashing algorithms for
// data storage", SNIA Storage Developer Conference 2015). A rank does not
// depend on the other instances, so their order stays when one comes or goes.
type rank struct {
	throw, weight uint64 // their ratio is the rank, infinite without a weight
}

// compare compares the ratios exactly, by products of 128 bits. If these are
// equal, it compares the throws.
func (a rank) compare(b rank) int {
	aHigh, aLow := bits.Mul64(a.throw, b.weight)
	bHigh, bLow := bits.Mul64(b.throw, a.weight)
	return cmp.Or(cmp.Compare(aHigh, bHigh), cmp.Compare(aLow, bLow), cmp.Compare(a.throw, b.throw))
}

// throwFraction is the number of bits of a throw behind the point. The six bits
// before it count to 64.
const throwFraction = 57

// throw returns -log2(h/2^64), which is exponentially distributed for a uniform
// h. It is never zero.
//
// It does not use math.Log, which rounds differently on different processors:
// each process must compute the same ranks.
func throw(h uint64) uint64 {
	zeros := bits.LeadingZeros64(h | 1)
	m := (h | 1) << zeros // 1 to 2, with 63 bits behind the point
	// Squaring a number doubles its logarithm, and so shifts the next bit of it
	// before the point.
	var log uint64
	for range throwFraction {
		high, _ := bits.Mul64(m, m) // 1 to 4, with 62 bits behind the point
		log <<= 1
		if high>>63 == 1 {
			log |= 1
			m = high
			continue
		}
		m = high << 1
	}
	return uint64(zeros+1)<<throwFraction - log
}
