package chaos

import (
	"slices"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/internal/checker"
)

// watchMachine notes when the machine has too much to do: a process that gets no processor for as long as a session takes to be renewed
// is frozen, whoever did it. It is not the workers who are asked, but the kernel, which counts for how long each thread waits; and
// this process, for machines that stand still as a whole.
func (f *fleet) watchMachine() {
	done := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		m := machine{f: f, last: time.Now(), waited: map[int]map[string]time.Duration{}, since: map[int]time.Time{}}
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				m.look(time.Now())
			}
		}
	})
	f.t.Cleanup(func() { close(done); group.Wait() })
}

// machine is what is known about who gets no time.
type machine struct {
	f      *fleet
	last   time.Time
	waited map[int]map[string]time.Duration // by process and thread, when looked at last
	since  map[int]time.Time                // since when a process gets hardly any time
}

// look looks at all processes.
func (m *machine) look(now time.Time) {
	passed := now.Sub(m.last)
	if passed > m.f.load.ttl/4 {
		m.f.stoodStill("the machine", 0, m.last, now)
	}
	for _, pid := range children() {
		before := m.waited[pid]
		m.waited[pid] = waits(pid)
		most := time.Duration(0)
		for thread, wait := range m.waited[pid] {
			if was, ok := before[thread]; ok {
				most = max(most, wait-was)
			}
		}
		since, starved := m.since[pid]
		switch {
		case most > passed/2 && !starved:
			m.since[pid] = m.last
		case most <= passed/2 && starved:
			delete(m.since, pid)
			if now.Sub(since) > m.f.load.ttl/4 {
				m.f.starved(pid, since, now)
			}
		}
	}
	m.last = now
}

// starved notes that a process got hardly any time: a worker, or a server, which is as good as all workers.
func (f *fleet) starved(pid int, from, to time.Time) {
	f.mu.Lock()
	mine := slices.ContainsFunc(f.workers, func(w *worker) bool { return w.pid() == pid })
	f.mu.Unlock()
	if mine {
		f.stoodStill("a worker", pid, from, to)
	} else if _, others := everyWorker.Load(pid); !others {
		f.stoodStill("a server", 0, from, to)
	}
}

// everyWorker holds the processes of all fleets that there ever were.
var everyWorker sync.Map

// stoodStill notes that a process, or with 0 everything, stood still for a while.
func (f *fleet) stoodStill(who string, pid int, from, to time.Time) {
	f.t.Logf("%s (%d) got no time for %s at %s", who, pid, to.Sub(from).Round(time.Millisecond), from.Format("15:04:05.000"))
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range slices.Backward(f.acts) {
		if a.PID != pid {
			continue
		}
		if a.Kind == checker.Stop || a.Kind == checker.Kill || a.Kind == checker.Cut || a.Kind == checker.Exit {
			return // it is gone, or away: whatever happens meanwhile is accounted for
		}
		break
	}
	add := func(at time.Time, kind checker.Kind) {
		f.acts = append(f.acts, checker.Act{Time: at, Kind: kind, PID: pid})
	}
	add(from, checker.Stop)
	add(to, checker.Cont)
	if pid != 0 { // too short to count as frozen, perhaps, but not for a renewal to come late
		add(from, checker.Cut)
		add(to, checker.Heal)
	}
}
