package failover

import (
	"strconv"
	"time"

	"github.com/elasticjob-go/elastic/cron"
)

// Policy is the part of a job that decides about its runs.
type Policy struct {
	Schedule    cron.Schedule // never nil
	Since       time.Time     // the schedule has been in force since
	Enabled     time.Time     // the shard has not been disabled since; zero: it never was
	Resharded   time.Time     // there have been as many shards since: a shard without a record counts from here
	Grown       time.Time     // the same of a broadcast, whose shards come and go with the instances
	Came        time.Time     // the shard has been this instance's since, where runs are not recorded; zero: that does not matter
	Passed      uint64        // the last trigger that is not for a shard without a record: it was given before the shard came into being
	Disabled    bool          // nothing begins, nothing is taken over
	Misfire     Misfire
	Window      time.Duration // how late a fire may begin; zero means Misfire.Window()
	Overlap     Overlap
	Failover    bool          // a run whose instance died is repeated
	MaxAttempts int           // of one fire; hand-overs don't count
	Unclaimed   bool          // runs are not recorded: the record is what this instance remembers
	AfterEnd    bool          // the schedule counts from the end of the last run: there is no next fire while it runs, and none is missed
	Delay       time.Duration // how long after its time a fire begins

	// begun is the fire that the record names, where it is replaced because a
	// clock that was ahead has written it. It does not begin a second time.
	begun time.Time
}

// Overlap says what becomes of a fire that comes while the shard still runs.
type Overlap string

// The overlap policies.
const (
	OverlapQueue   Overlap = "queue"   // it waits; of several that wait, the misfire policy picks
	OverlapSkip    Overlap = "skip"    // it is not run
	OverlapReplace Overlap = "replace" // the run is cancelled, and it runs when the handler has returned
)

// View is what an instance knows about one shard when it decides.
type View struct {
	Record Record
	Now    time.Time
	Me     string        // this instance
	Owned  bool          // the assignment gives the shard to this instance
	Owner  Liveness      // of Record.Owner, if that is not this instance
	Since  time.Duration // how long ago that was proven, if it is dead
	Local  Local         // what this process does about the shard

	Trigger *Trigger // what NextTrigger says
	Learned Learned  // when this instance learned of the stored times
}

// Liveness is what is known about a record's owner.
type Liveness uint8

// An owner is alive, or dead, or it must be asked for.
const (
	LivenessUnproven Liveness = iota // not seen among the live instances; but that is not a proof
	LivenessAlive
	LivenessDead // a linearizable read found its key absent. Its name never comes back, so this is a proof for ever
)

// Local is the run that this process has in hand for a shard, if any. It may belong to an earlier incarnation of the
// instance: a lost session does not undo the work of a handler that had in truth finished.
type Local struct {
	Phase Phase
	Owner string // the incarnation that claimed it
	Fence uint64 // the fence of the claim
}

// Phase is how far a local run is.
type Phase uint8

// The phases of a local run.
const (
	PhaseNone     Phase = iota
	PhaseClaiming       // the claim was written, but whether it was applied is not known
	PhaseWorking        // the handler has not returned
	PhaseFinished       // the handler has returned, and its result is not recorded yet
	PhaseYielded        // the handler was stopped unfinished: its instance leaves, or its shard moves
)

// Action is what to do with a shard.
type Action uint8

// What Decide answers.
const (
	ActionWait       Action = iota // until Wake, or until something changes
	ActionBegin                    // write Record.Begin(Fire), or Record.BeginTrigger(Trigger) if there is one
	ActionStart                    // the claim is ours: run the handler
	ActionComplete                 // write Record.Complete
	ActionHandOver                 // write Record.HandOver
	ActionTakeOver                 // write Record.TakeOver
	ActionAbandon                  // write Record.Abandon, and say so loudly
	ActionProveDeath               // read the owner's key, and decide again
	ActionBlock                    // another live instance runs it: follow the record, and decide again when it changes
	ActionCancel                   // cancel the handler in favour of a later fire
	ActionReclaim                  // write Record.Reclaim: the handler goes on, in a new session
	ActionCancelLost               // cancel the handler, if it has not been: its claim was lost with its session
)

// Decision is what to do with a shard now, and why.
type Decision struct {
	Action  Action
	Fire    time.Time // with Begin
	Trigger *Trigger  // with Begin, in place of Fire
	Wake    time.Time // with Wait and Block: decide again then at the latest; zero: when something changes

	// Fires of the schedule from Missed on and before MissedBefore are not run,
	// for the reason MissedCode. Missed is a fire, or zero if none is missed. How
	// many they are, Policy.CountMissed says.
	Missed, MissedBefore time.Time
	MissedCode           Code

	Code   Code              // the reason, for programs
	Args   map[string]string // its values, by name; nil: none. Must not be changed
	Reason string            // the same in English
}

// because returns d with its reason. args are names and values, in turn.
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

// Decide says what to do with a shard now. It is the only place where that is
// decided.
func Decide(p Policy, v View) Decision {
	r := v.Record
	mine := r.State == StateRunning && v.Local.Phase != PhaseNone && r.Owner == v.Local.Owner && r.Fence == v.Local.Fence
	p, judged, dropped := p.believe(r, v.Learned, v.Now)
	v.Record = judged
	switch {
	case mine && v.Local.Phase == PhaseClaiming && r.Owner == v.Me: // of an earlier incarnation it would be a dead instance's run
		return Decision{Action: ActionStart}.because(CodeClaimApplied, "the claim was applied, though its answer was lost")
	case mine && v.Local.Phase == PhaseFinished:
		return Decision{Action: ActionComplete}.missing(p.skipped(v)).because(CodeHandlerReturned, "the handler has returned")
	case mine && v.Local.Phase == PhaseYielded:
		return Decision{Action: ActionHandOver}.because(CodeHandlerStopped, "the handler was stopped because its instance leaves, or its shard moves")
	case v.Local.Phase == PhaseWorking:
		return decideWorking(p, v, mine)
	case !v.Owned:
		return Decision{Action: ActionWait}.because(CodeNotOwner, "another instance owns the shard")
	case r.Fence >= MaxFence:
		return Decision{Action: ActionWait}.because(CodeFenceAtEnd, "the fence of the record can't grow: something else wrote it; delete the record")
	case r.State == StateIdle:
		return decideIdle(p, v, dropped)
	case r.Owner == "":
		return decideOrphan(p, r, CodeHandedOver, "the run was handed over")
	case r.Owner == v.Me:
		return decideOrphan(p, r, CodeRunForgotten, "this instance claimed the run, and does not run it")
	case v.Owner == LivenessUnproven:
		return Decision{Action: ActionProveDeath}.because(CodeOwnerUnproven, "the run's instance "+r.Owner+" is not among the live ones", "instance", r.Owner)
	case v.Owner == LivenessDead && v.Since < r.CarryOn:
		left := r.CarryOn - v.Since
		return Decision{Action: ActionWait, Wake: v.Now.Add(left)}.because(CodeOwnerMayCarryOn,
			"the run's instance "+r.Owner+" is dead, but its handler may go on for a while", "instance", r.Owner, "left", left.String())
	case v.Owner == LivenessDead:
		return decideOrphan(p, r, CodeOwnerDead, "the run's instance "+r.Owner+" is dead")
	}
	return decideOthers(p, v)
}

// decideOthers is for a run of another instance that lives.
func decideOthers(p Policy, v View) Decision {
	d := p.due(v.Record, v.Now)
	owner := v.Record.Owner
	switch {
	case !d.fire.IsZero(), p.AfterEnd, v.Trigger != nil && !p.Disabled:
		return Decision{Action: ActionBlock}.because(CodeRunsElsewhere, "the instance "+owner+" still runs it", "instance", owner)
	case p.Failover && !p.Disabled:
		return Decision{Action: ActionBlock, Wake: d.next}.because(CodeRunsElsewhere, "the instance "+owner+" runs it, and may hand it over", "instance", owner)
	}
	return Decision{Action: ActionWait, Wake: d.next}.because(CodeRunsElsewhere, "the instance "+owner+" runs it, and no fire is due", "instance", owner)
}

func decideIdle(p Policy, v View, dropped time.Time) Decision {
	if p.Disabled {
		return Decision{Action: ActionWait}.because(CodeJobDisabled, "the job is disabled, or the shard is, or the job has fewer shards by now")
	}
	if v.Trigger != nil {
		return Decision{Action: ActionBegin, Trigger: v.Trigger}.because(CodeTriggered, "it was triggered")
	}
	d := p.due(v.Record, v.Now)
	missed := p.withDropped(d.missed, v.Record, dropped)
	if !d.fire.IsZero() {
		return Decision{Action: ActionBegin, Fire: d.fire}.missing(missed).because(CodeFireDue, "a fire is due")
	}
	if d.next.IsZero() {
		return Decision{Action: ActionWait}.missing(missed).because(CodeScheduleOver, "the schedule has no further fire")
	}
	return Decision{Action: ActionWait, Wake: d.next}.missing(missed).because(CodeNoFireDue, "no fire is due")
}

// withDropped returns missed with the fires before it that don't count because
// a broken clock has written from when on they do.
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

// decideWorking is for a shard whose handler runs in this process. Whatever the
// record says, a second one is not started beside it, even if the claim was
// lost and the handler ignores its context.
func decideWorking(p Policy, v View, mine bool) Decision {
	switch {
	case !mine && v.Local.Owner != v.Me:
		return Decision{Action: ActionCancelLost}.because(CodeClaimLost, "a handler that lost its claim has not returned")
	case !mine:
		return Decision{Action: ActionWait}.because(CodeClaimLost, "a handler that lost its claim has not returned")
	case v.Record.CarryOn > 0 && v.Record.Owner != v.Me && v.Record.Fence < MaxFence:
		return Decision{Action: ActionReclaim}.because(CodeWentOn, "the handler went on while this instance had no session")
	}
	if p.Overlap == OverlapQueue || p.AfterEnd || !v.Owned {
		return Decision{Action: ActionWait}.because(CodeHandlerRuns, "the handler runs")
	}
	d := p.due(v.Record, v.Now)
	if d.fire.IsZero() {
		return Decision{Action: ActionWait, Wake: d.next}.because(CodeHandlerRuns, "the handler runs, and no later fire is due")
	}
	if p.Overlap == OverlapSkip && v.Record.Owner != v.Me {
		return Decision{Action: ActionWait}.because(CodeHandlerRuns, "the handler runs, though its instance has lost the claim or may have, and another may run what comes")
	}
	if p.Overlap == OverlapSkip {
		return Decision{Action: ActionWait}.missing(p.skipped(v)).because(CodeHandlerRuns, "the handler runs, and fires that come meanwhile are skipped")
	}
	return Decision{Action: ActionCancel}.because(CodeReplaced, "a later fire replaces the run")
}

// Dropped returns a decision to wait whose missed fires are those that were to
// begin by the policy before, and that don't count any more since p replaced it.
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

// skipped returns the fires that have come while a run goes on, where they are
// skipped.
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

// decideOrphan is for a run that no instance works on, or will.
func decideOrphan(p Policy, r Record, code Code, why string) Decision {
	switch {
	case !p.Failover:
		return Decision{Action: ActionAbandon}.because(CodeFailoverOff, why+", and failover is off", "instance", r.Owner)
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
	"wait", "begin", "start", "complete", "hand over", "take over", "abandon", "prove death", "block", "cancel", "reclaim", "give up",
}

func (a Action) String() string { return actions[a] }
