package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// job is a job that this instance has a handler for.
type job struct {
	name       string
	registered *Job // shared with Add, and never changed
	removed    bool // it is to go as soon as nothing of it runs
	stale      bool // it is to be refreshed

	doc         *layout.Job  // as it is stored; nil while it is not in the store, or can't be read
	spec        *layout.Spec // of doc; nil as well while the job is not here
	specVersion store.Version
	policy      failover.Policy // of the last spec that could be read
	division    string          // of the work, as the spec has it
	timetable   string          // the same for jobs with the same fires; empty: there are none
	rotates     bool            // each run passes the shards on, by the strategy

	since, resharded, grown firstSeen         // the times of spec and assignment
	wholeEnabled            firstSeen         // since when the job is not disabled
	enabled                 map[int]firstSeen // the same of shards
	before                  *failover.Policy  // the one that the present policy replaced, and whose fires of the past no longer count; nil: none

	zone          *time.Location
	writingSpec   bool
	told          *layout.Spec  // the spec that observers know
	explained     string        // the schedule in words, as it was told last
	refused       bool          // the spec given here never fires again, and was not written
	absenceTold   store.Version // the version of the tombstone that was reported
	keptOtherwise bool          // the key of a replaced revision is there, or is not, against the rule
	overwritten   bool          // what Overwrite asks for is done
	compared      bool          // the spec in the store was compared with the one given here

	assigned        *layout.Assignment // nil likewise
	assignedVersion store.Version
	assigning       bool
	advice          *advice // what the strategy was asked last; nil: its answer was used
	rotating        bool    // the strategy is asked whose turn it is

	sources        []string // the jobs that it follows, while it has shards here
	triggers       []failover.Trigger
	cancels        []layout.Cancel
	signalsVersion store.Version
	signalsBroken  bool // they can't be read

	guards     []store.Cond // of every claim: this instance lives, and neither spec nor assignment has changed
	ofFires    []store.Cond // of a claim for a fire: besides, what was asked when other jobs have ended it has not changed
	awaits     awaits
	shards     map[int]*shard // that this instance owns, or runs
	active     int            // runs of this instance
	limited    int            // shards that wait for a limit
	limitCheck *time.Timer    // reports them; nil: none wait
	swept      map[int]bool   // surplus shards of the present assignment whose records are gone
	unread     []*shard
	blocked    int // shards that wait for another instance's run
	follower   *follower

	group     int // that its leader leads
	suspicion suspicion
	unplanned bool // its strategy has failed
	same      sameness
}

func newJob(r *Job) *job {
	// The maps are nil until they are used: a process can have many jobs of
	// which it owns nothing.
	return &job{name: r.Name, registered: r, group: groupOf(r.Name)}
}

func byName(a, b *job) int { return strings.Compare(a.name, b.name) }

// refresh makes the job agree with the replica. Answers that come late touch jobs that were removed meanwhile: there may be another of
// that name by then.
func (e *Engine) refresh(j *job) {
	if e.jobs[j.name] != j {
		return
	}
	e.meter.looks++
	e.endAwaits(j)
	specChanged := e.refreshSpec(j)
	if specChanged {
		e.tellChange(j)
	}
	assignmentChanged := e.refreshAssignment(j)
	if specChanged || assignmentChanged {
		e.suspectAnew(j)
	}
	e.refreshSignals(j)
	e.refreshShards(j)
	e.followSources(j)
	e.explainNoInstance(j)
	e.explainPredecessors(j)
	if j.removed && len(j.shards) == 0 {
		delete(e.jobs, j.name)
		e.unsuspect(j)
		e.endWaits(j.name)
		j.awaits.reset("")
	}
}

func (e *Engine) refreshSpec(j *job) (changed bool) {
	entry, there := e.replica.spec(j.name)
	if !there {
		changed = j.spec != nil
		j.doc, j.spec = nil, nil
		j.specVersion = 0
		e.missing(j)
		return changed
	}
	if changed = entry.Version != j.specVersion; changed {
		j.specVersion = entry.Version
		e.decodeSpec(j, entry)
	}
	if j.doc != nil && j.spec == nil {
		e.tellAbsence(j)
	}
	e.compareSpec(j)
	return changed
}

func (e *Engine) decodeSpec(j *job, entry store.Entry) {
	old := j.spec
	j.doc, j.spec = nil, nil
	doc, err := layout.DecodeJob(entry.Value)
	if err == nil && doc.Here() == nil {
		j.doc = &doc
		return
	}
	if err == nil {
		spec := doc.Spec
		var policy failover.Policy
		if policy, err = spec.Policy(); err == nil {
			if old != nil && !old.Since.Equal(spec.Since) {
				before := j.policy
				j.before = &before
			}
			j.doc = &doc
			j.spec, j.policy = spec, policy
			j.division = spec.Division()
			j.timetable = timetableOf(spec)
			j.rotates = e.rotates(spec)
			j.seeSpec()
			j.zone, _ = spec.Location() // the policy has found it
			e.explain(j)
			return
		}
	}
	e.unreadable(j, wholeJob, unreadableCode(entry.Key), entry.Key, err)
}

// explain says in words when the job fires, once for each schedule: a reader of the log then sees what the expression means.
func (e *Engine) explain(j *job) {
	told, err := j.inWords(e.cfg.Now())
	if told.Words == j.explained {
		return
	}
	j.explained = told.Words
	e.emit(observe.Event{Kind: observe.Scheduled, Job: j.name, Shard: -1, Detail: told.String(), Err: err})
}

func (j *job) inWords(now time.Time) (cron.Explanation, error) {
	switch {
	case len(j.spec.After) > 0:
		return cron.Explanation{
			Expr:  "after " + strings.Join(j.spec.After, ", "),
			Words: fmt.Sprintf("when all shards of %s have %s", strings.Join(j.spec.After, " and of "), j.spec.AfterEnds),
		}, nil
	case j.spec.Schedule == layout.Manual:
		return cron.Explanation{Expr: layout.Manual, Words: "when it is triggered"}, nil
	}
	return cron.Explain(j.policy.Schedule, now, 3)
}

func (e *Engine) unreadable(j *job, shard int, code, key string, err error) {
	e.emit(observe.Event{
		Kind:    observe.Unreadable,
		Job:     j.name,
		Shard:   shard,
		Subject: key,
		Code:    code,
		Args:    map[string]string{"key": key},
		Detail:  "it is left as it is; repair or delete it",
		Err:     err,
	})
}

// isMissing reports whether the store has no document of the job.
func (j *job) isMissing() bool { return j.specVersion == 0 }

// missing has the job put into the store by its leader, as it is not there.
func (e *Engine) missing(j *job) {
	if !e.replica.ready() || e.drain.on {
		return
	}
	// Not an error of Add: a process that restarts after the last fire of its job must come up all the same.
	if err := j.registered.Spec.Fires(e.cfg.Now()); err != nil {
		if !j.refused && e.me != nil && !j.removed {
			j.refused = true
			e.emit(observe.Event{
				Kind:   observe.Refused,
				Job:    j.name,
				Shard:  wholeJob,
				Code:   "never_fires",
				Args:   map[string]string{"schedule": j.registered.Spec.Schedule},
				Detail: "the job was not put into the store",
				Err:    err,
			})
		}
		return
	}
	e.suspect(j)
}

// create puts the job into the store, in one transaction with its first
// assignment: nothing begins before there is one, and a fleet that starts writes
// half as often.
func (e *Engine) create(j *job) {
	spec := j.registered.Spec.From(e.cfg.Now())
	e.writeSpec(j, layout.NewJob(spec, e.changedNow()), e.firstAssignment(j, spec))
}

// firstAssignment returns the assignment of a job that is created now; nil where
// it must be written later: a strategy of the program has to be asked, or there
// is one left of an earlier job.
func (e *Engine) firstAssignment(j *job, spec layout.Spec) *layout.Assignment {
	if _, there := e.replica.assignment(j.name); there || e.isOwn(spec.Sharding) {
		return nil
	}
	may := slices.DeleteFunc(e.mayOwners(j), func(p *peer) bool { return !p.Meets(spec.Requires) })
	p, err := e.planFor(j, spec, nil, may, true, e.cfg.Now())
	if err != nil {
		return nil // it is reported when the job is there
	}
	return &p.want
}

// sameness is what a comparison of the stored job with the one given here has
// shown. It encodes both, so it is made once a version.
type sameness struct {
	version store.Version
	added   int
	same    bool
}

func (j *job) isSame() bool {
	if j.same.version != j.specVersion || j.same.added != j.registered.added {
		j.same = sameness{j.specVersion, j.registered.added, j.spec.Same(j.registered.Spec)}
	}
	return j.same.same
}

// compareSpec sees to it that the job's spec is the one given here, if it is to be, and says so if it is not.
func (e *Engine) compareSpec(j *job) {
	if j.spec == nil || j.removed {
		return
	}
	same := j.isSame()
	switch {
	case j.registered.Overwrite && !j.overwritten:
		if j.overwritten = same; same {
			return
		}
		spec := j.registered.Spec.Replaces(*j.spec, e.cfg.Now())
		e.writeSpec(j, j.doc.With(spec, e.changedNow()), nil)
	case !same && !j.compared && !j.registered.Overwrite:
		j.compared = true
		args, text := compared(*j.spec, "stored", j.registered.Spec, "given")
		e.emit(observe.Event{
			Kind:   observe.Differs,
			Job:    j.name,
			Shard:  wholeJob,
			Code:   "job_differs",
			Args:   args,
			Detail: "the job in the store differs from the one given here, and wins; add it with Overwrite to replace it; " + text,
		})
	}
}

func (e *Engine) refreshAssignment(j *job) (changed bool) {
	entry, there := e.replica.assignment(j.name)
	if !there {
		changed = j.assigned != nil || j.assignedVersion != 0
		j.assigned, j.assignedVersion = nil, 0
		return changed
	}
	if entry.Version == j.assignedVersion {
		return false
	}
	j.assigned, j.assignedVersion = nil, entry.Version
	j.swept = nil
	a, err := layout.DecodeAssignment(entry.Value)
	if err != nil {
		e.unreadable(j, wholeJob, unreadableCode(entry.Key), entry.Key, err)
		return true
	}
	j.assigned = &a
	j.grown.see(a.Grown)
	return true
}

func (e *Engine) refreshSignals(j *job) {
	entry, there := e.replica.signals(j.name)
	if !there {
		j.triggers, j.cancels = nil, nil
		j.signalsVersion, j.signalsBroken = 0, false
		return
	}
	if entry.Version == j.signalsVersion {
		return
	}
	j.triggers, j.cancels = nil, nil
	j.signalsVersion = entry.Version
	signals, err := layout.DecodeSignal(entry.Value)
	j.signalsBroken = err != nil
	if err != nil {
		e.unreadable(j, wholeJob, unreadableCode(entry.Key), entry.Key, err)
		return
	}
	j.triggers, j.cancels = signals.Triggers, signals.Cancels
}

// refreshShards makes the job's shards those that the assignment gives to this instance, besides those that it still runs.
func (e *Engine) refreshShards(j *job) {
	for _, s := range j.shards {
		s.was, s.owned = s.owned, false
	}
	if e.mayOwn(j) {
		j.guards = []store.Cond{
			store.Exists(layout.InstanceKey(e.me.id)),
			store.At(layout.JobKey(j.name), j.specVersion),
			store.At(layout.AssignmentKey(j.name), j.assignedVersion),
		}
		for item, owner := range j.assigned.Owners {
			if owner == e.me.id && e.meets(j) {
				e.own(j, item)
			}
		}
		if e.leads(j) {
			for item := len(j.assigned.Owners); item < j.assigned.Surplus; item++ {
				if !j.swept[item] {
					e.own(j, item)
				}
			}
		}
	}
	for _, s := range j.shards {
		if j.spec != nil {
			s.delay = cron.Jitter{Max: time.Duration(j.spec.Jitter)}.Delay(j.name, s.item, time.Time{})
		}
		s.surplus = j.assigned != nil && s.item >= len(j.assigned.Owners)
		if s.was != s.owned && !s.surplus {
			kind := observe.Dropped
			if s.owned {
				kind = observe.Gained
			}
			e.emit(observe.Event{Kind: kind, Job: j.name, Shard: s.item})
		}
		e.tellMoved(s)
		e.mark(s)
	}
}

// mayOwn says whether the assignment is one to act by. Its shard count must be the spec's, or a handler would compute with a
// total that is not its own; and so must be its division of the work, or a fence could be smaller than one that the same work has seen.
func (e *Engine) mayOwn(j *job) bool {
	return e.me != nil && !e.drain.on && !e.clocks.outlier && !j.removed && j.spec != nil && j.assigned != nil &&
		(j.spec.Broadcast() || len(j.assigned.Owners) == j.spec.Shards) && j.assigned.Division == j.division &&
		j.assigned.Fences >= j.floor()
}

// meets reports whether this instance has the labels that a job requires.
func (e *Engine) meets(j *job) bool {
	return layout.Instance{Labels: e.cfg.Labels}.Meets(j.spec.Requires)
}

func (e *Engine) own(j *job, item int) {
	s := j.shards[item]
	if s == nil {
		s = &shard{job: j, item: item}
		s.alarm.shard = s
		s.place.Value = s
		if j.shards == nil {
			j.shards = map[int]*shard{}
		}
		j.shards[item] = s
	}
	s.owned = true
}

// awaits are the keys whose entry is known to be newer in the store than in the replica. Until the watch has
// shown it, the job's shards claim nothing: a claim would compare a version that is known to be wrong.
type awaits map[string]await

type await struct {
	version store.Version // the one that is known to be old; zero: the key was absent
	timer   *time.Timer
}

// doubtAfter is how long a watch may take to show what is known to be there before it is started anew.
const doubtAfter = 2 * time.Second

// await waits for the replica to show another version of a key than the given one.
func (e *Engine) await(j *job, key string, version store.Version) {
	if e.replica.version(key) != version || j.awaits.has(key) {
		e.touch(j)
		e.lookAgain(j)
		return
	}
	if j.awaits == nil {
		j.awaits = awaits{}
	}
	j.awaits[key] = await{version, e.after(doubtAfter, func() {
		if j.awaits.has(key) {
			e.doubt(layout.Prefix(key))
		}
	})}
}

// endAwaits ends the wait for keys of which the replica shows another version than the one that is old.
func (e *Engine) endAwaits(j *job) {
	for key, w := range j.awaits {
		if e.replica.version(key) != w.version {
			j.awaits.end(key)
			if len(j.awaits) == 0 {
				j.awaits = nil // a map keeps its room
			}
			e.lookAgain(j) // what has come need not make the job suspect
		}
	}
}

func (a awaits) has(key string) bool {
	_, ok := a[key]
	return ok
}

func (a awaits) end(key string) {
	a[key].timer.Stop()
	delete(a, key)
}

// reset ends the wait for all keys that begin with prefix.
func (a awaits) reset(prefix string) {
	for key := range a {
		if strings.HasPrefix(key, prefix) {
			a.end(key)
		}
	}
}
