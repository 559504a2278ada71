package engine

import (
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/store"
)

// Stored times are written by clocks that may be wrong. Package failover judges
// each by the moment at which this instance learned of it. That is a moment of
// the monotonic clock: this instance's wall clock may have been wrong then and
// be right by now, or the other way round.

// firstSeen is a stored time, and when this instance saw it first.
type firstSeen struct {
	value time.Time
	seen  time.Time // by the monotonic clock
}

// see notes a stored time. One that stays the same was learned when it came.
func (f *firstSeen) see(value time.Time) {
	if f.seen.IsZero() || !value.Equal(f.value) {
		f.value, f.seen = value, time.Now()
	}
}

// learned returns when the time was seen first, by the wall clock as it is now.
func (f firstSeen) learned(now time.Time) time.Time { return moment(f.seen, now) }

// moment returns what the wall clock as it is now would have shown at a moment
// of the monotonic clock.
func moment(t, now time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return now.Add(-time.Since(t))
}

// believePast takes a time that is in the past now, though it was not when it
// was learned: the clock was set. What it stands for has happened.
func (f *firstSeen) believePast(now time.Time) {
	if !f.value.After(now) {
		f.seen = time.Now()
	}
}

// believePast looks at all stored times again, because the clock was set.
func (e *Engine) believePast(now time.Time) {
	for _, j := range e.jobs {
		j.since.believePast(now)
		j.resharded.believePast(now)
		j.grown.believePast(now)
		j.wholeEnabled.believePast(now)
		for shard, f := range j.enabled {
			f.believePast(now)
			j.enabled[shard] = f
		}
		for _, s := range j.shards {
			s.fire.believePast(now)
			s.ended.believePast(now)
		}
	}
}

// setRecord takes a record as the store has it, or as it is remembered here.
func (s *shard) setRecord(r failover.Record, version store.Version) {
	begunAgain := r.Attempt == 1 && !r.IsManual() && !r.Started.Equal(s.record.Started)
	if begunAgain {
		s.fire = firstSeen{}
	}
	s.record, s.version = r, version
	s.fire.see(r.Fire)
	s.ended.see(r.Ended)
}

// seeSpec notes the times of the job's spec.
func (j *job) seeSpec() {
	j.since.see(j.spec.Since)
	j.resharded.see(j.spec.Resharded)
	j.wholeEnabled.see(j.spec.Enabled)
	var enabled map[int]firstSeen
	if n := len(j.spec.EnabledShards); n > 0 {
		enabled = make(map[int]firstSeen, n)
	}
	for shard, at := range j.spec.EnabledShards {
		f := j.enabled[shard]
		f.see(at)
		enabled[shard] = f
	}
	j.enabled = enabled
}

// learned returns when this instance learned of the times that decisions about
// the shard rest on.
func (s *shard) learned(now time.Time) failover.Learned {
	j := s.job
	enabled := j.wholeEnabled
	if own := j.enabled[s.item]; own.value.After(enabled.value) {
		enabled = own
	}
	return failover.Learned{
		Since:     j.since.learned(now),
		Enabled:   enabled.learned(now),
		Resharded: j.resharded.learned(now),
		Grown:     j.grown.learned(now),
		Fire:      s.fire.learned(now),
		Ended:     s.ended.learned(now),
	}
}
