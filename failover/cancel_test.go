package failover

import "testing"

// While a namespace is paused nothing begins, is taken over or is abandoned.
// What runs goes on, and its end is recorded.
func TestDecide_Paused(t *testing.T) {
	paused := func(v *View) { v.Paused = true }
	dead := func(v *View) { v.Paused, v.Owner = true, LivenessDead }
	noFailover := policy(func(p *Policy) { p.Failover = false })
	finished := func(v *View) {
		v.Paused = true
		v.Local = Local{Phase: PhaseFinished, Owner: me, Fence: 7}
	}
	working := func(v *View) {
		v.Paused = true
		v.Local = Local{Phase: PhaseWorking, Owner: me, Fence: 7}
	}
	claiming := func(v *View) {
		v.Paused = true
		v.Local = Local{Phase: PhaseClaiming, Owner: me, Fence: 7}
	}
	const pause = CodePaused
	for _, row := range []struct {
		name   string
		policy Policy
		view   View
		want   Action
		code   Code
	}{
		{"a fire is due", policy(nil), view(idle("09:59:50"), paused), ActionWait, pause},
		{"no fire is due", policy(nil), view(idle("10:00:00"), paused), ActionWait, pause},
		{"its owner is dead", policy(nil), view(running("10:00:00", other), dead), ActionWait, pause},
		{"dead, no failover", noFailover, view(running("10:00:00", other), dead), ActionWait, pause},
		{"its owner is not live", policy(nil), view(running("10:00:00", other), paused), ActionWait, pause},
		{"it was handed over", policy(nil), view(running("10:00:00", ""), paused), ActionWait, pause},
		{"it has returned", policy(nil), view(running("10:00:00", me), finished), ActionComplete, CodeHandlerReturned},
		{"it works", policy(nil), view(running("10:00:00", me), working), ActionWait, CodeHandlerRuns},
		{"its claim was applied", policy(nil), view(running("10:00:00", me), claiming), ActionStart, CodeClaimApplied},
		{
			"a later fire would replace it",
			policy(func(p *Policy) { p.Overlap = OverlapReplace }),
			view(running("09:59:50", me), working), ActionWait, CodeHandlerRuns,
		},
	} {
		got := Decide(row.policy, row.view)
		if got.Action != row.want || got.Code != row.code || !got.Missed.IsZero() {
			t.Errorf(
				"%s: got %s, %s, missed %v; want %s, %s",
				row.name,
				got.Action,
				got.Code,
				got.Missed,
				row.want,
				row.code,
			)
		}
	}
}

// A trigger waits while the namespace is paused.
func TestDecide_PausedTrigger(t *testing.T) {
	v := view(idle("10:00:00"), func(v *View) {
		v.Paused = true
		v.Trigger = &Trigger{Seq: 1, At: now}
	})
	if got := Decide(policy(nil), v); got.Action != ActionWait || got.Code != CodePaused {
		t.Errorf("got %s, %s, want to wait", got.Action, got.Code)
	}
}

// A cancel ends the run of the fire that it names, and no other.
func TestDecide_Cancelled(t *testing.T) {
	cancel := func(fires ...string) func(*View) {
		return func(v *View) {
			for _, fire := range fires {
				v.Cancels = append(v.Cancels, Cancel{Fire: at(fire), By: "li", Why: "poison"})
			}
		}
	}
	with := func(more func(*View), fires ...string) func(*View) {
		return func(v *View) {
			cancel(fires...)(v)
			more(v)
		}
	}
	working := func(v *View) { v.Local = Local{Phase: PhaseWorking, Owner: me, Fence: 7} }
	stale := func(v *View) { v.Local = Local{Phase: PhaseWorking, Owner: me, Fence: 6} }
	finished := func(v *View) { v.Local = Local{Phase: PhaseFinished, Owner: me, Fence: 7} }
	dead := func(v *View) { v.Owner = LivenessDead }
	alive := func(v *View) { v.Owner = LivenessAlive }
	for _, row := range []struct {
		name string
		view View
		want Action
		code Code
	}{
		{"my run", view(running("10:00:00", me), with(working, "10:00:00")), ActionCancel, CodeCancelled},
		{"my run, another fire", view(running("10:00:00", me), with(working, "09:59:50")), ActionWait, CodeHandlerRuns},
		{"without its claim", view(running("10:00:00", me), with(stale, "10:00:00")), ActionWait, CodeClaimLost},
		{
			"it has returned",
			view(running("10:00:00", me), with(finished, "10:00:00")),
			ActionComplete,
			CodeHandlerReturned,
		},
		{"dead", view(running("10:00:00", other), with(dead, "10:00:00")), ActionAbandon, CodeCancelled},
		{"dead, another fire", view(running("10:00:00", other), with(dead, "09:59:50")), ActionTakeOver, CodeOwnerDead},
		{"handed over", view(running("10:00:00", ""), cancel("10:00:00")), ActionAbandon, CodeCancelled},
		{"another lives", view(running("10:00:00", other), with(alive, "10:00:00")), ActionBlock, CodeRunsElsewhere},
		{"the due fire", view(idle("09:59:50"), cancel("10:00:00")), ActionWait, CodeNoFireDue},
		{"an older fire", view(idle("09:59:40"), cancel("09:59:50")), ActionBegin, CodeFireDue},
		{"a fire of the future", view(idle("09:59:50"), cancel("10:00:10")), ActionBegin, CodeFireDue},
		{"a fire that has ended", view(idle("10:00:00"), cancel("10:00:00")), ActionWait, CodeNoFireDue},
	} {
		got := Decide(policy(nil), row.view)
		if got.Action != row.want || got.Code != row.code {
			t.Errorf("%s: got %s, %s; want %s, %s", row.name, got.Action, got.Code, row.want, row.code)
		}
	}
}

// A fire that was cancelled before it began is missed, with those before it
// that have not begun. Later ones run.
func TestDecide_CancelledFireIsMissed(t *testing.T) {
	p := policy(func(p *Policy) { p.Misfire = MisfireAll })
	v := view(idle("09:59:30"), func(v *View) { v.Cancels = []Cancel{{Fire: at("09:59:50"), By: "li"}} })
	d := Decide(p, v)
	if d.Action != ActionBegin || !d.Fire.Equal(at("10:00:00")) {
		t.Errorf("got %s of %s, want to begin that of 10:00:00", d.Action, d.Fire)
	}
	count, last := p.CountMissed(d)
	if count != 2 || !last.Equal(at("09:59:50")) || d.MissedCode != CodeMissedCancelled {
		t.Errorf(
			"%d missed up to %s for %s, want those of 09:59:40 and 09:59:50, because of a cancel",
			count,
			last,
			d.MissedCode,
		)
	}
	if wake := Decide(policy(nil), view(idle("09:59:50"), func(v *View) {
		v.Cancels = []Cancel{{Fire: at("10:00:00")}}
	})).Wake; !wake.Equal(at("10:00:10")) {
		t.Errorf("it wakes at %s, want the next fire", wake)
	}
}

// A cancelled trigger is not begun, and one that runs is ended. Its number and
// not its time names it.
func TestDecide_CancelledTrigger(t *testing.T) {
	triggers := []Trigger{{Seq: 5, At: now}, {Seq: 6, At: now}}
	cancels := []Cancel{{Trigger: 5, By: "li"}}
	left := NotCancelled(triggers, cancels)
	if len(left) != 1 || left[0].Seq != 6 {
		t.Errorf("got %v, want the second", left)
	}
	r := running("10:00:00", me)
	r.Trigger, r.Manual = 5, Manual{At: now}
	v := view(r, func(v *View) {
		v.Local = Local{Phase: PhaseWorking, Owner: me, Fence: 7}
		v.Cancels = cancels
	})
	if got := Decide(policy(nil), v); got.Action != ActionCancel {
		t.Errorf("got %s, want to cancel", got.Action)
	}
	v.Cancels = []Cancel{{Fire: at("10:00:00")}}
	if got := Decide(policy(nil), v); got.Action != ActionWait {
		t.Errorf("a cancel of the fire before: got %s, want to wait", got.Action)
	}
}

// The record of a cancelled run says by whom it was cancelled, and why.
func TestRecord_Cancelled(t *testing.T) {
	r := running("10:00:00", other).Cancelled(map[string]string{"by": "li", "why": "poison"}, now)
	if r.State != StateIdle || r.Result != ResultCancelled || r.Error != "cancelled by li: poison" ||
		!r.Ended.Equal(now) {
		t.Errorf("got %+v", r)
	}
	back, err := Decode(r.Encode())
	if err != nil || back.Result != ResultCancelled {
		t.Errorf("stored and read: %+v, %v", back, err)
	}
}
