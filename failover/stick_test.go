package failover

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// world is one shard and all that matters to it when a single instance is left
// that owns it.
type world struct {
	p     Policy
	v     View
	lose  bool // the answers to claims are lost
	begun []time.Time
	log   []string
}

// settle decides and acts until nothing is left to do at this time. The
// environment does its part: handlers return, others that run the shard die,
// deaths are proven. It returns what went wrong.
func (w *world) settle() error {
	// A run in progress is brought to its end in eight steps at most, and each
	// fire that is due takes four more.
	for range 8 + 4*(len(slowDueAll(w.p, w.v.Record, w.v.Now))+1) {
		d := Decide(w.p, w.v)
		w.log = append(w.log, fmt.Sprintf("%v, %+v: %v", w.v.Record, w.v.Local, d))
		was := w.v.Record
		idle, err := w.act(d)
		if err == nil {
			err = legal(was, w.v.Record, d.Action, w.v.Now)
		}
		if err != nil || idle {
			return err
		}
	}
	return fmt.Errorf("it goes on for ever")
}

// slowDueAll returns the fires that are due one after the other, each begun and
// completed at once.
func slowDueAll(p Policy, r Record, now time.Time) (fires []time.Time) {
	r = r.Complete(ResultSucceeded, "", time.Time{})
	for d := slowDue(p, r, now); !d.fire.IsZero(); d = slowDue(p, r, now) {
		fires = append(fires, d.fire)
		r = r.Begin(d.fire, me, now).Complete(ResultSucceeded, "", time.Time{})
	}
	return fires
}

// act does what was decided. It returns true if nothing is left to do.
func (w *world) act(d Decision) (idle bool, err error) {
	v := &w.v
	r := v.Record
	if v.Local.Phase == PhaseWorking && (d.Action == ActionBegin || d.Action == ActionTakeOver || d.Action == ActionStart) {
		return false, fmt.Errorf("a second handler starts beside one that has not returned")
	}
	if w.p.Disabled && (d.Action == ActionBegin || d.Action == ActionTakeOver || d.Action == ActionCancel) {
		return false, fmt.Errorf("a disabled job does not %v", d.Action)
	}
	mine := r.State == StateRunning && r.Owner == v.Local.Owner && r.Fence == v.Local.Fence
	claim := func(next Record) {
		v.Record, v.Owner = next, LivenessAlive
		v.Local = Local{PhaseWorking, me, next.Fence}
		if w.lose {
			v.Local.Phase = PhaseClaiming
		}
	}
	switch d.Action {
	case ActionBegin:
		if want := slowDue(w.p, r, v.Now).fire; r.State != StateIdle || !d.Fire.Equal(want) {
			return false, fmt.Errorf("it begins %s, while %s is due", clock(d.Fire), clock(want))
		}
		w.begun = append(w.begun, d.Fire)
		claim(r.Begin(d.Fire, me, v.Now))
	case ActionTakeOver:
		if r.State != StateRunning || v.Owner != LivenessDead && r.Owner != "" && r.Owner != me || !w.p.Failover {
			return false, fmt.Errorf("it takes over a run that is not to be taken over")
		}
		claim(r.TakeOver(me, v.Now))
	case ActionStart:
		if !mine || v.Local.Phase != PhaseClaiming || r.Owner != me {
			return false, fmt.Errorf("it starts a run that it did not claim")
		}
		v.Local.Phase = PhaseWorking
	case ActionComplete, ActionHandOver:
		if !mine {
			return false, fmt.Errorf("it ends a run that is not its own")
		}
		v.Local = Local{}
		v.Record = r.Complete(ResultSucceeded, "", v.Now)
		if d.Action == ActionHandOver {
			v.Record = r.HandOver()
		}
	case ActionAbandon:
		if v.Owner != LivenessDead && r.Owner != "" && r.Owner != me {
			return false, fmt.Errorf("it abandons a run whose owner is not known to be dead")
		}
		v.Record = r.Abandon(v.Now)
	case ActionProveDeath:
		if r.State != StateRunning || v.Owner != LivenessUnproven || r.Owner == "" || r.Owner == me {
			return false, fmt.Errorf("it asks whether %q is dead", r.Owner)
		}
		v.Owner = LivenessDead
	case ActionBlock:
		if slowDue(w.p, r, v.Now).fire.IsZero() && !w.p.Failover {
			return false, fmt.Errorf("it is blocked, though nothing is due, and nothing is handed over")
		}
		v.Owner = LivenessUnproven
	case ActionCancel:
		if v.Local.Phase != PhaseWorking || !mine {
			return false, fmt.Errorf("it cancels a run that is not its own")
		}
		v.Local.Phase = PhaseFinished
	case ActionReclaim:
		if v.Local.Phase != PhaseWorking || !mine || r.Owner == me || r.CarryOn == 0 {
			return false, fmt.Errorf("it reclaims a run that does not carry on without its session")
		}
		v.Record, v.Owner = r.Reclaim(me), LivenessAlive
		v.Local.Owner, v.Local.Fence = me, v.Record.Fence
	case ActionCancelLost:
		if v.Local.Phase != PhaseWorking || mine || v.Local.Owner == me {
			return false, fmt.Errorf("it gives up a run that is its own")
		}
		v.Local = Local{}
	case ActionWait:
		switch {
		case v.Local.Phase == PhaseWorking:
			v.Local.Phase = PhaseFinished
		case r.State == StateRunning && v.Owner == LivenessDead && v.Since < r.CarryOn:
			if left := r.CarryOn - v.Since; !d.Wake.Equal(v.Now.Add(left)) {
				return false, fmt.Errorf("it waits until %s for a run that may go on for %v", clock(d.Wake), left)
			}
			v.Since = r.CarryOn // no fire comes up meanwhile, or there would be no end of them
		case r.State == StateRunning:
			if v.Owner != LivenessAlive {
				return false, fmt.Errorf("it waits for a run that no instance works on")
			}
			v.Owner = LivenessUnproven
		default:
			return true, w.checkIdle(d)
		}
	}
	return false, nil
}

// checkIdle is for a world in which nothing is left to do.
func (w *world) checkIdle(d Decision) error {
	if w.p.Disabled {
		if !d.Wake.IsZero() {
			return fmt.Errorf("a disabled job wakes at %s", clock(d.Wake))
		}
		return nil
	}
	want := slowDue(w.p, w.v.Record, w.v.Now)
	if !want.fire.IsZero() {
		return fmt.Errorf("%s is due, and it waits", clock(want.fire))
	}
	if !d.Wake.Equal(want.next) {
		return fmt.Errorf("it wakes at %s, the next fire is %s", clock(d.Wake), clock(want.next))
	}
	if d.Wake.IsZero() || InFuture(w.v.Record, w.v.Now) {
		return nil // A fire of the future may by then be one of the present, which has been begun.
	}
	v := w.v
	v.Now = d.Wake
	if then := Decide(w.p, v); then.Action != ActionBegin || !then.Fire.Equal(d.Wake) {
		return fmt.Errorf("it wakes at %s for: %v", clock(d.Wake), then)
	}
	return nil
}

// legal says what is wrong with a change of the record, by the table of
// transitions.
func legal(from, to Record, a Action, now time.Time) error {
	claims := uint64(0)
	if a == ActionBegin || a == ActionTakeOver || a == ActionReclaim {
		claims = 1
	}
	switch {
	case from.Fence == 0 && a == ActionBegin:
		if to.Fence == 0 {
			return fmt.Errorf("the first claim has no fence")
		}
	case to.Fence != from.Fence+claims:
		return fmt.Errorf("the fence goes from %d to %d", from.Fence, to.Fence)
	}
	switch {
	case a == ActionBegin:
		if from.State != StateIdle || to.State != StateRunning || to.Attempt != 1 || to.HandOvers != 0 {
			return fmt.Errorf("begin leads from %v to %v", from, to)
		}
		if !to.Fire.After(from.Fire) && !InFuture(from, now) {
			return fmt.Errorf("the fire goes back from %s to %s", clock(from.Fire), clock(to.Fire))
		}
	case !to.Fire.Equal(from.Fire):
		return fmt.Errorf("%v changes the fire", a)
	case to.Attempt != from.Attempt && (a != ActionTakeOver || from.State != StateRunning || to.Attempt != from.Attempt+1):
		return fmt.Errorf("%v leads from attempt %d to %d", a, from.Attempt, to.Attempt)
	case to.HandOvers != from.HandOvers && (a != ActionHandOver || to.HandOvers != from.HandOvers+1):
		return fmt.Errorf("%v leads from %d hand-overs to %d", a, from.HandOvers, to.HandOvers)
	}
	if to.State == StateIdle && to.Owner != "" || to.State == StateRunning && to.Result != "" {
		return fmt.Errorf("%v leads to %v", a, to)
	}
	return nil
}

// reachable returns every record that can be written down: fires of all ages,
// each owner, each number of attempts.
func reachable() []Record {
	records := []Record{{}}
	for _, fire := range []string{"09:59:20", "09:59:50", "10:00:00", "10:00:10", "18:00:00"} {
		for _, result := range []Result{ResultSucceeded, ResultLost} {
			r := idle(fire)
			r.Result = result
			records = append(records, r)
		}
		for _, owner := range []string{"", me, before, other} {
			for attempt := 1; attempt <= 4; attempt++ {
				for handOvers := range attempt + 1 {
					if owner == "" && handOvers == 0 || owner != "" && handOvers == attempt {
						continue // Who hands over is the last of them, or there was none.
					}
					records = append(records, tried(running(fire, owner), attempt, handOvers))
					if owner != "" {
						records = append(records, tried(carrying(fire, owner), attempt, handOvers))
					}
				}
			}
		}
	}
	return records
}

// pick returns one of several.
func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

func randomPolicy(rng *rand.Rand) Policy {
	p := Policy{
		Schedule:    every(10 * time.Second),
		Since:       at(pick(rng, "09:59:15", "09:59:45", "10:00:00", "10:00:04", "18:00:00")),
		Resharded:   at(pick(rng, "09:00:00", "10:00:00", "18:00:00")),
		Disabled:    rng.IntN(4) == 0,
		Misfire:     pick(rng, MisfireOnce, MisfireSkip, MisfireAll),
		Window:      pick(rng, 0, 3*time.Second, 25*time.Second),
		Overlap:     pick(rng, OverlapQueue, OverlapSkip, OverlapReplace),
		Failover:    rng.IntN(3) > 0,
		MaxAttempts: pick(rng, 1, 3),
	}
	if rng.IntN(6) == 0 {
		p.Schedule = pick(rng, times{}, times{at("09:59:58")}, times{at("10:00:02"), at("10:00:12")})
	}
	return p
}

// One instance is left, owns the shard, and can prove deaths. Whatever the
// others left behind, each fire that is due begins, the run that was in
// progress is taken over or abandoned, and the record comes to rest.
func TestDecide_NothingSticks(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	locals := []Local{{}}
	for phase := PhaseClaiming; phase <= PhaseYielded; phase++ {
		// Of the claim in the record, if it has that owner, and of others.
		locals = append(locals, Local{phase, me, 7}, Local{phase, me, 6}, Local{phase, before, 7}, Local{phase, before, 5})
	}
	begun := 0
	for _, r := range reachable() {
		for _, local := range locals {
			for _, owner := range []Liveness{LivenessUnproven, LivenessAlive, LivenessDead} {
				if owner == LivenessAlive && r.Owner == before {
					continue // Its key is gone, or it would not have been registered again.
				}
				for range 4 {
					w := world{p: randomPolicy(rng), lose: rng.IntN(2) == 0}
					w.v = View{Record: r, Now: at(pick(rng, "10:00:00", "10:00:00.5", "10:00:05", "10:00:10")), Me: me, Owned: true, Owner: owner, Local: local}
					w.v.Learned = learnedAt(w.v.Now)
					first := w
					if err := w.settle(); err != nil {
						t.Fatalf("%v\n%s\n\n%s", err, dump(first.p, first.v), strings.Join(w.log, "\n"))
					}
					begun += len(w.begun)
				}
			}
		}
	}
	if begun < 5000 {
		t.Errorf("%d fires were begun: too few to say anything", begun)
	}
}

// Who does not own the shard ends what it runs, and does nothing else.
func TestDecide_NotOwnerStartsNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, r := range reachable() {
		for phase := PhaseNone; phase <= PhaseYielded; phase++ {
			for _, owner := range []Liveness{LivenessUnproven, LivenessAlive, LivenessDead} {
				p := randomPolicy(rng)
				v := View{Record: r, Now: now, Me: me, Owner: owner, Local: Local{phase, me, 7}}
				switch d := Decide(p, v); d.Action {
				case ActionBegin, ActionTakeOver, ActionAbandon, ActionProveDeath, ActionBlock, ActionCancel:
					t.Fatalf("%v\n%s", d, dump(p, v))
				}
			}
		}
	}
}
