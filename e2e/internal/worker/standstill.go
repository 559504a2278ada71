package worker

import (
	"cmp"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/internal/checker"
)

// standstills returns the times in which a process got hardly any CPU time, for
// so long that it may have cost a session, and that no fault explains: of a
// process that was killed or frozen only the time before, of one that came back
// only the time after. They end before a fault and begin after it. At the same
// moment, the end of one would be taken for the end of the other.
func standstills(acts []checker.Act, starved []starvation, ttl time.Duration) (all []starvation) {
	acts = byTime(acts)
	for _, s := range starved {
		var away time.Time
		for _, a := range acts {
			if a.PID != s.pid || !a.Time.Before(s.to) {
				continue
			}
			switch a.Kind {
			case checker.Stop, checker.Kill, checker.Exit:
				away = cmp.Or(away, a.Time)
			case checker.Cont, checker.Start:
				away, s.from = time.Time{}, later(s.from, a.Time.Add(1))
			}
		}
		if !away.IsZero() {
			s.to = away.Add(-1)
		}
		if s.to.Sub(s.from) > ttl/4 {
			all = append(all, s)
		}
	}
	return all
}

// frozen returns standstills as faults of a history, as if by SIGSTOP. A worker
// can be paused too shortly to count as frozen, and yet so long that a renewal
// came late: that counts as if the store had been unreachable.
func frozen(acts []checker.Act, all []starvation) (more []checker.Act) {
	for _, s := range all {
		more = append(more, checker.Act{
			Time: s.from,
			Kind: checker.Stop,
			PID:  s.pid,
		}, checker.Act{Time: s.to, Kind: checker.Cont, PID: s.pid})
		if s.pid != 0 && !cutAt(acts, s.pid, s.to) {
			more = append(more, checker.Act{
				Time: s.from,
				Kind: checker.Cut,
				PID:  s.pid,
			}, checker.Act{Time: s.to, Kind: checker.Heal, PID: s.pid})
		}
	}
	return more
}

// cutAt reports whether a process is cut off from the store at a time. A
// standstill must not end that cut.
func cutAt(acts []checker.Act, pid int, at time.Time) (cut bool) {
	for _, a := range byTime(acts) {
		if a.PID == pid && !a.Time.After(at) && (a.Kind == checker.Cut || a.Kind == checker.Heal) {
			cut = a.Kind == checker.Cut
		}
	}
	return cut
}

func byTime(acts []checker.Act) []checker.Act {
	acts = slices.Clone(acts)
	slices.SortStableFunc(acts, func(a, b checker.Act) int { return a.Time.Compare(b.Time) })
	return acts
}

// starved returns when the fleet's processes and the servers got no time; the
// fleet's mutex is held.
func (f *Fleet) starved() []starvation {
	mine := map[int]bool{}
	for _, p := range f.processes {
		mine[p.PID()] = true
	}
	return since(theMachine.starved(mine), f.began)
}

// since returns what was at a time or later.
func since(all []starvation, at time.Time) (rest []starvation) {
	for _, s := range all {
		s.from = later(s.from, at)
		if s.to.After(s.from) {
			rest = append(rest, s)
		}
	}
	return rest
}

// standstills returns the pauses for lack of CPU time that can cost a session;
// the caller holds the fleet's mutex. Pauses of the store and of the whole
// machine are alike: no process can reach the store.
func (f *Fleet) standstills() []starvation {
	all := f.starved()
	for i := range all {
		all[i].pid = max(0, all[i].pid)
	}
	return standstills(f.acts, union(all), f.TTL)
}

// tellStandstills prints the starved times.
func (f *Fleet) tellStandstills() {
	f.mu.Lock()
	all := f.standstills()
	f.mu.Unlock()
	for _, s := range all {
		who := "the machine, or a server,"
		for _, p := range f.Processes() {
			if p.PID() == s.pid {
				who = p.String()
			}
		}
		f.t.Logf(
			"%s got no time for %s at %s",
			who, s.to.Sub(s.from).Round(time.Millisecond), s.from.Format("15:04:05.000"),
		)
	}
}

// Starved returns how much of a time a process of the fleet, or a server, was
// starved. A process that is late by no more than that was not slow.
func (f *Fleet) Starved(from, to time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return within(f.starved(), from, to)
}
