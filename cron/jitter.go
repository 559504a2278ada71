package cron

import (
	"math/bits"
	"time"
)

// Jitter spreads the starts of jobs that fire at the same moment. The delay is
// a hash, so all instances, and a process that restarts, compute the same one;
// the fire keeps its time, only its start is late. The zero value is no delay.
type Jitter struct {
	// Max bounds the delay: from 0 up to, but not including, Max. Below the
	// distance of two fires they stay in order.
	Max time.Duration
	// EachFire draws a new delay at each fire. Otherwise a shard has the same
	// one always, and keeps its rhythm.
	EachFire bool
}

// Delay returns how long after fire the shard should start.
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

// mix is the finalizer of MurmurHash3: FNV alone leaves the high bits of short
// names nearly equal, and these decide here.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
