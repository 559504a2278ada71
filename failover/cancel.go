package failover

import "time"

// Cancel is the request of an operator to end a fire or a trigger on a shard.
// It names the fire and no run, so it never ends the run of the next fire.
type Cancel struct {
	Fire    time.Time // zero: Trigger is meant
	Trigger uint64

	By  string // who cancelled it
	Why string // as that person gave it; it may be empty
}

// cancelled returns the cancel of the run in progress; nil if there is none.
func cancelled(cancels []Cancel, r Record) *Cancel {
	if r.State != StateRunning {
		return nil
	}
	for i, c := range cancels {
		if r.IsManual() && c.Trigger != 0 && c.Trigger == r.Trigger {
			return &cancels[i]
		}
		if !r.IsManual() && c.Trigger == 0 && c.Fire.Equal(r.Fire) {
			return &cancels[i]
		}
	}
	return nil
}

// end returns d with the reason that the cancel gives.
func (c *Cancel) end(d Decision, text string) Decision {
	text += " by " + c.By
	if c.Why != "" {
		text += ": " + c.Why
	}
	return d.because(CodeCancelled, text, "by", c.By, "why", c.Why)
}

// Cancelled returns the record of a run that an operator cancelled while no
// instance worked on it. The conditions are those of TakeOver. args are those
// of the decision.
func (r Record) Cancelled(args map[string]string, now time.Time) Record {
	text := "cancelled by " + args["by"]
	if why := args["why"]; why != "" {
		text += ": " + why
	}
	return r.Complete(ResultCancelled, text, now)
}

// NotCancelled returns the triggers that were not cancelled for the shard whose
// cancels these are.
func NotCancelled(triggers []Trigger, cancels []Cancel) []Trigger {
	if len(cancels) == 0 {
		return triggers
	}
	var left []Trigger
	for _, t := range triggers {
		isCancelled := false
		for _, c := range cancels {
			isCancelled = isCancelled || c.Trigger == t.Seq
		}
		if !isCancelled {
			left = append(left, t)
		}
	}
	return left
}

// lastCancelled returns the latest fire that was cancelled and whose time has
// come; zero if there is none.
func (p Policy) lastCancelled(v View) (last time.Time) {
	for _, c := range v.Cancels {
		if c.Trigger == 0 && c.Fire.After(last) && !c.Fire.After(v.Now) {
			last = c.Fire
		}
	}
	return last
}

// withoutCancelled returns what is due after the last fire that was cancelled.
// That fire, and older ones that have not begun, are missed.
func (p Policy) withoutCancelled(d due, v View, last time.Time) due {
	first := d.fire
	if !d.missed.first.IsZero() {
		first = d.missed.first
	}
	if p.AfterEnd || first.IsZero() || first.After(last) {
		return d
	}
	p.Since = later(p.Since, last)
	d = p.due(v.Record, v.Now)
	d.missed = span{first, last.Add(1), CodeMissedCancelled}
	return d
}
