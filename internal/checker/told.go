package checker

import (
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// Whole says when all shards of a job had ended a fire.
type Whole struct {
	Ended     time.Time // in whatever way
	Succeeded time.Time // or had nothing to do; zero if one of them has not
}

// At returns when the fire had ended as a job that follows asks for; zero if it
// has not.
func (w *Whole) At(ends failover.Ends) time.Time {
	switch {
	case w == nil:
		return time.Time{}
	case ends == failover.WhenEnded:
		return w.Ended
	}
	return w.Succeeded
}

// Whole returns the fires of a job that all its shards have ended, by
// Fire.Unix().
func (a *Audit) Whole(job string) map[int64]*Whole { return a.whole[job] }

// fits says whether an assignment is one of a spec's shards: of a broadcast, no
// instance has two.
func fits(spec *layout.Spec, assigned *layout.Assignment) bool {
	if spec == nil || !spec.Broadcast() {
		return spec != nil && len(assigned.Owners) == spec.Shards
	}
	owners := slices.Sorted(slices.Values(assigned.Owners))
	return len(slices.Compact(owners)) == len(assigned.Owners)
}

// shardsOf returns how many shards a job has; of a broadcast the assignment
// says that.
func (a *Audit) shardsOf(job string, spec *layout.Spec) int {
	if assigned := a.assigned[job]; spec.Broadcast() && assigned != nil {
		return len(assigned.Owners)
	}
	return spec.Shards
}

// asTold checks a claim against what the job says about who may run it, and
// when.
func (a *Audit) asTold(s *Shard, spec *layout.Spec, now failover.Record) {
	if spec.Unclaimed {
		a.breach(8, s.Job, s.Item, "claimed, and the job runs without claims: %s", now)
	}
	if i := a.alive[now.Owner]; i.Name != "" && !i.Meets(spec.Requires) {
		a.breach(9, s.Job, s.Item, "claimed by %s with the labels %v, and the job requires %v", now.Owner, i.Labels, spec.Requires)
	}
	if n := a.runningOn(s.Job, now.Owner); spec.MaxConcurrent > 0 && n > spec.MaxConcurrent {
		a.breach(9, s.Job, s.Item, "claimed by %s, which has %d runs of the job by that, of at most %d", now.Owner, n, spec.MaxConcurrent)
	}
	if now.Attempt > 1 || now.IsManual() || a.Wrong {
		return
	}
	for _, name := range spec.After {
		if !a.guarded(layout.JobKey(name), true) {
			a.breach(9, s.Job, s.Item, "claimed without a guard on the spec of %s, which says what its shards are", name)
		}
		if b := a.specs[name]; b != nil && b.Broadcast() && !a.guarded(layout.AssignmentKey(name), true) {
			a.breach(9, s.Job, s.Item, "claimed without a guard on the assignment of %s, which says what its shards are", name)
		}
		if a.whole[name][now.Fire.Unix()].At(spec.AfterEnds).IsZero() {
			a.breach(9, s.Job, s.Item, "begins the fire of %s before all shards of %s have %s: %s", now.Fire.Format(clock), name, spec.AfterEnds, now)
		}
	}
}

// runningOn returns how many runs of a job an instance has.
func (a *Audit) runningOn(job, instance string) (n int) {
	for _, s := range a.shards {
		if s.Job == job && s.Record.State == failover.StateRunning && s.Record.Owner == instance {
			n++
		}
	}
	return n
}

// end notes a fire that all shards of a job have ended by now. What has ended
// once stays so: the job may get more shards since.
func (a *Audit) end(job string, fire int64) {
	spec := a.specs[job]
	if spec == nil {
		return
	}
	n, succeeded := 0, true
	for item := range a.itemsOf(job, spec) {
		f := a.shard(job, item).Fires[fire]
		if f == nil || f.EndedAs == "" {
			return
		}
		n++
		succeeded = succeeded && (f.EndedAs == failover.ResultSucceeded || f.EndedAs == failover.ResultSkipped)
	}
	if n == 0 {
		return
	}
	if a.whole[job] == nil {
		a.whole[job] = map[int64]*Whole{}
	}
	w := a.whole[job][fire]
	if w == nil {
		w = &Whole{Ended: a.now.Time}
		a.whole[job][fire] = w
	}
	if succeeded && w.Succeeded.IsZero() {
		w.Succeeded = a.now.Time
	}
}

// ends does the same for all fires, after the shards that count have changed.
func (a *Audit) ends(job string) {
	spec := a.specs[job]
	if spec == nil {
		return
	}
	for item := range a.itemsOf(job, spec) {
		for fire := range a.shard(job, item).Fires {
			a.end(job, fire)
		}
		return // who has not begun it has not ended it
	}
}

// itemsOf yields the shards of a job that another waits for: of a broadcast
// those that have a record.
func (a *Audit) itemsOf(job string, spec *layout.Spec) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		if spec.Broadcast() {
			for _, s := range a.shards {
				if s.Job == job && s.there && !yield(s.Item) {
					return
				}
			}
			return
		}
		for item := range spec.Shards {
			if !slices.Contains(spec.DisabledShards, item) && !yield(item) {
				return
			}
		}
	}
}
