package failover

import (
	"strconv"
	"time"

	"github.com/elasticjob-go/elastic/cron"
)

// Policy is the part of a job that affects decisions about its runs.
type Policy struct {
	// Schedule must not be nil. A decision counts only the fires after Since.
	Schedule cron.Schedule
	Since    time.Time

	// Enabled is when the shard was last enabled; zero if it was never
	// disabled.
	Enabled time.Time

	// Resharded is when the number of shards last changed. A shard without a
	// record counts fires from then on. Grown is the same for a broadcast,
	// whose number of shards follows the number of instances.
	Resharded time.Time
	Grown     time.Time

	// Came is when this instance got the shard, for runs that are not recorded;
	// zero otherwise.
	Came time.Time

	// Passed is the last trigger that does not target a shard without a record,
	// because it was given before the shard existed.
	Passed uint64

	// Disabled: nothing begins, and nothing is taken over.
	Disabled bool

	// Misfire and Window decide about late fires. Window is how late a fire may
	// begin; zero means Misfire.Window().
	Misfire Misfire
	Window  time.Duration

	Overlap Overlap

	// Failover makes another instance repeat the run of a dead one. MaxAttempts
	// limits the attempts at a fire. Hand-overs do not count.
	Failover    bool
	MaxAttempts int

	// Unclaimed: runs are not recorded. The record is the memory of this
	// instance.
	Unclaimed bool

	// AfterEnd: the schedule counts from the end of the last run. There is no
	// next fire during a run, and no fire is missed.
	AfterEnd bool

	// Delay is how long after its time a fire begins.
	Delay time.Duration

	// begun is the fire of the record, where a credible time replaces it
	// because a clock that was ahead has written it. It does not begin a second
	// time.
	begun time.Time
}

// Overlap is the policy for a fire that comes while the shard still runs.
type Overlap string

// The overlap policies.
const (
	OverlapQueue   Overlap = "queue"   // the fire waits; the misfire policy selects among several
	OverlapSkip    Overlap = "skip"    // the fire is not run
	OverlapReplace Overlap = "replace" // the run is cancelled, and the fire runs when the handler has returned
)

// View is the knowledge of an instance about one shard at the time of a
// decision.
type View struct {
	Record Record
	Now    time.Time
	Me     string // the ID of this instance

	// Owned: the assignment gives the shard to this instance.
	Owned bool

	// Owner is the liveness of Record.Owner, if that is not this instance. If
	// it is dead, Since is the time since that was proven.
	Owner Liveness
	Since time.Duration

	// Local is the run that this process works on.
	Local Local

	// Trigger is the result of NextTrigger.
	Trigger *Trigger

	// Paused: an operator paused the namespace. Nothing begins, and nothing is
	// taken over or abandoned.
	Paused bool

	// Cancels are the fires and triggers of the shard that operators cancelled.
	Cancels []Cancel

	// Learned has the times at which this instance learned of stored times.
	Learned Learned
}

// Liveness is the knowledge about the owner of a record.
type Liveness uint8

// The degrees of liveness.
const (
	LivenessUnproven Liveness = iota // it is not among the known live instances, which is no proof
	LivenessAlive
	LivenessDead // a linearizable read found its key absent. An ID never comes back, so this stays true
)

// Local is the run that this process has for a shard, if any. It may belong to
// an earlier incarnation of the instance: a lost session does not undo the work
// of a handler that had finished.
type Local struct {
	Phase Phase
	Owner string // the incarnation that claimed it
	Fence uint64 // the fence of the claim
}

// Phase is the stage of a local run.
type Phase uint8

// The phases of a local run.
const (
	PhaseNone     Phase = iota
	PhaseClaiming       // the claim was written, and its outcome is unknown
	PhaseWorking        // the handler has not returned
	PhaseFinished       // the handler has returned, and its result is not recorded yet
	PhaseYielded        // the handler stopped unfinished: its instance leaves, or its shard moves
)

// Action is the step that a decision asks for.
type Action uint8

// The actions.
const (
	ActionWait       Action = iota // until Wake, or until something changes
	ActionBegin                    // write Record.Begin(Fire), or Record.BeginTrigger(Trigger) if there is one
	ActionStart                    // this instance has the claim: run the handler
	ActionComplete                 // write Record.Complete
	ActionHandOver                 // write Record.HandOver
	ActionTakeOver                 // write Record.TakeOver
	ActionAbandon                  // write Record.Abandon, and raise an alarm
	ActionProveDeath               // read the key of the owner, and decide again
	ActionBlock                    // another live instance runs it: follow the record, and decide again when it changes
	ActionCancel                   // cancel the handler in favour of a later fire
	ActionReclaim                  // write Record.Reclaim: the handler continues in a new session
	ActionCancelLost               // cancel the handler, if it is not cancelled: its claim was lost with its session
)

// Decision is an action and its reason.
type Decision struct {
	Action Action

	// Fire, or Trigger in its place, is set with ActionBegin.
	Fire    time.Time
	Trigger *Trigger

	// Wake is the time to decide again at the latest, with ActionWait and
	// ActionBlock. Zero means: when something changes.
	Wake time.Time

	// Fires of the schedule from Missed on and before MissedBefore are not run,
	// for the reason MissedCode. Missed is a fire, or zero if none is missed.
	// Policy.CountMissed returns their number.
	Missed, MissedBefore time.Time
	MissedCode           Code

	// Code is the reason for programs, and Reason the same in English. Args are
	// the arguments of Code by name, or nil. The map must not be changed.
	Code   Code
	Args   map[string]string
	Reason string
}

// because returns d with its reason. args are names and values in turn.
func (d Decision) because(code Code, reason string, args ...string) Decision {
	d.Code, d.Reason = code, reason
	if len(args) > 0 {
		d.Args = make(map[string]string, len(args)/2)
		for i := 0; i < len(args); i += 2 {
			d.Args[args[i]] = args[i+1]
		}
	}
	return d
}

// missing returns d with fires that are missed.
func (d Decision) missing(s span) Decision {
	d.Missed, d.MissedBefore, d.MissedCode = s.first, s.before, s.why
	return d
}

// Decide returns what to do with a shard now. No other code decides that.
func Decide(p Policy, v View) Decision {
	r := v.Record
	mine := r.State == StateRunning && v.Local.Phase != PhaseNone &&
		r.Owner == v.Local.Owner && r.Fence == v.Local.Fence
	p, judged, dropped := p.believe(r, v.Learned, v.Now)
	v.Record = judged
	switch {
	case mine && v.Local.Phase == PhaseClaiming && r.Owner == v.Me:
		// A claim of an earlier incarnation would be the run of a dead
		// instance.
		return Decision{Action: ActionStart}.
			because(CodeClaimApplied, "the claim was applied, though its answer was lost")
	case mine && v.Local.Phase == PhaseFinished:
		return Decision{Action: ActionComplete}.missing(p.skipped(v)).
			because(CodeHandlerReturned, "the handler has returned")
	case mine && v.Local.Phase == PhaseYielded:
		return Decision{Action: ActionHandOver}.
			because(CodeHandlerStopped, "the handler was stopped because its instance leaves, or its shard moves")
	case v.Local.Phase == PhaseWorking && mine && cancelled(v.Cancels, r) != nil:
		return cancelled(v.Cancels, r).end(Decision{Action: ActionCancel}, "the run was cancelled")
	case v.Local.Phase == PhaseWorking:
		return decideWorking(p, v, mine)
	case !v.Owned:
		return Decision{Action: ActionWait}.because(CodeNotOwner, "another instance owns the shard")
	case r.Fence >= MaxFence:
		return Decision{Action: ActionWait}.
			because(CodeFenceAtEnd, "the fence of the record can't grow: another program wrote it; delete the record")
	case v.Paused && (r.State == StateIdle || r.Owner == "" || r.Owner == v.Me || v.Owner != LivenessAlive):
		return Decision{Action: ActionWait}.because(CodePaused, "the namespace is paused")
	case r.State == StateIdle:
		return decideIdle(p, v, dropped)
	case r.Owner == "":
		return decideOrphan(p, v, CodeHandedOver, "the run was handed over")
	case r.Owner == v.Me:
		return decideOrphan(p, v, CodeRunForgotten, "this instance claimed the run, and does not run it")
	case v.Owner == LivenessUnproven:
		return Decision{Action: ActionProveDeath}.
			because(CodeOwnerUnproven, "the run's instance "+r.Owner+" is not among the live ones", "instance", r.Owner)
	case v.Owner == LivenessDead && v.Since < r.CarryOn:
		left := r.CarryOn - v.Since
		return Decision{Action: ActionWait, Wake: v.Now.Add(left)}.because(CodeOwnerMayCarryOn,
			"the run's instance "+r.Owner+" is dead, but its handler may go on for a while",
			"instance", r.Owner, "left", left.String())
	case v.Owner == LivenessDead:
		return decideOrphan(p, v, CodeOwnerDead, "the run's instance "+r.Owner+" is dead")
	}
	return decideOthers(p, v)
}

// decideOthers decides about a run of another live instance.
func decideOthers(p Policy, v View) Decision {
	d := p.due(v.Record, v.Now)
	owner := v.Record.Owner
	switch {
	case !d.fire.IsZero(), p.AfterEnd, v.Trigger != nil && !p.Disabled:
		return Decision{Action: ActionBlock}.
			because(CodeRunsElsewhere, "the instance "+owner+" still runs it", "instance", owner)
	case p.Failover && !p.Disabled:
		return Decision{Action: ActionBlock, Wake: d.next}.
			because(CodeRunsElsewhere, "the instance "+owner+" runs it, and may hand it over", "instance", owner)
	}
	return Decision{Action: ActionWait, Wake: d.next}.
		because(CodeRunsElsewhere, "the instance "+owner+" runs it, and no fire is due", "instance", owner)
}

func decideIdle(p Policy, v View, dropped time.Time) Decision {
	if p.Disabled {
		return Decision{Action: ActionWait}.
			because(CodeJobDisabled, "the job is disabled, or the shard is, or the job has fewer shards by now")
	}
	if v.Trigger != nil {
		return Decision{Action: ActionBegin, Trigger: v.Trigger}.
			because(CodeTriggered, "it was triggered")
	}
	d := p.due(v.Record, v.Now)
	if last := p.lastCancelled(v); !last.IsZero() {
		d = p.withoutCancelled(d, v, last)
	}
	missed := p.withDropped(d.missed, v.Record, dropped)
	if !d.fire.IsZero() {
		return Decision{Action: ActionBegin, Fire: d.fire}.missing(missed).
			because(CodeFireDue, "a fire is due")
	}
	if d.next.IsZero() {
		return Decision{Action: ActionWait}.missing(missed).
			because(CodeScheduleOver, "the schedule has no further fire")
	}
	return Decision{Action: ActionWait, Wake: d.next}.missing(missed).
		because(CodeNoFireDue, "no fire is due")
}

// withDropped returns missed with the earlier fires that do not count, because
// a wrong clock wrote the time after which fires count.
func (p Policy) withDropped(missed span, r Record, dropped time.Time) span {
	if dropped.IsZero() || r.Fire.IsZero() || p.AfterEnd {
		return missed
	}
	first := p.Schedule.Next(r.Fire)
	switch {
	case first.IsZero() || first.After(dropped):
		return missed
	case missed.first.IsZero():
		return span{first, dropped.Add(1), CodeMissedClock}
	}
	return span{first, missed.before, CodeMissedClock}
}

// decideWorking decides about a shard whose handler runs in this process. A
// second handler is never started beside it, whatever the record says, even if
// the claim was lost and the handler ignores its context.
func decideWorking(p Policy, v View, mine bool) Decision {
	switch {
	case !mine && v.Local.Owner != v.Me:
		return Decision{Action: ActionCancelLost}.
			because(CodeClaimLost, "a handler that lost its claim has not returned")
	case !mine:
		return Decision{Action: ActionWait}.
			because(CodeClaimLost, "a handler that lost its claim has not returned")
	case v.Record.CarryOn > 0 && v.Record.Owner != v.Me && v.Record.Fence < MaxFence:
		return Decision{Action: ActionReclaim}.
			because(CodeWentOn, "the handler went on while this instance had no session")
	}
	if p.Overlap == OverlapQueue || p.AfterEnd || !v.Owned || v.Paused && p.Overlap == OverlapReplace {
		return Decision{Action: ActionWait}.because(CodeHandlerRuns, "the handler runs")
	}
	d := p.due(v.Record, v.Now)
	if d.fire.IsZero() {
		return Decision{Action: ActionWait, Wake: d.next}.
			because(CodeHandlerRuns, "the handler runs, and no later fire is due")
	}
	if p.Overlap == OverlapSkip && v.Record.Owner != v.Me {
		return Decision{Action: ActionWait}.
			because(CodeHandlerRuns,
				"the handler runs, but its instance has lost the claim or may have, and another may run later fires")
	}
	if p.Overlap == OverlapSkip {
		return Decision{Action: ActionWait}.missing(p.skipped(v)).
			because(CodeHandlerRuns, "the handler runs, and fires during the run are skipped")
	}
	return Decision{Action: ActionCancel}.because(CodeReplaced, "a later fire replaces the run")
}

// Dropped returns a decision to wait. Its missed fires are those that were due
// under the policy before and do not count any more, because p replaced it.
func (p Policy) Dropped(before Policy, v View) Decision {
	d := Decision{Action: ActionWait}
	p, r, _ := p.believe(v.Record, v.Learned, v.Now)
	before.Since, before.Delay = Credible(before.Since, p.Since), 0
	if p.Disabled || before.AfterEnd || r.State == StateRunning && before.Overlap == OverlapSkip {
		return d
	}
	pending := before.due(r, p.Since)
	first := pending.fire
	if !pending.missed.first.IsZero() {
		first = pending.missed.first
	}
	if first.IsZero() {
		return d
	}
	return d.missing(span{first, p.Since.Add(1), CodeMissedJobChanged})
}

// skipped returns the fires that came during a run and are skipped.
func (p Policy) skipped(v View) span {
	if p.Overlap != OverlapSkip || p.AfterEnd || !v.Owned {
		return span{}
	}
	d := p.due(v.Record, v.Now)
	if d.fire.IsZero() && d.missed.first.IsZero() {
		return span{}
	}
	first := d.fire
	if !d.missed.first.IsZero() {
		first = d.missed.first
	}
	return span{first, v.Now.Add(1 - p.Delay), CodeMissedOverlap}
}

// decideOrphan decides about a run that no instance works on.
func decideOrphan(p Policy, v View, code Code, why string) Decision {
	r := v.Record
	switch c := cancelled(v.Cancels, r); {
	case c != nil:
		return c.end(Decision{Action: ActionAbandon}, why+", and it was cancelled")
	case !p.Failover:
		return Decision{Action: ActionAbandon}.
			because(CodeFailoverOff, why+", and failover is off", "instance", r.Owner)
	case p.Disabled:
		return Decision{Action: ActionAbandon}.because(CodeRunOfDisabledJob,
			why+", and the job is disabled, or the shard is, or the job has fewer shards by now", "instance", r.Owner)
	case r.Attempt-r.HandOvers >= p.MaxAttempts || r.Attempt >= MaxTries:
		return Decision{Action: ActionAbandon}.because(CodeNoAttemptLeft, why+", and no attempt is left",
			"instance", r.Owner, "attempts", strconv.Itoa(r.Attempt-r.HandOvers))
	}
	return Decision{Action: ActionTakeOver}.because(code, why, "instance", r.Owner)
}

var actions = [...]string{
	"wait",
	"begin",
	"start",
	"complete",
	"hand over",
	"take over",
	"abandon",
	"prove death",
	"block",
	"cancel",
	"reclaim",
	"cancel lost",
}

func (a Action) String() string { return actions[a] }
