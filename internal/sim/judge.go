package sim

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/sharding"
)

// judge looks at the end of the calm: everything must have come right by itself.
func (w *World) judge() {
	w.mu.Lock()
	defer w.mu.Unlock()
	live := w.members()
	for _, j := range w.plan.Jobs {
		spec := w.audit.Spec(j.Name)
		if spec == nil {
			w.violate(5, j.Name, -1, "it is not in the store")
			continue
		}
		w.covered(j.Name, spec, live)
		for item := range spec.Shards {
			s := w.audit.Shard(j.Name, item)
			w.inTime(s, spec)
			if !w.changed[j.Name] && !w.audit.Wrong {
				w.accounted(s, spec)
			}
			if !w.changed[j.Name] {
				w.triggered(s, spec)
			}
		}
	}
}

// members checks that just the processes that are up are registered, each once, and returns their IDs.
func (w *World) members() []string {
	var ids []string
	names := map[string]bool{}
	for _, e := range w.server.Dump() {
		id, ok := instanceOf(e)
		if !ok {
			continue
		}
		ids = append(ids, id)
		names[w.audit.Client(id)] = true
	}
	up := map[string]bool{}
	for _, n := range w.nodes {
		if n != nil {
			up[n.id] = true
		}
	}
	for id := range up {
		if !names[id] {
			w.violate(5, "", -1, "%s is up, and not registered: %v", id, ids)
		}
	}
	if len(ids) != len(up) {
		w.violate(8, "", -1, "%d processes are up, and registered are %v", len(up), ids)
	}
	return ids
}

// covered checks invariant 6: each shard has one owner that may own, and nobody has a reason to change that.
func (w *World) covered(job string, spec *layout.Spec, live []string) {
	a := w.assignment(job)
	if a == nil {
		w.violate(6, job, -1, "it has no assignment")
		return
	}
	if len(a.Owners) != spec.Shards || a.Surplus != 0 {
		w.violate(6, job, -1, "%d shards, and assigned is %+v", spec.Shards, a)
		return
	}
	var may []sharding.Instance
	for _, id := range live {
		may = append(may, sharding.Instance{ID: id, Weight: 1})
	}
	if err := sharding.Valid(a.Owners, spec.Shards, may); err != nil {
		w.violate(6, job, -1, "%v; live are %v", err, live)
		return
	}
	least, most := spec.Shards, 0
	for _, id := range live {
		n := 0
		for _, owner := range a.Owners {
			if owner == id {
				n++
			}
		}
		least, most = min(least, n), max(most, n)
	}
	if most > least+1 {
		w.violate(6, job, -1, "unevenly spread: %v over %v", a.Owners, live)
	}
}

func (w *World) assignment(job string) *layout.Assignment {
	for _, e := range w.server.Dump() {
		if e.Key == layout.AssignmentKey(job) {
			if a, err := layout.DecodeAssignment(e.Value); err == nil {
				return &a
			}
		}
	}
	return nil
}

// In the calm everything must have recovered by the time that recovery takes, and from then on each fire begins within promptly.
const (
	recovery = 13 * time.Second
	promptly = time.Second
)

// inTime checks invariant 5.
func (w *World) inTime(s *checker.Shard, spec *layout.Spec) {
	r := s.Record
	if r.State == failover.Running && !w.audit.Alive(r.Owner) {
		w.violate(5, s.Job, s.Item, "it is stuck: %s", r)
	}
	if r.State == failover.Running && time.Since(r.Started) > 4*time.Second {
		w.violate(5, s.Job, s.Item, "it runs and runs: %s", r)
	}
	policy, err := spec.Policy()
	if err != nil {
		w.violate(8, s.Job, s.Item, "%v", err)
		return
	}
	slack := promptly + time.Duration(spec.Jitter) + max(slices.Max(w.plan.Skew), 0) - min(slices.Min(w.plan.Skew), 0)
	from := later(w.started.Add(w.plan.Length+recovery), spec.Since.Add(time.Nanosecond))
	for fire := range firesOf(policy.Schedule, from, time.Now().Add(-slack)) {
		f := s.Fires[fire.Unix()]
		if f == nil || f.Begun.After(fire.Add(slack)) {
			w.violate(5, s.Job, s.Item, "the fire of %s was not begun in time (%+v), the record is %s", stamp(fire), f, r)
			return
		}
	}
}

// firesOf yields the fires after a time and up to another.
func firesOf(s cron.Schedule, after, until time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for fire := s.Next(after); !fire.IsZero() && !fire.After(until); fire = s.Next(fire) {
			if !yield(fire) {
				return
			}
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// accounted checks invariant 4: each fire up to the record's ended somehow, or somebody has said that it is missed.
func (w *World) accounted(s *checker.Shard, spec *layout.Spec) {
	policy, err := spec.Policy()
	if err != nil || spec.Overlap == failover.OverlapSkip {
		return // what comes while it runs is skipped, and nobody need know how much that was
	}
	var said []time.Time
	said = append(said, w.missed[place{s.Job, s.Item}]...)
	silent := time.Time{} // the first of the fires in a row that nobody began
	for fire := range firesOf(policy.Schedule, policy.Since, s.Record.Fire) {
		f := s.Fires[fire.Unix()]
		switch {
		case f == nil && silent.IsZero():
			silent = fire
			told := slices.ContainsFunc(said, func(t time.Time) bool { return t.Equal(fire) })
			if spec.Misfire == failover.All || !told {
				w.violate(4, s.Job, s.Item, "nobody began the fire of %s, and nobody said so", stamp(fire))
				return
			}
		case f == nil:
		default:
			silent = time.Time{}
			w.fate(s, spec, f)
		}
	}
}

// triggered checks that each trigger was begun that was promised to be.
func (w *World) triggered(s *checker.Shard, spec *layout.Spec) {
	for _, t := range w.asked[s.Job] {
		if t.only >= 0 && t.only != s.Item {
			continue
		}
		switch f := s.Asked[t.seq]; {
		case f == nil:
			w.violate(4, s.Job, s.Item, "the trigger %d was taken at %s, and never begun: %s", t.seq, stamp(t.taken), s.Record)
		case !f.Begun.IsZero():
			w.fate(s, spec, f)
		}
	}
}

// fate checks how a fire ended that was begun.
func (w *World) fate(s *checker.Shard, spec *layout.Spec, f *checker.Fate) {
	switch {
	case f.Result == "" && !f.Fire.Equal(s.Record.Time()):
		w.violate(4, s.Job, s.Item, "the fire of %s never ended: %+v", stamp(f.Fire), f)
	case f.Result == failover.Lost && spec.Failover && f.Attempts < spec.MaxAttempts:
		w.violate(4, s.Job, s.Item, "the fire of %s was given up after %d attempts", stamp(f.Fire), f.Attempts)
	}
}

// close has all leave in good order, and checks invariant 8.
func (w *World) close() {
	w.closing = true
	for _, n := range w.nodes {
		if n != nil {
			w.leave(n, -1)
		}
	}
	empty := func() bool { return !slices.ContainsFunc(w.nodes, func(n *node) bool { return n != nil }) }
	w.driveUntil(time.Now().Add(w.plan.Drain+w.plan.Grace+10*time.Second), empty)
	if !empty() && !w.broken() {
		w.violate(5, "", -1, "somebody does not leave")
	}
	w.driveUntil(time.Now().Add(w.plan.TTL+time.Second), func() bool { return false })
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.server.Dump() {
		if why := w.residue(e.Key); why != "" {
			w.violate(8, e.Key, -1, "at rest: %s: %s", why, e.Value)
		}
	}
	if held := w.server.Sessions(); len(held) > 0 {
		w.violate(8, "", -1, "at rest there are sessions: %v", held)
	}
}

// residue says why a key should not be there.
func (w *World) residue(key string) string {
	prefix, rest, _ := strings.Cut(key, "/")
	switch prefix {
	case layout.Jobs, layout.Assignments, layout.Signals:
		if w.audit.Spec(rest) == nil {
			return "nobody has such a job"
		}
		return ""
	case "runs":
		job, item, ok := shardOf(key)
		spec := w.audit.Spec(job)
		if !ok || spec == nil || item >= spec.Shards {
			return "there is no such shard"
		}
		if r := w.audit.Shard(job, item).Record; r.State != failover.Idle {
			return fmt.Sprint("a run in progress: ", r)
		}
		return ""
	}
	return "nothing has such a key"
}
