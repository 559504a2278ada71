package sim

import "time"

// dice is a source of draws that do not depend on their order: each is a hash of what it is for.
type dice uint64

// of returns the dice for something that has a name.
func (d dice) of(name string) dice {
	h := uint64(d) ^ 14695981039346656037
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return dice(mix(h))
}

// nth returns the dice for one of many.
func (d dice) nth(n uint64) dice { return dice(mix(uint64(d) + n*0x9e3779b97f4a7c15)) }

// mix is the finalizer of splitmix64.
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// float returns a number from 0 up to 1.
func (d dice) float() float64 { return float64(mix(uint64(d))>>11) / (1 << 53) }

// below returns a number from 0 up to n.
func (d dice) below(n int) int { return int(mix(uint64(d)) % uint64(n)) }

// chance is true with a probability.
func (d dice) chance(p float64) bool { return d.float() < p }

// upTo returns a duration from 0 up to limit, in nanoseconds.
func (d dice) upTo(limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	return time.Duration(mix(uint64(d)) % uint64(limit))
}
