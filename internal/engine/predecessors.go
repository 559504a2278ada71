package engine

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// A job that follows others and does not run says why. Which jobs are there, all
// instances see, so the oldest that has the job says it; what the others have
// ended, the instance with the job's first shard compares with that shard's
// record, so that a fleet says it once.

// The codes of reasons for which a job that follows others does not run.
const (
	predecessorUnknown   = "predecessor_unknown"   // not in the store, or on no live instance
	predecessorDisabled  = "predecessor_disabled"  // with all its shards
	predecessorUnclaimed = "predecessor_unclaimed" // its runs are not recorded, so none can be followed
	predecessorFailed    = "predecessor_failed"    // it ended a fire otherwise than the job asks for
	followerLostFires    = "follower_lost_fires"   // it has forgotten a fire that the job had still to run
)

// explainPredecessors reports jobs that a job follows and that can't run.
func (e *Engine) explainPredecessors(j *job) {
	why := map[string][]string{}
	if e.me != nil && !j.removed && j.spec != nil && !j.spec.Disabled && e.replica.ready() && e.isOldestOf(j) {
		for _, name := range j.spec.After {
			if code := e.whyNotFollowed(name); code != "" {
				why[code] = append(why[code], name)
			}
		}
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(j.shards)), (*shard).speaks) {
		e.endWait(j.name, wholeJob, predecessorFailed)
		e.endWait(j.name, wholeJob, followerLostFires)
	}
	say := func(code, text string) { e.sayFollows(j, code, why[code], text, settling) }
	say(predecessorUnknown, "which is not in the store, or on no live instance: add it to one, or follow another")
	say(predecessorDisabled, "which is disabled: enable it")
	say(predecessorUnclaimed, "which runs without claims, so that its ends are not known: give it claims")
}

// sayFollows starts, or with no names ends, the wait of a job for some that it
// follows.
func (e *Engine) sayFollows(j *job, code string, names []string, text string, patience time.Duration) {
	if len(names) == 0 {
		e.endWait(j.name, wholeJob, code)
		return
	}
	all := strings.Join(names, ", ")
	e.startWait(j.name, wholeJob, reason{
		code:     code,
		args:     map[string]string{"predecessor": all},
		text:     "the job follows " + all + ", " + text,
		patience: patience,
	})
}

// whyNotFollowed returns why a job can't be followed now; empty if it can.
func (e *Engine) whyNotFollowed(name string) (code string) {
	entry, there := e.replica.spec(name)
	if !there {
		return predecessorUnknown
	}
	spec, err := layout.DecodeSpec(entry.Value)
	onLive := slices.ContainsFunc(e.replica.peers, func(p *peer) bool { return p.readable && p.State == layout.Up && p.Has(name) })
	switch {
	case err != nil || !onLive:
		return predecessorUnknown
	case spec.Unclaimed:
		return predecessorUnclaimed
	case spec.Disabled || spec.Shards > 0 && len(spec.DisabledShards) == spec.Shards:
		return predecessorDisabled
	}
	return ""
}

// explainFollower reports fires that the jobs which a job follows have ended,
// and for which it does not run.
func (e *Engine) explainFollower(s *shard, p failover.Policy, v failover.View) {
	j := s.job
	if !s.speaks() {
		return
	}
	var failed, lost []string
	if after := p.Base(v); !p.Disabled {
		waits := p.Schedule.Next(after).IsZero()
		if waits {
			failed = e.failedFor(j, after)
		}
		if waits || p.Misfire == failover.MisfireAll { // else the later fire stands for those before it
			lost = e.forgetful(j, after)
		}
	}
	e.sayFollows(j, predecessorFailed, failed, "which failed; it runs when a later fire succeeds", 0)
	e.sayFollows(j, followerLostFires, lost, "which has ended so many fires since that the one to follow is no longer remembered; "+
		"shorten the runs of the others that the job follows", 0)
}

// speaks reports whether this instance says of a job that follows others why it
// does not run: it has the first of the shards that are not disabled.
func (s *shard) speaks() bool {
	if s.job.spec == nil || len(s.job.spec.After) == 0 || !s.owned || s.surplus || slices.Contains(s.job.spec.DisabledShards, s.item) {
		return false
	}
	for item := range s.item {
		if !slices.Contains(s.job.spec.DisabledShards, item) {
			return false
		}
	}
	return true
}

// failedFor returns the jobs for which the last fire that all have ended after a
// moment does not count.
func (e *Engine) failedFor(j *job, after time.Time) (names []string) {
	fire := e.allEnded(j, failover.WhenEnded).Last()
	if !fire.After(after) {
		return nil
	}
	return e.without(j, fire)
}

// forgetful returns the jobs that have forgotten whether they ended a fire that
// the others have ended after a moment.
func (e *Engine) forgetful(j *job, after time.Time) (names []string) {
	fire := e.allEnded(j, j.spec.AfterEnds).Lost(after)
	if fire.IsZero() {
		return nil
	}
	return e.without(j, fire)
}

// without returns the jobs that have not ended a fire as a job which follows
// them asks for, or no longer know.
func (e *Engine) without(j *job, fire time.Time) (names []string) {
	for _, name := range j.spec.After {
		if counts, _ := e.endedBy(name, j.spec.AfterEnds); !counts.Next(fire.Add(-1)).Equal(fire) {
			names = append(names, name)
		}
	}
	return names
}

// allEnded returns the fires that all jobs which a job follows have ended.
func (e *Engine) allEnded(j *job, ends failover.Ends) (all failover.Followed) {
	for i, name := range j.spec.After {
		ended, _ := e.endedBy(name, ends)
		if i > 0 {
			ended = all.And(ended)
		}
		all = ended
	}
	return all
}
