package sim

import (
	"iter"
	"slices"
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
			if !once(j.Spec) { // its time may have passed before anybody came to put it there
				w.violate(5, j.Name, -1, "it is not in the store")
			}
			continue
		}
		may := w.mayOwn(spec, live)
		if len(may) == 0 {
			w.counts["nobody may own"]++
			w.orphaned[j.Name] = true
			continue
		}
		assigned := w.covered(j.Name, spec, may)
		if assigned == nil {
			continue
		}
		for item := range assigned.Owners {
			w.judgeShard(w.audit.Shard(j.Name, item), spec, assigned)
		}
	}
}

func (w *World) judgeShard(s *checker.Shard, spec *layout.Spec, assigned *layout.Assignment) {
	policy, err := spec.Policy()
	if err != nil {
		w.violate(8, s.Job, s.Item, "%v", err)
		return
	}
	if spec.Unclaimed {
		w.onceEach(s, policy.Schedule)
		return
	}
	w.inTime(s, spec, policy)
	w.missedStay(s)
	if !w.altered(spec, s.Job) && !w.audit.Wrong {
		w.accounted(s, spec, policy, assigned)
	}
	if !w.changed[s.Job] {
		w.triggered(s, spec)
	}
}

// altered says whether the job, or one that it follows, is another than in the plan.
func (w *World) altered(spec *layout.Spec, job string) bool {
	return w.changed[job] || slices.ContainsFunc(spec.After, func(name string) bool { return w.changed[name] })
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

// mayOwn returns the live instances that have the labels which a job requires.
func (w *World) mayOwn(spec *layout.Spec, live []string) (may []sharding.Instance) {
	for _, id := range live {
		if i := w.audit.Instance(id); i.Meets(spec.Requires) {
			may = append(may, sharding.Instance{ID: id, Weight: i.Weight})
		}
	}
	return may
}

// covered checks invariant 6: each shard has one owner that may own, and nobody has a reason to change that. It returns the assignment; nil
// if there is nothing more to say about the job.
func (w *World) covered(job string, spec *layout.Spec, may []sharding.Instance) *layout.Assignment {
	a := w.assignment(job)
	if a == nil {
		w.violate(6, job, -1, "it has no assignment")
		return nil
	}
	want := spec.Shards
	if spec.Broadcast() {
		want = len(may)
	}
	if len(a.Owners) != want || a.Surplus != 0 {
		w.violate(6, job, -1, "%d shards, and assigned is %+v", want, a)
		return nil
	}
	if err := sharding.Valid(a.Owners, want, may); err != nil {
		w.violate(6, job, -1, "%v; may own: %v", err, may)
		return nil
	}
	if why := uneven(job, spec, a.Owners, may); why != "" {
		w.violate(6, job, -1, "%s: %v over %v", why, a.Owners, may)
		return nil
	}
	return a
}

// uneven says what is wrong with the way in which shards are spread; empty: nothing.
func uneven(job string, spec *layout.Spec, owners []string, may []sharding.Instance) string {
	if spec.Broadcast() {
		if slices.Equal(sharding.Broadcast(may, owners), owners) {
			return ""
		}
		return "one has two shards of a broadcast"
	}
	strategy, err := sharding.ByName(spec.Sharding)
	if err != nil {
		return err.Error()
	}
	if !slices.Equal(strategy.Assign(job, spec.Shards, may, owners), owners) {
		return "the strategy " + spec.Sharding + " has it otherwise"
	}
	total := 0
	for _, i := range may {
		total += weight(spec, i)
	}
	for _, i := range may {
		n, share := 0, spec.Shards*weight(spec, i)
		for _, owner := range owners {
			if owner == i.ID {
				n++
			}
		}
		if spec.Sharding != "static" && (n < share/total || n > (share+total-1)/total) {
			return "unevenly spread"
		}
	}
	return ""
}

// weight is what an instance counts for: only one of the strategies asks.
func weight(spec *layout.Spec, i sharding.Instance) int {
	if spec.Sharding == "sticky" {
		return i.Weight
	}
	return 1
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

// In the calm everything must have recovered by the time that the plan gives it, and from then on each fire begins within promptly.
const promptly = time.Second

// slack is how much later than due a fire may begin, or than the clock of another instance has it.
func (w *World) slack(jitter layout.Duration) time.Duration {
	return promptly + time.Duration(jitter) + max(slices.Max(w.plan.Skew), 0) - min(slices.Min(w.plan.Skew), 0)
}

// inTime checks invariant 5.
func (w *World) inTime(s *checker.Shard, spec *layout.Spec, policy failover.Policy) {
	r := s.Record
	if r.State == failover.StateRunning && !w.audit.Alive(r.Owner) {
		w.violate(5, s.Job, s.Item, "it is stuck: %s", r)
	}
	if r.State == failover.StateRunning && time.Since(r.Started) > 4*time.Second {
		w.violate(5, s.Job, s.Item, "it runs and runs: %s", r)
	}
	if spec.Sharding == "single" && spec.Misfire != failover.MisfireAll && w.audit.Skew >= time.Second/2 {
		return // it passes from clock to clock, and who is ahead misses what who is behind has not come to
	}
	slack := w.slack(spec.Jitter)
	from := later(w.started.Add(w.plan.Length+w.plan.Recovery), w.audit.InForce(s.Job).Add(time.Nanosecond))
	for fire, due := range w.due(spec, policy, from, time.Now().Add(-slack)) {
		f := s.Fires[fire.Unix()]
		if f == nil || f.Begun.After(due.Add(slack)) {
			w.violate(5, s.Job, s.Item, "the fire of %s was not begun in time (%+v), the record is %s", stamp(fire), f, r)
			return
		}
	}
}

// onceEach checks of a job without claims what it is promised at rest: each fire runs once, in time.
func (w *World) onceEach(s *checker.Shard, schedule cron.Schedule) {
	slack := w.slack(w.told[s.Job].Jitter)
	for fire := range firesOf(schedule, w.started.Add(w.plan.Length+w.plan.Recovery), time.Now().Add(-slack)) {
		var runs []*execution
		for _, x := range w.runs[place{s.Job, s.Item}] {
			if x.run.Fire.Equal(fire) && x.start.After(fire.Add(-slack)) { // a clock that was wrong may have had one before
				runs = append(runs, x)
			}
		}
		if len(runs) != 1 || runs[0].start.After(fire.Add(slack)) {
			w.violate(5, s.Job, s.Item, "without claims, and at rest, the fire of %s runs other than once, or late: %v", stamp(fire), runs)
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

// missed is fires that an instance has reported as missed, and when it did.
type missed struct {
	span
	said time.Time
}

func (m missed) has(fire time.Time) bool { return !fire.Before(m.from) && !fire.After(m.to) }

// missedStay checks that no fire begins that was reported as missed. An
// instance whose clock is behind that of the reporter may take it for one that
// is due a little longer.
func (w *World) missedStay(s *checker.Shard) {
	if w.audit.Wrong {
		return
	}
	for _, m := range w.missed[place{s.Job, s.Item}] {
		for _, f := range s.Fires {
			if m.has(f.Fire) && f.Begun.After(m.said.Add(w.audit.Skew+promptly)) {
				w.violate(2, s.Job, s.Item, "the fire of %s began at %s, and was reported as missed at %s", stamp(f.Fire), stamp(f.Begun), stamp(m.said))
			}
		}
	}
}

// accounted checks invariant 4: each fire up to the record's ended somehow, or somebody has said that it is missed.
func (w *World) accounted(s *checker.Shard, spec *layout.Spec, policy failover.Policy, assigned *layout.Assignment) {
	if spec.Overlap == failover.OverlapSkip {
		return // what comes while it runs is skipped, and nobody need know how much that was
	}
	fires := firesOf(policy.Schedule, policy.Since, s.Record.Fire)
	if len(spec.After) > 0 {
		fires = w.followedUntil(spec, s.Record.Fire)
	}
	said := w.missed[place{s.Job, s.Item}]
	for fire := range fires {
		f := s.Fires[fire.Unix()]
		if f != nil {
			w.fate(s, spec, f)
			continue
		}
		told := slices.ContainsFunc(said, func(m missed) bool { return m.has(fire) })
		if (spec.Misfire == failover.MisfireAll || !told) && fire.After(assigned.Grown) && !w.excused(s, spec, fire) {
			w.violate(4, s.Job, s.Item, "nobody began the fire of %s, and nobody said so", stamp(fire))
			return
		}
	}
}

// triggered checks that each trigger was begun that was promised to be.
func (w *World) triggered(s *checker.Shard, spec *layout.Spec) {
	for _, t := range w.asked[s.Job] {
		if t.only >= 0 && t.only != s.Item || spec.Broadcast() && !s.Since().Before(t.asked) {
			continue // who is new in a broadcast passes over what was asked before
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
	case f.Result == failover.ResultLost && spec.Failover && f.Attempts < spec.MaxAttempts:
		w.violate(4, s.Job, s.Item, "the fire of %s was given up after %d attempts", stamp(f.Fire), f.Attempts)
	}
}
