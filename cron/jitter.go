package cron

import (
	"math/bits"
	"time"
)

// Jitter spreads the starts of jobs that fire at the same moment. The delay is
// a hash, so all instances compute the same one, also after a restart. The fire
// keeps its time; only its start is later. The zero value is no delay.
type Jitter struct {
	// Max bounds the delay, which is at least 0 and less than Max. If Max is
	// below the distance of two fires, they stay in order.
	Max time.Duration
	// EachFire gives each fire another delay. Otherwise the delay of a shard is
	// always the same, and the shard keeps its rhythm.
	EachFire bool
}

// Delay returns how long after fire the shard starts.
func (j Jitter) Delay(job string, shard int, fire time.Time) time.Duration {
	if j.Max <= 0 {
		return 0
	}
	h := uint64(14695981039346656037) // FNV-1a, 64 bits
	for i := range len(job) {
		h = (h ^ uint64(job[i])) * 1099511628211
	}
	h = mix(h ^ mix(uint64(shard)))
	if j.EachFire {
		h = mix(h ^ mix(uint64(fire.Unix())))
	}
	delay, _ := bits.Mul64(h, uint64(j.Max))
	return time.Duration(delay)
}

// mix is the finalizer of MurmurHash3. FNV alone leaves the high bits of short
// names nearly equal, and these decide here.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
