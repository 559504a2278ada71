package failover

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Of the tests' policy the last fire was 10:00:00, it is 10:00:05, and the next
// fire is 10:00:10.
var now = at("10:00:05")

func policy(change func(*Policy)) Policy {
	p := Policy{
		Schedule: every(10 * time.Second), Since: at("09:00:00"),
		Misfire: MisfireOnce, Overlap: OverlapQueue, Failover: true, MaxAttempts: 3,
	}
	if change != nil {
		change(&p)
	}
	return p
}

// idle is a record whose last run was that of a fire, and took a second.
func idle(fire string) Record {
	return Record{Fire: at(fire), Fence: 7, Attempt: 1, Started: at(fire), Ended: at(fire).Add(time.Second), Result: ResultSucceeded}
}

// running is a record whose fire an instance, or none, runs for the first
// time.
func running(fire, owner string) Record {
	r := Record{Fire: at(fire), Fence: 7, State: StateRunning, Owner: owner, Attempt: 1, Started: at(fire)}
	if owner == "" {
		r.HandOvers = 1
	}
	return r
}

// carrying is the same of a run that may go on for a minute without its
// session.
func carrying(fire, owner string) Record {
	r := running(fire, owner)
	r.CarryOn = time.Minute
	return r
}

func tried(r Record, attempts, handOvers int) Record {
	r.Attempt, r.HandOvers = attempts, handOvers
	return r
}

const (
	me     = "a@2"
	before = "a@1" // this instance before it lost its session
	other  = "b@1"
)

// view is the View of the instance that owns the shard by assignment.
func view(r Record, change func(*View)) View {
	v := View{Record: r, Now: now, Me: me, Owned: true, Learned: learnedAt(now)}
	if change != nil {
		change(&v)
	}
	return v
}

func dump(p Policy, v View) string {
	return fmt.Sprintf("policy: since %s, disabled %t, misfire %s, window %v, overlap %s, failover %t, max attempts %d\n"+
		"record: %v, %d hand-overs, ended %s\nview:   now %s, owned %t, owner %d, local %+v",
		clock(p.Since), p.Disabled, p.Misfire, p.Window, p.Overlap, p.Failover, p.MaxAttempts,
		v.Record, v.Record.HandOvers, clock(v.Record.Ended), clock(v.Now), v.Owned, v.Owner, v.Local)
}

func (d Decision) String() string {
	return fmt.Sprintf("%v, fire %s, wake %s, missed %s: %s", d.Action, clock(d.Fire), clock(d.Wake), clock(d.Missed), d.Reason)
}

func TestDecide(t *testing.T) {
	alive, unproven := func(v *View) { v.Owner = LivenessAlive }, func(v *View) { v.Owner = LivenessUnproven }
	dead := func(v *View) { v.Owner = LivenessDead }
	notOwned := func(v *View) { v.Owned = false }
	disabled, noFailover := func(p *Policy) { p.Disabled = true }, func(p *Policy) { p.Failover = false }
	overlap := func(o Overlap) func(*Policy) { return func(p *Policy) { p.Overlap = o } }
	local := func(phase Phase, owner string, fence uint64) func(*View) {
		return func(v *View) { v.Local = Local{phase, owner, fence} }
	}
	next := at("10:00:10")
	call := &Trigger{Seq: 9, At: at("10:00:01")}
	triggered := func(v *View) { v.Trigger = call }

	for _, tt := range []struct {
		name   string
		policy func(*Policy)
		record Record
		view   func(*View)
		want   Decision // Reason is a part of the one that is given
	}{
		// Idle.
		{"idle, no fire is due", nil, idle("10:00:00"), nil,
			Decision{Action: ActionWait, Wake: next, Reason: "no fire is due"}},
		{"idle, a fire is due", nil, idle("09:59:50"), nil,
			Decision{Action: ActionBegin, Fire: at("10:00:00"), Reason: "a fire is due"}},
		{"idle, fires were missed", nil, idle("09:59:00"), nil,
			Decision{Action: ActionBegin, Fire: at("10:00:00"), Missed: at("09:59:10"), Reason: "a fire is due"}},
		{"idle, each missed fire is run", func(p *Policy) { p.Misfire = MisfireAll }, idle("09:59:00"), nil,
			Decision{Action: ActionBegin, Fire: at("09:59:10"), Reason: "a fire is due"}},
		{"idle, missed fires are skipped", func(p *Policy) { p.Misfire, p.Window = MisfireSkip, time.Second }, idle("09:59:40"), nil,
			Decision{Action: ActionWait, Wake: next, Missed: at("09:59:50"), Reason: "no fire is due"}},
		{"never ran, a fire is due", nil, Record{}, nil,
			Decision{Action: ActionBegin, Fire: at("10:00:00"), Missed: at("09:00:10"), Reason: "a fire is due"}},
		{"never ran, the schedule came into force just now", func(p *Policy) { p.Since = now }, Record{}, nil,
			Decision{Action: ActionWait, Wake: next, Reason: "no fire is due"}},
		{"idle, the schedule has no further fire", func(p *Policy) { p.Schedule = times{at("10:00:00")} }, idle("10:00:00"), nil,
			Decision{Action: ActionWait, Reason: "the schedule has no further fire"}},
		{"idle, the last fire of the schedule was missed", func(p *Policy) { p.Schedule, p.Misfire, p.Window = times{at("10:00:00")}, MisfireSkip, time.Second },
			idle("09:00:00"), nil, Decision{Action: ActionWait, Missed: at("10:00:00"), Reason: "the schedule has no further fire"}},
		{"idle, a fire is due, but the job is disabled", disabled, idle("09:59:50"), nil,
			Decision{Action: ActionWait, Reason: "the job is disabled"}},
		{"idle, a fire is due, but another instance owns the shard", nil, idle("09:59:50"), notOwned,
			Decision{Action: ActionWait, Reason: "another instance owns the shard"}},
		{"idle, it was triggered", nil, idle("10:00:00"), triggered,
			Decision{Action: ActionBegin, Trigger: call, Reason: "it was triggered"}},
		{"idle, it was triggered and a fire is due", nil, idle("09:59:50"), triggered,
			Decision{Action: ActionBegin, Trigger: call, Reason: "it was triggered"}},
		{"never ran, it was triggered", nil, Record{}, triggered,
			Decision{Action: ActionBegin, Trigger: call, Reason: "it was triggered"}},
		{"idle, it was triggered, but the job is disabled", disabled, idle("10:00:00"), triggered,
			Decision{Action: ActionWait, Reason: "the job is disabled"}},
		{"idle, it was triggered, but another instance owns the shard", nil, idle("10:00:00"), func(v *View) { notOwned(v); triggered(v) },
			Decision{Action: ActionWait, Reason: "another instance owns the shard"}},
		{"I run it, and it was triggered", overlap(OverlapReplace), running("10:00:00", me), func(v *View) { triggered(v); v.Local = Local{PhaseWorking, me, 7} },
			Decision{Action: ActionWait, Wake: next, Reason: "no later fire is due"}},
		{"another runs it, and it was triggered", nil, running("10:00:00", other), func(v *View) { triggered(v); v.Owner = LivenessAlive },
			Decision{Action: ActionBlock, Reason: other + " still runs it"}},
		{"its owner is dead, and it was triggered", nil, running("10:00:00", other), func(v *View) { triggered(v); v.Owner = LivenessDead },
			Decision{Action: ActionTakeOver, Reason: other + " is dead"}},
		{"idle, though this process has a result", nil, idle("10:00:00"), local(PhaseFinished, me, 7),
			Decision{Action: ActionWait, Wake: next, Reason: "no fire is due"}},

		// Running here.
		{"I run it, no fire is due", overlap(OverlapReplace), running("10:00:00", me), local(PhaseWorking, me, 7),
			Decision{Action: ActionWait, Wake: next, Reason: "no later fire is due"}},
		{"I run it, a fire is due, it queues", overlap(OverlapQueue), running("09:59:50", me), local(PhaseWorking, me, 7),
			Decision{Action: ActionWait, Reason: "the handler runs"}},
		{"I run it, a fire is due, it is skipped", overlap(OverlapSkip), running("09:59:50", me), local(PhaseWorking, me, 7),
			Decision{Action: ActionWait, Missed: at("10:00:00"), Reason: "the handler runs"}},
		{"I run it, and have lost the claim or may have: another may run what is due", overlap(OverlapSkip), running("09:59:50", "a@0"), local(PhaseWorking, "a@0", 7),
			Decision{Action: ActionWait, Reason: "another may run later fires"}},
		{"I run it, no fire is due that could be skipped", overlap(OverlapSkip), running("10:00:00", me), local(PhaseWorking, me, 7),
			Decision{Action: ActionWait, Wake: next, Reason: "no later fire is due"}},
		{"I run it, and the next fire counts from its end", func(p *Policy) { p.Overlap, p.AfterEnd = OverlapReplace, true }, running("09:59:50", me), local(PhaseWorking, me, 7),
			Decision{Action: ActionWait, Reason: "the handler runs"}},
		{"another runs it, and the next fire counts from its end", func(p *Policy) { p.AfterEnd = true }, running("10:00:00", "b@1"), alive,
			Decision{Action: ActionBlock, Reason: "still runs it"}},
		{"I run it, a fire is due, it replaces the run", overlap(OverlapReplace), running("09:59:50", me), local(PhaseWorking, me, 7),
			Decision{Action: ActionCancel, Reason: "a later fire replaces the run"}},
		{"I run it, a fire is due, but the job is disabled", func(p *Policy) { p.Overlap, p.Disabled = OverlapReplace, true },
			running("09:59:50", me), local(PhaseWorking, me, 7), Decision{Action: ActionWait, Reason: "no later fire is due"}},
		{"I run it, a fire is due, but another instance owns the shard by now", overlap(OverlapReplace), running("09:59:50", me),
			func(v *View) { v.Owned, v.Local = false, Local{PhaseWorking, me, 7} }, Decision{Action: ActionWait, Reason: "the handler runs"}},
		{"I run it, and the job is disabled", disabled, running("10:00:00", me), local(PhaseWorking, me, 7),
			Decision{Action: ActionWait, Reason: "the handler runs"}},
		{"I ran it, and its end is not recorded", nil, running("10:00:00", me), local(PhaseFinished, me, 7),
			Decision{Action: ActionComplete, Reason: "the handler has returned"}},
		{"I ran it, its end is not recorded, and another instance owns the shard by now", nil, running("10:00:00", me),
			func(v *View) { v.Owned, v.Local = false, Local{PhaseFinished, me, 7} }, Decision{Action: ActionComplete, Reason: "the handler has returned"}},
		{"I ran it, its end is not recorded, and the job is disabled", disabled, running("10:00:00", me), local(PhaseFinished, me, 7),
			Decision{Action: ActionComplete, Reason: "the handler has returned"}},
		{"I ran it under the session before, and it was not taken over", nil, running("10:00:00", before), local(PhaseFinished, before, 7),
			Decision{Action: ActionComplete, Reason: "the handler has returned"}},
		{"I leave, and the handler was stopped", nil, running("10:00:00", me),
			func(v *View) { v.Owned, v.Local = false, Local{PhaseYielded, me, 7} }, Decision{Action: ActionHandOver, Reason: "its instance leaves"}},

		// A handler that lost its claim.
		{"my handler lost its claim: the record is idle", nil, idle("09:59:50"), local(PhaseWorking, before, 6),
			Decision{Action: ActionCancelLost, Reason: "lost its claim has not returned"}},
		{"my handler lost its claim: another instance took the run over", overlap(OverlapReplace), tried(running("09:59:50", other), 2, 0),
			func(v *View) { v.Owner, v.Local = LivenessAlive, Local{PhaseWorking, before, 6} }, Decision{Action: ActionCancelLost, Reason: "lost its claim has not returned"}},
		{"my handler lost its claim: who took the run over is dead, too", nil, tried(running("09:59:50", other), 2, 0),
			func(v *View) { v.Owner, v.Local = LivenessDead, Local{PhaseWorking, before, 6} }, Decision{Action: ActionCancelLost, Reason: "lost its claim has not returned"}},
		{"my handler lost its claim: the run was handed over", nil, running("09:59:50", ""), local(PhaseWorking, before, 7),
			Decision{Action: ActionCancelLost, Reason: "lost its claim has not returned"}},
		{"my handler lost its claim, and another instance owns the shard", nil, idle("09:59:50"),
			func(v *View) { v.Owned, v.Local = false, Local{PhaseWorking, before, 6} }, Decision{Action: ActionCancelLost, Reason: "lost its claim has not returned"}},
		{"my handler lost its claim, though its session lives: another program interferes", nil, idle("09:59:50"), local(PhaseWorking, me, 6),
			Decision{Action: ActionWait, Reason: "lost its claim has not returned"}},

		// A run that carries on.
		{"my handler went on without a session", nil, carrying("10:00:00", before), local(PhaseWorking, before, 7),
			Decision{Action: ActionReclaim, Reason: "went on while this instance had no session"}},
		{"my handler went on without a session, and another instance owns the shard", nil, carrying("10:00:00", before),
			func(v *View) { v.Owned, v.Local = false, Local{PhaseWorking, before, 7} }, Decision{Action: ActionReclaim, Reason: "went on"}},
		{"my handler went on without a session, and the job is disabled", disabled, carrying("10:00:00", before), local(PhaseWorking, before, 7),
			Decision{Action: ActionReclaim, Reason: "went on"}},
		{"my handler went on without a session, and is through", nil, carrying("10:00:00", before), local(PhaseFinished, before, 7),
			Decision{Action: ActionComplete, Reason: "the handler has returned"}},
		{"my handler went on without a session, and was too late", nil, tried(carrying("10:00:00", other), 2, 0), local(PhaseWorking, before, 7),
			Decision{Action: ActionCancelLost, Reason: "lost its claim"}},
		{"my handler goes on, reclaimed", nil, carrying("10:00:00", me), local(PhaseWorking, me, 7),
			Decision{Action: ActionWait, Reason: "the handler runs"}},
		{"its owner has been dead for less than it may carry on", nil, carrying("10:00:00", other),
			func(v *View) { v.Owner, v.Since = LivenessDead, 59*time.Second }, Decision{Action: ActionWait, Wake: now.Add(time.Second), Reason: "may go on"}},
		{"its owner has been dead for as long as it may carry on", nil, carrying("10:00:00", other),
			func(v *View) { v.Owner, v.Since = LivenessDead, time.Minute }, Decision{Action: ActionTakeOver, Reason: other + " is dead"}},
		{"its owner has been dead for less than it may carry on, and failover is off", noFailover, carrying("10:00:00", other),
			dead, Decision{Action: ActionWait, Wake: now.Add(time.Minute), Reason: "may go on"}},
		{"I claimed it, and do not run it, though it may carry on", nil, carrying("10:00:00", me), nil,
			Decision{Action: ActionTakeOver, Reason: "does not run it"}},

		// A claim whose answer was lost.
		{"my claim was applied", nil, running("10:00:00", me), local(PhaseClaiming, me, 7),
			Decision{Action: ActionStart, Reason: "the claim was applied"}},
		{"my claim was applied, and another instance owns the shard by now", nil, running("10:00:00", me),
			func(v *View) { v.Owned, v.Local = false, Local{PhaseClaiming, me, 7} }, Decision{Action: ActionStart, Reason: "the claim was applied"}},
		{"my claim was applied, but under the session before: its owner is dead", nil, running("10:00:00", before),
			func(v *View) { v.Owner, v.Local = LivenessDead, Local{PhaseClaiming, before, 7} }, Decision{Action: ActionTakeOver, Reason: before + " is dead"}},
		{"I leave, and the handler was stopped under the session before", nil, running("10:00:00", before),
			func(v *View) { v.Owned, v.Local = false, Local{PhaseYielded, before, 7} }, Decision{Action: ActionHandOver, Reason: "its instance leaves"}},
		{"my claim was not applied", nil, idle("09:59:50"), local(PhaseClaiming, me, 8),
			Decision{Action: ActionBegin, Fire: at("10:00:00"), Reason: "a fire is due"}},
		{"my claim was not applied: the record shows an earlier one of mine", nil, running("10:00:00", me), local(PhaseClaiming, me, 8),
			Decision{Action: ActionTakeOver, Reason: "this instance claimed the run, and does not run it"}},
		{"my claim was not applied: another instance was faster", nil, running("10:00:00", other),
			func(v *View) { v.Owner, v.Local = LivenessAlive, Local{PhaseClaiming, me, 7} }, Decision{Action: ActionBlock, Wake: next, Reason: other + " runs it"}},
		{"my claim was not applied: another instance was faster, and is dead", nil, running("10:00:00", other),
			func(v *View) { v.Owner, v.Local = LivenessDead, Local{PhaseClaiming, me, 7} }, Decision{Action: ActionTakeOver, Reason: other + " is dead"}},
		{"my claim was applied, and the run is over", nil, idle("10:00:00"), local(PhaseClaiming, me, 7),
			Decision{Action: ActionWait, Wake: next, Reason: "no fire is due"}},

		// Running elsewhere.
		{"another instance runs it, no fire is due", nil, running("10:00:00", other), alive,
			Decision{Action: ActionBlock, Wake: next, Reason: other + " runs it, and may hand it over"}},
		{"another instance runs it, no fire is due, and failover is off", noFailover, running("10:00:00", other), alive,
			Decision{Action: ActionWait, Wake: next, Reason: other + " runs it, and no fire is due"}},
		{"another instance runs it, a fire is due", nil, running("09:59:50", other), alive,
			Decision{Action: ActionBlock, Reason: other + " still runs it"}},
		{"another instance runs it, a fire is due, but the job is disabled", disabled, running("09:59:50", other), alive,
			Decision{Action: ActionWait, Reason: other + " runs it, and no fire is due"}},
		{"another instance runs it, a fire is due, and the shard is that one's", nil, running("09:59:50", other),
			func(v *View) { v.Owned, v.Owner = false, LivenessAlive }, Decision{Action: ActionWait, Reason: "another instance owns the shard"}},

		// An owner that may be dead.
		{"its owner is not seen", nil, running("09:59:50", other), unproven,
			Decision{Action: ActionProveDeath, Reason: other + " is not among the live ones"}},
		{"its owner is not seen, failover is off", noFailover, running("09:59:50", other), unproven,
			Decision{Action: ActionProveDeath, Reason: other + " is not among the live ones"}},
		{"its owner is not seen, the job is disabled", disabled, running("09:59:50", other), unproven,
			Decision{Action: ActionProveDeath, Reason: other + " is not among the live ones"}},
		{"its owner is not seen, and the shard is another instance's", nil, running("09:59:50", other), notOwned,
			Decision{Action: ActionWait, Reason: "another instance owns the shard"}},
		{"its owner is dead", nil, running("10:00:00", other), dead,
			Decision{Action: ActionTakeOver, Reason: other + " is dead"}},
		{"its owner is dead, a fire is due", nil, running("09:59:50", other), dead,
			Decision{Action: ActionTakeOver, Reason: other + " is dead"}},
		{"its owner is dead, failover is off", noFailover, running("09:59:50", other), dead,
			Decision{Action: ActionAbandon, Reason: "failover is off"}},
		{"its owner is dead, the job is disabled", disabled, running("09:59:50", other), dead,
			Decision{Action: ActionAbandon, Reason: "the job is disabled"}},
		{"its owner is dead, and the shard is another instance's", nil, running("09:59:50", other),
			func(v *View) { v.Owned, v.Owner = false, LivenessDead }, Decision{Action: ActionWait, Reason: "another instance owns the shard"}},
		{"its owner was this instance before it lost its session", nil, running("10:00:00", before), dead,
			Decision{Action: ActionTakeOver, Reason: before + " is dead"}},

		// Attempts.
		{"one attempt is left", nil, tried(running("10:00:00", other), 2, 0), dead,
			Decision{Action: ActionTakeOver, Reason: other + " is dead"}},
		{"no attempt is left", nil, tried(running("10:00:00", other), 3, 0), dead,
			Decision{Action: ActionAbandon, Reason: "no attempt is left"}},
		{"more attempts than allowed, as they were made fewer", nil, tried(running("10:00:00", other), 5, 0), dead,
			Decision{Action: ActionAbandon, Reason: "no attempt is left"}},
		{"a single attempt is allowed", func(p *Policy) { p.MaxAttempts = 1 }, running("10:00:00", other), dead,
			Decision{Action: ActionAbandon, Reason: "no attempt is left"}},
		{"hand-overs do not count", nil, tried(running("10:00:00", other), 6, 4), dead,
			Decision{Action: ActionTakeOver, Reason: other + " is dead"}},
		{"deaths count, hand-overs do not", nil, tried(running("10:00:00", other), 6, 3), dead,
			Decision{Action: ActionAbandon, Reason: "no attempt is left"}},

		// Nobody's.
		{"it was handed over", nil, running("10:00:00", ""), nil,
			Decision{Action: ActionTakeOver, Reason: "the run was handed over"}},
		{"it was handed over at the only attempt", func(p *Policy) { p.MaxAttempts = 1 }, running("10:00:00", ""), nil,
			Decision{Action: ActionTakeOver, Reason: "the run was handed over"}},
		{"it was handed over, failover is off", noFailover, running("10:00:00", ""), nil,
			Decision{Action: ActionAbandon, Reason: "handed over, and failover is off"}},
		{"it was handed over, the job is disabled", disabled, running("10:00:00", ""), nil,
			Decision{Action: ActionAbandon, Reason: "handed over, and the job is disabled"}},
		{"it was handed over after two deaths", nil, tried(running("10:00:00", ""), 3, 1), nil,
			Decision{Action: ActionTakeOver, Reason: "the run was handed over"}},
		{"it was handed over after three deaths", nil, tried(running("10:00:00", ""), 4, 1), nil,
			Decision{Action: ActionAbandon, Reason: "handed over, and no attempt is left"}},
		{"it was handed over, and the shard is another instance's", nil, running("10:00:00", ""), notOwned,
			Decision{Action: ActionWait, Reason: "another instance owns the shard"}},
		{"I claimed it, and do not run it", nil, running("10:00:00", me), alive,
			Decision{Action: ActionTakeOver, Reason: "this instance claimed the run, and does not run it"}},
		{"I claimed it, do not run it, and am not seen among the live ones yet", nil, running("10:00:00", me), unproven,
			Decision{Action: ActionTakeOver, Reason: "this instance claimed the run, and does not run it"}},
		{"I claimed it, do not run it, failover is off", noFailover, running("10:00:00", me), alive,
			Decision{Action: ActionAbandon, Reason: "does not run it, and failover is off"}},
		{"I claimed it, do not run it, no attempt is left", nil, tried(running("10:00:00", me), 3, 0), alive,
			Decision{Action: ActionAbandon, Reason: "does not run it, and no attempt is left"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, v := policy(tt.policy), view(tt.record, tt.view)
			got, want := Decide(p, v), tt.want
			if strings.Contains(got.Reason, want.Reason) {
				want.Reason = got.Reason
			}
			want.MissedBefore, want.MissedCode = got.MissedBefore, got.MissedCode // see TestDecide_CountsMissedFires
			want.Code, want.Args = got.Code, got.Args                             // see TestDecide_Codes
			if !snakeCase.MatchString(string(got.Code)) {
				t.Errorf("the code %q of %v is not in snake_case", got.Code, got)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("\ngot    %v\nwant   %v\n%s", got, want, dump(p, v))
			}
		})
	}
}

var snakeCase = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// Codes are for programs: they stay as they are.
func TestDecide_Codes(t *testing.T) {
	dead, alive := func(v *View) { v.Owner = LivenessDead }, func(v *View) { v.Owner = LivenessAlive }
	for _, tt := range []struct {
		want   string
		policy func(*Policy)
		record Record
		view   func(*View)
	}{
		{"claim_applied map[]", nil, running("10:00:00", me), func(v *View) { v.Local = Local{PhaseClaiming, me, 7} }},
		{"handler_returned map[]", nil, running("10:00:00", me), func(v *View) { v.Local = Local{PhaseFinished, me, 7} }},
		{"handler_stopped map[]", nil, running("10:00:00", me), func(v *View) { v.Local = Local{PhaseYielded, me, 7} }},
		{"handler_runs map[]", nil, running("10:00:00", me), func(v *View) { v.Local = Local{PhaseWorking, me, 7} }},
		{"claim_lost map[]", nil, idle("10:00:00"), func(v *View) { v.Local = Local{PhaseWorking, me, 6} }},
		{"went_on map[]", nil, carrying("10:00:00", before), func(v *View) { v.Local = Local{PhaseWorking, before, 7} }},
		{"replaced map[]", func(p *Policy) { p.Overlap = OverlapReplace }, running("09:59:50", me), func(v *View) { v.Local = Local{PhaseWorking, me, 7} }},
		{"not_owner map[]", nil, idle("10:00:00"), func(v *View) { v.Owned = false }},
		{"job_disabled map[]", func(p *Policy) { p.Disabled = true }, idle("10:00:00"), nil},
		{"triggered map[]", nil, idle("10:00:00"), func(v *View) { v.Trigger = &Trigger{Seq: 1} }},
		{"fire_due map[]", nil, idle("09:59:50"), nil},
		{"no_fire_due map[]", nil, idle("10:00:00"), nil},
		{"schedule_over map[]", func(p *Policy) { p.Schedule = times{} }, idle("10:00:00"), nil},
		{"runs_elsewhere map[instance:b@1]", nil, running("10:00:00", other), alive},
		{"owner_unproven map[instance:b@1]", nil, running("10:00:00", other), nil},
		{"owner_may_carry_on map[instance:b@1 left:1m0s]", nil, carrying("10:00:00", other), dead},
		{"owner_dead map[instance:b@1]", nil, running("10:00:00", other), dead},
		{"handed_over map[instance:]", nil, running("10:00:00", ""), nil},
		{"run_forgotten map[instance:a@2]", nil, running("10:00:00", me), nil},
		{"failover_off map[instance:b@1]", func(p *Policy) { p.Failover = false }, running("10:00:00", other), dead},
		{"no_attempt_left map[attempts:3 instance:b@1]", nil, tried(running("10:00:00", other), 3, 0), dead},
		{"run_of_disabled_job map[instance:b@1]", func(p *Policy) { p.Disabled = true }, running("10:00:00", other), dead},
	} {
		d := Decide(policy(tt.policy), view(tt.record, tt.view))
		if got := fmt.Sprint(d.Code, " ", d.Args); got != tt.want {
			t.Errorf("got %s, want %s: %v", got, tt.want, d)
		}
	}
}

// The fence alone is not enough: an instance that counted from the same record
// proposed the same one. The owner alone is not either: it may have claimed
// before.
func TestDecide_ClaimIsMineByOwnerAndFence(t *testing.T) {
	actions := map[Phase]Action{PhaseClaiming: ActionStart, PhaseFinished: ActionComplete, PhaseYielded: ActionHandOver, PhaseWorking: ActionCancel}
	p := policy(func(p *Policy) { p.Overlap = OverlapReplace })
	for phase, action := range actions {
		for _, state := range []State{StateIdle, StateRunning} {
			for _, owner := range []string{me, before, other, ""} {
				for fence := uint64(6); fence <= 8; fence++ {
					r := running("09:59:50", me)
					if state == StateIdle {
						r = idle("09:59:50")
					}
					v := view(r, func(v *View) { v.Local = Local{phase, owner, fence} })
					mine := state == StateRunning && owner == me && fence == 7
					if got := Decide(p, v); (got.Action == action) != mine {
						t.Errorf("got %v, want %v: %t\n%s", got, action, mine, dump(p, v))
					}
				}
			}
		}
	}
}

// Each action has a name.
func TestAction_HasName(t *testing.T) {
	for a, want := range map[Action]string{
		ActionWait: "wait", ActionBegin: "begin", ActionStart: "start", ActionComplete: "complete", ActionHandOver: "hand over", ActionTakeOver: "take over",
		ActionAbandon: "abandon", ActionProveDeath: "prove death", ActionBlock: "block", ActionCancel: "cancel", ActionReclaim: "reclaim", ActionCancelLost: "cancel lost",
	} {
		if got := a.String(); got != want {
			t.Errorf("action %d is called %q, want %q", a, got, want)
		}
	}
}
