package sim

import (
	"iter"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// due yields the fires of a job that are due after a time and up to another, and when they are: at their time, or, where a job follows
// others, when these have ended them.
func (w *World) due(spec *layout.Spec, policy failover.Policy, after, until time.Time) iter.Seq2[time.Time, time.Time] {
	return func(yield func(fire, due time.Time) bool) {
		if len(spec.After) == 0 {
			for fire := range firesOf(policy.Schedule, after, until) {
				if !yield(fire, fire) {
					return
				}
			}
			return
		}
		for _, fire := range w.followed(spec) {
			if due := w.dueAt(spec, fire); due.After(after) && !due.After(until) && !yield(fire, due) {
				return
			}
		}
	}
}

// followed returns the fires that a job which follows others has to run, in order.
func (w *World) followed(spec *layout.Spec) (fires []time.Time) {
	for at := range w.audit.Whole(spec.After[0]) {
		if fire := time.Unix(at, 0); fire.After(spec.Since) && !w.dueAt(spec, fire).IsZero() {
			fires = append(fires, fire)
		}
	}
	slices.SortFunc(fires, time.Time.Compare)
	return fires
}

// dueAt returns when all that a job follows had ended a fire as it asks for; zero if they have not.
func (w *World) dueAt(spec *layout.Spec, fire time.Time) (last time.Time) {
	for _, name := range spec.After {
		at := w.audit.Whole(name)[fire.Unix()].At(spec.AfterEnds)
		if at.IsZero() {
			return at
		}
		last = later(last, at)
	}
	return last
}

// known is by when all instances know of a job that follows others, and remember for it what they end.
const known = 6 * time.Second

// followedUntil yields the fires up to one that a job which follows others has to run.
func (w *World) followedUntil(spec *layout.Spec, last time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for _, fire := range w.followed(spec) {
			if fire.After(last) || !yield(fire) {
				return
			}
		}
	}
}

// excused says whether a shard need not know of a fire that its job follows: that was not remembered, or no longer. The shards of a broadcast
// come and go, and with them what they remember.
func (w *World) excused(s *checker.Shard, spec *layout.Spec, fire time.Time) bool {
	if len(spec.After) == 0 {
		return false
	}
	return w.dueAt(spec, fire).Before(later(spec.Since, w.started).Add(known)) || w.forgotten(s, spec, fire) ||
		slices.ContainsFunc(spec.After, func(name string) bool { return w.told[name].Broadcast() })
}

// forgotten says whether what a shard follows had ended so many fires after one, when the shard began its next, that it was no longer
// remembered.
func (w *World) forgotten(s *checker.Shard, spec *layout.Spec, fire time.Time) bool {
	next := time.Now()
	for _, f := range s.Fires {
		if f.Fire.After(fire) && f.Begun.Before(next) {
			next = f.Begun
		}
	}
	for _, name := range spec.After {
		for item := range w.told[name].Shards + w.plan.Nodes {
			n := 0
			for _, f := range w.audit.Shard(name, item).Fires {
				if f.Fire.After(fire) && !f.Ended.IsZero() && f.Ended.Before(next) {
					n++
				}
			}
			if n >= failover.KeptSeries {
				w.counts["forgotten"]++
				return true
			}
		}
	}
	return false
}
