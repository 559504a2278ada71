package worker

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// machine records which processes were starved of CPU time. A process without
// CPU time is as good as frozen. The kernel counts how long each thread waits,
// so workers are not asked. This process measures pauses of the whole machine.
type machine struct {
	mu     sync.Mutex
	last   time.Time                        // when it was looked at last
	waited map[int]map[string]time.Duration // by process and thread, then
	since  map[int]time.Time                // since when a process gets hardly any time
	past   []starvation
}

// starvation is a time in which a process got hardly any time; 0 is the whole
// machine.
type starvation struct {
	pid      int
	from, to time.Time
}

// server is the PID that stands for all servers.
const server = -1

// theMachine is watched while Main runs tests.
var theMachine = &machine{}

// spawned holds the PIDs of all children that are no servers.
var spawned sync.Map

// every is the interval between two samples.
const every = 100 * time.Millisecond

// watch samples the machine until the returned function is called.
func (m *machine) watch() (stop func()) {
	done := make(chan struct{})
	var group sync.WaitGroup
	m.last = time.Now()
	group.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				account := map[int]map[string]time.Duration{}
				for _, pid := range children() {
					account[pid] = waits(pid)
				}
				m.look(time.Now(), account)
			}
		}
	})
	return func() { close(done); group.Wait() }
}

// look compares the waiting time of each thread with the last sample. A process
// that waited for more than half of the time in between is starved.
func (m *machine) look(now time.Time, waited map[int]map[string]time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	passed := now.Sub(m.last)
	if passed > 2*every {
		m.past = append(m.past, starvation{0, m.last, now})
	}
	since := map[int]time.Time{}
	for pid, threads := range waited {
		most := time.Duration(0)
		for thread, wait := range threads {
			if was, ok := m.waited[pid][thread]; ok {
				most = max(most, wait-was)
			}
		}
		if most > passed/2 {
			since[pid] = cmp.Or(m.since[pid], m.last)
		}
	}
	for pid, from := range m.since {
		if since[pid].IsZero() {
			m.past = append(m.past, starvation{pid, from, now})
		}
	}
	m.last = now
	m.waited = waited
	m.since = since
}

// starved returns the starved times of some processes and of all servers. The
// owner of a server is unknown, so each server counts for every fleet.
func (m *machine) starved(mine map[int]bool) []starvation {
	m.mu.Lock()
	all := slices.Clone(m.past)
	for pid, from := range m.since {
		all = append(all, starvation{pid, from, m.last})
	}
	m.mu.Unlock()
	all = slices.DeleteFunc(all, func(s starvation) bool {
		_, worker := spawned.Load(s.pid)
		return worker && !mine[s.pid]
	})
	for i, s := range all {
		if s.pid != 0 && !mine[s.pid] {
			all[i].pid = server
		}
	}
	return union(all)
}

// union returns the same times, of which no two of one process touch.
func union(all []starvation) (merged []starvation) {
	slices.SortFunc(all, func(a, b starvation) int { return cmp.Or(cmp.Compare(a.pid, b.pid), a.from.Compare(b.from)) })
	for _, s := range all {
		if n := len(merged) - 1; n >= 0 && merged[n].pid == s.pid && !s.from.After(merged[n].to) {
			merged[n].to = later(merged[n].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// within returns how much of a time was starved.
func within(all []starvation, from, to time.Time) (lost time.Duration) {
	all = slices.Clone(all)
	for i := range all {
		all[i].pid = 0 // any process
	}
	for _, s := range union(all) {
		if s.to.After(to) {
			s.to = to
		}
		lost += max(0, s.to.Sub(later(s.from, from)))
	}
	return lost
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
