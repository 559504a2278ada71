package checker

import (
	"slices"
	"time"
)

// process is what was done to one process.
type process struct {
	started time.Time
	gone    time.Time // zero: it lives
	asked   time.Time // to leave; zero: never
	frozen  []span    // long enough to cost a session
	outages []span    // when it could not reach the store
}

// span is a time; a zero to means that it lasts.
type span struct{ from, to time.Time }

func (s span) holds(t time.Time) bool { return !t.Before(s.from) && (s.to.IsZero() || t.Before(s.to)) }

// overlaps says whether the span touches the time from one moment to another.
func (s span) overlaps(from, to time.Time) bool {
	return !s.from.After(to) && (s.to.IsZero() || !s.to.Before(from))
}

// wake is the time in which a process that goes on after it was frozen must
// notice, and its handlers must return. What it does meanwhile is out of reach
// of any lock: that is what fences are for.
const wake = time.Second

// unrecorded is how long the store may not know yet that a handler has
// returned: it waits for others to share its commit, then commits.
const unrecorded = time.Second

// processes are all that ever were, by their number. Numbers come again, so
// there is a list of each, by time.
type processes map[int][]*process

func processesOf(acts []Act, ttl time.Duration) processes {
	acts = slices.Clone(acts)
	slices.SortStableFunc(acts, func(a, b Act) int { return a.Time.Compare(b.Time) })
	all := processes{}
	var outages []span
	open := map[int]time.Time{} // since when it is stopped
	// A session is given up nine tenths of its TTL after its last renewal.
	// Those are a third of the TTL apart, and of two that are due one may go
	// wrong, which is noticed after a quarter of the TTL. What is left is three
	// tenths: a shorter pause costs nothing, and excuses nothing.
	short := ttl * 3 / 10
	for _, a := range acts {
		if a.PID == 0 {
			switch a.Kind {
			case Stop, Kill:
				outages = append(outages, span{from: a.Time})
			case Cont, Start:
				endAll(outages, a.Time)
			}
			continue
		}
		list := all[a.PID]
		if a.Kind == Start || len(list) == 0 {
			list = append(list, &process{started: a.Time})
			all[a.PID] = list
		}
		p := list[len(list)-1]
		switch a.Kind {
		case Kill, Exit:
			p.gone = a.Time
			if since, ok := open[a.PID]; ok {
				p.frozen = append(p.frozen, span{since, a.Time})
				delete(open, a.PID)
			}
		case Term:
			p.asked = a.Time
		case Cut:
			p.outages = append(p.outages, span{from: a.Time})
		case Heal:
			endAll(p.outages, a.Time)
		case Stop:
			if _, stopped := open[a.PID]; !stopped {
				open[a.PID] = a.Time
			}
		case Cont:
			if since, ok := open[a.PID]; ok && a.Time.Sub(since) >= short {
				p.frozen = append(p.frozen, span{since, a.Time.Add(wake)})
			}
			delete(open, a.PID)
		}
	}
	for pid, since := range open {
		p := all[pid][len(all[pid])-1]
		p.frozen = append(p.frozen, span{from: since})
	}
	for _, list := range all {
		for _, p := range list {
			p.outages = append(p.outages, outages...)
		}
	}
	return all
}

// endAll ends the spans that last. A process needs a moment to find out.
func endAll(spans []span, at time.Time) {
	for i := range spans {
		if spans[i].to.IsZero() {
			spans[i].to = at.Add(wake)
		}
	}
}

// at returns the process that had a number at a time; nil if there was none.
func (ps processes) at(pid int, t time.Time) *process {
	list := ps[pid]
	for i := len(list) - 1; i >= 0; i-- {
		if i == 0 || !t.Before(list[i].started) {
			return list[i]
		}
	}
	return nil
}

// frozenAt says whether the process stood still, or may not have noticed yet
// that it had.
func (p *process) frozenAt(t time.Time) bool {
	return p != nil && slices.ContainsFunc(p.frozen, func(s span) bool { return s.holds(t) })
}

// lostBetween says whether something happened that can have cost the process
// its session: it died, was frozen, or could not reach the store.
func (p *process) lostBetween(from, to time.Time) bool {
	if p == nil {
		return false
	}
	if !p.gone.IsZero() && !p.gone.Before(from) && !p.gone.After(to) {
		return true
	}
	touches := func(s span) bool { return s.overlaps(from, to) }
	return slices.ContainsFunc(p.frozen, touches) || slices.ContainsFunc(p.outages, touches)
}

// leftBetween says whether the process was asked to leave and did, or was on
// its way.
func (p *process) leftBetween(from, to time.Time) bool {
	return p != nil && !p.asked.IsZero() && !p.asked.After(to) && (p.gone.IsZero() || !p.gone.Before(from))
}

// any says whether something happened to any process that f tells.
func (ps processes) any(f func(*process) bool) bool {
	for _, list := range ps {
		if slices.ContainsFunc(list, f) {
			return true
		}
	}
	return false
}
