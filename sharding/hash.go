package sharding

// offset64 and prime64 are the parameters of FNV-1a for 64 bits
// (http://www.isthe.com/chongo/tech/comp/fnv/).
const (
	offset64 = 0xcbf29ce484222325
	prime64  = 0x100000001b3
)

// hash continues FNV-1a from seed over s, and mixes the result. FNV alone
// hardly carries the last bytes to the high bits, and names of jobs and
// instances differ in their last bytes.
//
// It does not use hash/maphash, whose seed is different in each process.
func hash(seed uint64, s string) uint64 {
	h := seed
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime64
	}
	return mix(h)
}

// mix is fmix64, the finaliser of MurmurHash3
// (https://github.com/aappleby/smhasher).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return h
}
