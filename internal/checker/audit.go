package checker

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// Audit checks every commit of a memory store against the protocol, in the
// order of the store: not only that nothing went wrong, but that nothing was
// let through that should have been refused, even where it happened to do no
// harm. What it finds has the number of the invariant that the rule holds up.
//
// It sees what the store was asked, and no handler: History is for those. It is
// not safe for concurrent use; Server.OnCommit calls it for one commit at a
// time.
type Audit struct {
	// Operator is the name of the client that stands for people: it may write
	// what it likes, except records.
	Operator string

	// Wrong says that some clock is, or was, further off than MaxSkew. The
	// times of a record are then not to be relied on: fires can begin again,
	// also those that others follow. Fences grow all the same.
	Wrong bool

	// Skew is how far clocks differ at most. What a shard has done is forgotten
	// with its record when the job loses it; if it comes back what is due to it
	// follows from the time, so within Skew it can repeat itself. Below a
	// millisecond it must not.
	Skew time.Duration

	// Found has every breach so far.
	Found []Violation

	jobs     map[string]*layout.Job        // nil: there is one, and it can't be read
	specs    map[string]*layout.Spec       // of jobs that are here; nil: the job is not, or can't be read
	inForce  map[string]time.Time          // since when a spec's schedule is, as far as that can be believed
	changed  map[string]time.Time          // when what decides about fires of the past changed last
	assigned map[string]*layout.Assignment // likewise
	cancels  map[string][]layout.Cancel    // by job: all that operators have given
	sets     map[string]map[int][]byte     // documents of sets of jobs, by hash
	signs    map[string]bool               // keys of heartbeats and clocks
	alive    map[string]layout.Instance    // the instances that have a key; zero: one that can't be read
	whole    map[string]map[int64]*Whole   // by job and Fire.Unix(): what all its shards have ended
	died     map[string]time.Time          // when their key was gone
	clients  map[string]string             // who wrote that key, also of those that are gone
	shards   map[string]*Shard             // by the record's key
	divided  map[string]*divided           // by job
	now      memory.Commit                 // that is being checked
	damaged  bool                          // the operator has damaged sets of jobs
}

// Shard is what the store's history says about one shard.
type Shard struct {
	Job    string
	Item   int
	Record failover.Record  // as it is now; zero if it has none
	Fires  map[int64]*Fate  // by Fire.Unix()
	Asked  map[uint64]*Fate // by the number of the trigger that asked for it
	Claims map[uint64]Claim
	fence  uint64    // the greatest ever, also of records that were deleted
	since  time.Time // when the record was created
	reborn time.Time // when the record was last deleted
	there  bool

	division int // of the job's work, when the shard was claimed last
}

// Since returns when the shard's record was created; the zero time if it has
// none.
func (s *Shard) Since() time.Time { return s.since }

// Fate is what became of one fire of a shard, or of one trigger.
type Fate struct {
	Fire     time.Time // of a trigger: when it was given
	Begun    time.Time // when it was claimed first
	Attempts int
	Result   failover.Result // empty while it runs

	// Of the last end, also while it runs again: a clock that was wrong can
	// have it begin twice.
	Ended   time.Time
	EndedAs failover.Result
}

// Claim is a claim that the store took.
type Claim struct {
	Time    time.Time
	Client  string
	Fire    time.Time
	Trigger uint64 // zero: the schedule asked for it
	Attempt int
	Total   int // how many shards the job had
	Trace   failover.Trace

	Division int // of the job's work, by number; it grows with every change of who does which piece of it
	Order    int // of the job's claims, as the store took them; one that is claimed anew keeps it
}

// NewAudit returns an audit that has seen nothing.
func NewAudit(operator string) *Audit {
	return &Audit{
		Operator: operator,
		jobs:     map[string]*layout.Job{},
		sets:     map[string]map[int][]byte{},
		signs:    map[string]bool{},
		specs:    map[string]*layout.Spec{},
		cancels:  map[string][]layout.Cancel{},
		inForce:  map[string]time.Time{},
		changed:  map[string]time.Time{},
		assigned: map[string]*layout.Assignment{},
		alive:    map[string]layout.Instance{},
		died:     map[string]time.Time{},
		whole:    map[string]map[int64]*Whole{},
		clients:  map[string]string{},
		shards:   map[string]*Shard{},
		divided:  map[string]*divided{},
	}
}

// Commit checks one commit.
func (a *Audit) Commit(c memory.Commit) {
	a.now = c
	for _, op := range c.Do {
		kind := layout.KindOf(op.Key)
		if kind == nil {
			if !a.byOperator() { // a person may put a key anywhere, and all ignore it
				a.breach(8, "", -1, "nothing has the key %s", op.Key)
			}
			continue
		}
		_, rest, _ := strings.Cut(op.Key, "/")
		switch kind.Prefix {
		case layout.Instances:
			a.instance(rest, op)
		case layout.Jobs:
			a.spec(rest, op)
		case layout.Assignments:
			a.assignment(rest, op)
		case layout.Signals:
			a.signals(rest, op)
		case layout.Heartbeats, layout.Clocks:
			a.sign(rest, op)
		case layout.JobSets:
			a.set(op)
		case layout.Runs:
			job, item, _ := layout.RunOf(op.Key)
			a.record(a.shard(job, item), op)
		}
		if kind.OfJob {
			a.below(op)
		}
	}
}

// Shard returns what is known about a shard. It is never nil.
func (a *Audit) Shard(job string, item int) *Shard { return a.shard(job, item) }

// Alive says whether an instance has a key.
func (a *Audit) Alive(id string) bool {
	_, ok := a.alive[id]
	return ok
}

// Instance returns what an instance says about itself; zero if it has no key,
// or one that can't be read.
func (a *Audit) Instance(id string) layout.Instance { return a.alive[id] }

// Spec returns a job's spec as it is now; nil if there is none that can be
// read.
func (a *Audit) Spec(job string) *layout.Spec { return a.specs[job] }

// Job returns a job as it is stored, also one that is not here; nil if there is
// none that can be read.
func (a *Audit) Job(job string) *layout.Job { return a.jobs[job] }

// InForce returns since when a job's schedule is, also if a broken clock says
// that it will only be later.
func (a *Audit) InForce(job string) time.Time { return a.inForce[job] }

// Client returns who registered an instance.
func (a *Audit) Client(id string) string { return a.clients[id] }

func (a *Audit) shard(job string, item int) *Shard {
	key := layout.RunKey(job, item)
	s := a.shards[key]
	if s == nil {
		s = &Shard{
			Job:    job,
			Item:   item,
			Fires:  map[int64]*Fate{},
			Asked:  map[uint64]*Fate{},
			Claims: map[uint64]Claim{},
		}
		a.shards[key] = s
	}
	return s
}

func (a *Audit) breach(invariant int, job string, shard int, format string, args ...any) {
	text := fmt.Sprintf("%s by %s: %s", a.now.Cause, a.now.Client, fmt.Sprintf(format, args...))
	a.Found = append(a.Found, Violation{invariant, job, shard, a.now.Time, text})
}

func (a *Audit) byOperator() bool { return a.now.Client == a.Operator }

func (a *Audit) instance(id string, op store.Op) {
	if op.Kind == store.OpDelete {
		a.evicted(id, op)
		delete(a.alive, id)
		a.died[id] = a.now.Time
		return
	}
	if op.Kind == store.OpCreateEphemeral {
		if a.clients[id] != "" {
			a.breach(1, "", -1, "the instance %s comes back: nothing proves it dead any more", id)
		}
		a.clients[id] = a.now.Client
	}
	if a.now.Session == "" && !a.byOperator() {
		a.breach(1, "", -1, "the instance %s is registered outside a session", id)
	}
	doc, err := layout.DecodeInstance(op.Value)
	a.alive[id] = doc
	if err == nil && !a.byOperator() {
		a.names(id, doc)
	}
}

func (a *Audit) spec(job string, op store.Op) {
	defer a.ends(job)
	if op.Kind == store.OpDelete {
		delete(a.jobs, job)
		delete(a.specs, job)
		delete(a.changed, job)
		return
	}
	old, oldDoc := a.specs[job], a.jobs[job]
	a.jobs[job], a.specs[job] = nil, nil
	if doc, err := layout.DecodeJob(op.Value); err == nil {
		a.jobs[job] = &doc
		a.revision(job, oldDoc, doc, op)
		spec := doc.Here()
		if spec == nil {
			return
		}
		if old != nil && !decidesAs(spec, old) {
			a.changed[job] = a.now.Time
		}
		a.specs[job], a.inForce[job] = spec, failover.Credible(spec.Since, a.now.Time)
	} else if !a.byOperator() {
		a.breach(8, job, -1, "a spec that can't be read: %v", err)
	}
	if !a.byOperator() {
		a.sessioned(7, job, -1, op.Key)
	}
}

// sessioned checks that a write carries its writer's session, so that it can't
// be applied once the session is over.
func (a *Audit) sessioned(invariant int, job string, shard int, key string) {
	if a.now.Session == "" {
		a.breach(invariant, job, shard, "%s was written outside a session", key)
	}
}

func (a *Audit) assignment(job string, op store.Op) {
	old := a.assigned[job]
	delete(a.assigned, job)
	if op.Kind == store.OpDelete || a.byOperator() {
		if next, err := layout.DecodeAssignment(op.Value); err == nil {
			a.assigned[job] = &next
		}
		return
	}
	a.sessioned(6, job, -1, op.Key)
	next, err := layout.DecodeAssignment(op.Value)
	if err != nil {
		a.breach(6, job, -1, "an assignment that can't be read: %v", err)
		return
	}
	a.assigned[job] = &next
	a.divides(job, next)
	if spec := a.specs[job]; !fits(spec, &next) {
		a.breach(6, job, -1, "assigned is %+v, and the spec has other shards: %+v", next, spec)
	}
	if old != nil && next.Epoch != old.Epoch+1 {
		a.breach(6, job, -1, "epoch %d after %d", next.Epoch, old.Epoch)
	}
	switch {
	case old == nil && op.Kind != store.OpCreate, old != nil && !a.guarded(op.Key, true):
		a.breach(6, job, -1, "assigned without a look at the assignment before it")
	case !a.guarded(layout.JobKey(job), true) && !a.creates(layout.JobKey(job)):
		a.breach(6, job, -1, "assigned without a guard on the spec that it is computed from")
	case a.leader() == "":
		a.breach(6, job, -1, "assigned by one that no longer leads: no instance of its own is among the guards")
	}
}

// creates reports whether the commit creates a key.
func (a *Audit) creates(key string) bool {
	return slices.ContainsFunc(a.now.Do, func(op store.Op) bool { return op.Kind == store.OpCreate && op.Key == key })
}

func (a *Audit) signals(job string, op store.Op) {
	if op.Kind == store.OpDelete {
		return
	}
	signal, err := layout.DecodeSignal(op.Value)
	a.cancels[job] = append(a.cancels[job], signal.Cancels...)
	if a.byOperator() {
		return
	}
	a.sessioned(4, job, -1, op.Key)
	if err != nil {
		a.breach(8, job, -1, "signals that can't be read: %v", err)
	}
	if op.Kind == store.OpSet && !a.guarded(op.Key, true) {
		a.breach(4, job, -1, "signals were written without a look at those before: a trigger can be lost")
	}
}

// leader returns the instance of the writer that the commit is guarded by.
func (a *Audit) leader() string {
	for _, c := range a.now.If {
		if id, ok := strings.CutPrefix(c.Key, layout.Instances+"/"); ok && a.clients[id] == a.now.Client {
			return id
		}
	}
	return ""
}

// guarded says whether the commit rests on a key, and on its version if that is
// asked for.
func (a *Audit) guarded(key string, version bool) bool {
	for _, c := range a.now.If {
		if c.Key == key && (c.Version != 0 || !version) {
			return true
		}
	}
	return false
}
