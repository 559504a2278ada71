package e2e

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/e2e/internal/worker"
	"github.com/elasticjob-go/elastic/internal/checker"
)

const (
	// patience bounds each wait of a test. It is long even for an overloaded
	// machine.
	patience = 30 * time.Second

	// bound is the time that a recovery may take beyond the TTL and the delay
	// of the store. It leaves room for etcd, which looks for ended sessions
	// twice a second, and for a busy machine.
	bound = 3 * time.Second
)

// settings are the differences between tests.
type settings struct {
	shards   int
	schedule string
	work     time.Duration
	ttl      time.Duration
	drain    time.Duration // zero: longer than any work
	on       kind          // of store; zero is etcd
}

// fleet is a store, and processes that share a job on it.
type fleet struct {
	*worker.Fleet
	t        *testing.T
	settings settings
	server   server   // nil if the store needs none
	etcd     server   // the same, in tests that are of etcd alone
	args     []string // of every worker
}

// job is the name of the job that a fleet runs.
const job = "report"

// newFleet starts a new store for a test, and no process yet.
func newFleet(t *testing.T, s settings) *fleet {
	t.Helper()
	schedule, err := cron.Parse(s.schedule, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	if s.on.name == "" {
		s.on = kinds[0]
	}
	f := &fleet{t: t, settings: s}
	f.Fleet = worker.NewFleet(t, worker.Settings{
		Jobs:     map[string]int{job: s.shards},
		Schedule: schedule,
		Patience: patience,
		TTL:      s.ttl,
		Bound:    bound + s.on.late(s.ttl),
	})
	if s.on.start == nil {
		f.URL = s.on.url(filepath.Join(f.Dir, "store"))
	} else {
		f.server = s.on.start(t)
		f.etcd, f.URL = f.server, s.on.url(f.server.Addr())
	}
	f.args = []string{
		"-job", job, "-schedule", s.schedule, "-shards", fmt.Sprint(s.shards), "-work", s.work.String(),
		"-misfire", "all", "-max-attempts", "100", // so that every fire must complete, whatever happens
		"-ttl", s.ttl.String(), "-drain", cmp.Or(s.drain, patience/2).String(),
		"-out", f.Journal, "-log-level", "debug",
	}
	return f
}

// start starts a process. Its name can be that of one that has ended.
func (f *fleet) start(name string) *worker.Process {
	f.t.Helper()
	return f.startOn(name, f.URL)
}

// startOn starts a process that reaches the store by a URL of its own.
func (f *fleet) startOn(name, url string) *worker.Process {
	f.t.Helper()
	return f.Start(name, slices.Concat(f.args, []string{"-name", name, "-store", url}), nil)
}

// awaitStart waits for the next start of a shard; -1 is any.
func (f *fleet) awaitStart(shard int) checker.Line {
	f.t.Helper()
	return f.Next(fmt.Sprintf("a start of shard %d", shard), func(l checker.Line) bool {
		return l.Event == "start" && (shard < 0 || l.Shard == shard)
	})
}

// awaitRepeat waits for the next attempt of a run.
func (f *fleet) awaitRepeat(of checker.Line) checker.Line {
	f.t.Helper()
	return f.AwaitLine(0, fmt.Sprintf("another attempt of %s", of), func(l checker.Line) bool {
		return l.Event == "start" && l.Shard == of.Shard && l.Fire.Equal(of.Fire) && l.Attempt == of.Attempt+1
	})
}

// ended reports whether the journal has the end of a run.
func (f *fleet) ended(of checker.Line) bool {
	return slices.ContainsFunc(f.Lines, func(l checker.Line) bool {
		return l.Event == "end" && l.Shard == of.Shard && l.Fence == of.Fence
	})
}

// worker returns the process that wrote a line.
func (f *fleet) worker(l checker.Line) *worker.Process {
	f.t.Helper()
	for _, w := range f.Processes() {
		if w.PID() == l.PID {
			return w
		}
	}
	f.t.Fatalf("no such process: %s", l)
	return nil
}

// awaitAll waits until every shard has completed what is due.
func (f *fleet) awaitAll() {
	f.t.Helper()
	f.Await("every shard to have completed what is due", func() bool { return f.Completed(time.Now()) })
}

// finish lets the fleet settle, drains all processes, and runs the checker.
func (f *fleet) finish() checker.History {
	f.t.Helper()
	f.AwaitEverybody()
	f.awaitAll()
	f.awaitFuneral()
	end := f.AwaitQuiet()
	f.LeaveAll()
	f.Look()
	h := f.History()
	h.End, h.Final = end, f.Content("")
	found := h.Check()
	f.Report(h, found)
	f.Keep(h, len(found) > 0)
	f.t.Logf("%d runs, %d things done to processes; %s", len(h.Lines)/2, len(h.Acts), recoveries(h))
	return h
}

// awaitFuneral waits until the store has ended the sessions of processes that
// were killed, and those that were lost while it was away, or until it should
// have: what it holds after that is the checker's to judge.
func (f *fleet) awaitFuneral() {
	f.t.Helper()
	if f.server == nil {
		return // they end when the next process begins
	}
	over := func() time.Time { // a store that gets no time comes back later
		h, last := f.History(), time.Time{}
		for _, a := range h.Acts {
			back := a.PID == 0 && (a.Kind == checker.Start || a.Kind == checker.Cont)
			if (back || a.PID != 0 && a.Kind == checker.Kill) && a.Time.After(last) {
				last = a.Time
			}
		}
		return last.Add(h.TTL + h.Bound)
	}
	running := len(f.Running())
	for time.Now().Before(over()) {
		instances := 0
		for _, e := range f.Content("") {
			if strings.HasPrefix(e.Key, "instances/") {
				instances++
			}
		}
		if instances == running {
			return
		}
		worker.Until(time.Now().Add(50 * time.Millisecond))
	}
}

// recoveries says how long after a process was lost its runs began elsewhere.
func recoveries(h checker.History) string {
	var took []time.Duration
	for _, a := range h.Acts {
		if a.Kind != checker.Kill && a.Kind != checker.Stop && a.Kind != checker.Cut {
			continue
		}
		for _, l := range h.Lines {
			if l.Event != "start" || l.PID != a.PID || l.Time.After(a.Time) {
				continue
			}
			for _, again := range h.Lines {
				if again.Event == "start" && again.Shard == l.Shard && again.Fire.Equal(l.Fire) &&
					again.Attempt == l.Attempt+1 && again.Time.After(a.Time) {
					took = append(took, again.Time.Sub(a.Time))
				}
			}
		}
	}
	if len(took) == 0 {
		return "no run was cut off"
	}
	slices.Sort(took)
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
	return fmt.Sprintf("%d runs were cut off and began again after %v (median; %v to %v; the TTL is %v)",
		len(took), round(took[len(took)/2]), round(took[0]), round(took[len(took)-1]), h.TTL)
}
