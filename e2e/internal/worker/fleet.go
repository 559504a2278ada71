package worker

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/store"
)

var (
	seedFlag = flag.Uint64("seed", 0, "draws the same faults and victims again; 0: draw a seed")
	keepFlag = flag.String("keep", "", "directory that takes the journal of every test, and what the workers say")
)

// Settings are the differences between fleets.
type Settings struct {
	Jobs     map[string]int // how many shards each has
	Schedule cron.Schedule  // of all
	Patience time.Duration  // how long a test waits for anything
	TTL      time.Duration  // of sessions
	Bound    time.Duration  // what recovery may take besides the TTL: see checker.History
}

// Fleet is a set of processes that share jobs on a store, with a record of
// their faults and journals. It is used by one goroutine, that of its test;
// only Act may be called by others.
type Fleet struct {
	Settings
	Dir     string // takes what the fleet writes
	Journal string // the file that all workers write what their handlers do to; it is there
	Binary  string // of the worker
	URL     string // of the store; set it before the store is read
	Rand    *rand.Rand

	// Revive is called for a process that has ended unexpectedly, and reports
	// whether it has been restarted. If it is nil, the test fails.
	Revive func(*Process) bool

	Lines  []checker.Line      // what was read of the journal
	Latest map[Shard]time.Time // the last fire that each shard has completed, by Lines

	t       *testing.T
	began   time.Time
	leaving time.Duration // how long a process may take to leave
	journal *os.File
	rest    []byte // the begin of a line

	mu        sync.Mutex
	processes []*Process // all that were ever started
	acts      []checker.Act
}

// Shard is one of a job's.
type Shard struct {
	Job  string
	Item int
}

// Of returns the shard that a line is about.
func Of(l checker.Line) Shard { return Shard{l.Job, l.Shard} }

// Seed returns the seed that was asked for, or draws one.
func Seed() uint64 { return cmp.Or(*seedFlag, rand.Uint64N(1_000_000)) }

// NewFleet returns a fleet without a store and without processes. If the test
// fails, its logs are printed.
func NewFleet(t *testing.T, s Settings) *Fleet {
	t.Helper()
	binary, err := Binary()
	if err != nil {
		t.Fatal(err)
	}
	seed := Seed()
	t.Logf("seed %d", seed)
	f := &Fleet{
		t:        t,
		Settings: s,
		began:    time.Now(),
		leaving:  s.Patience,
		Dir:      directory(t),
		Binary:   binary,
		Rand:     rand.New(rand.NewPCG(seed, 0)),
		Latest:   map[Shard]time.Time{},
	}
	f.Journal = filepath.Join(f.Dir, "journal")
	f.journal, err = os.OpenFile(f.Journal, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.journal.Close() })
	t.Cleanup(func() {
		f.tellStandstills()
		if t.Failed() {
			f.tell()
		}
	})
	return f
}

// directory is where a test's processes write.
func directory(t *testing.T) string {
	t.Helper()
	if *keepFlag == "" {
		return t.TempDir()
	}
	dir, err := filepath.Abs(filepath.Join(*keepFlag, t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (f *Fleet) log(name string) string { return filepath.Join(f.Dir, name+".log") }

// Act notes what was done to a process; nil is the store.
func (f *Fleet) Act(at time.Time, kind checker.Kind, p *Process) {
	a := checker.Act{Time: at, Kind: kind}
	if p != nil {
		a.PID = p.PID()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acts = append(f.acts, a)
}

// Processes returns all that were ever started, in their order.
func (f *Fleet) Processes() []*Process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.processes)
}

// Running returns those that have not ended.
func (f *Fleet) Running() []*Process {
	return slices.DeleteFunc(f.Processes(), func(p *Process) bool { return !p.Running() })
}

// LeaveAll drains all processes, and waits until they have ended.
func (f *Fleet) LeaveAll() {
	f.t.Helper()
	all := f.Running()
	for _, p := range all {
		p.Ask()
	}
	for _, p := range all {
		p.Gone()
	}
}

// NoneDied fails the test if a process has ended unexpectedly and is not
// revived.
func (f *Fleet) NoneDied() {
	f.t.Helper()
	for _, p := range f.Processes() {
		if p.Running() || f.mayEnd(p) {
			continue
		}
		if f.Revive == nil || !f.Revive(p) {
			f.t.Fatalf("%s ended by itself: %s", p, p.cmd.ProcessState)
		}
		p.MayEnd()
	}
}

func (f *Fleet) mayEnd(p *Process) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return p.may
}

// Open opens the store.
func (f *Fleet) Open(ctx context.Context) store.Store {
	f.t.Helper()
	s, err := store.Open(ctx, f.URL)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// Content returns the content of the store.
func (f *Fleet) Content(prefix string) []store.Entry {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), f.Patience)
	defer cancel()
	s := f.Open(ctx)
	defer s.Close(ctx)
	entries, err := s.List(ctx, prefix)
	if err != nil {
		f.t.Fatal(err)
	}
	return entries
}

// History returns what has happened so far: everything but the end, and what
// the store holds then. Times without CPU time count as faults.
func (f *Fleet) History() checker.History {
	f.mu.Lock()
	defer f.mu.Unlock()
	acts := slices.Concat(f.acts, frozen(f.acts, f.standstills()))
	return checker.History{Lines: f.Lines, Acts: acts, TTL: f.TTL, Bound: f.Bound}
}

// Report fails the test with the breaches of a history, and prints the
// histories of the first shards concerned.
func (f *Fleet) Report(h checker.History, found []checker.Violation) {
	f.t.Helper()
	told := map[Shard]bool{}
	for _, v := range found {
		f.t.Error(v)
		if of := (Shard{v.Job, v.Shard}); v.Shard >= 0 && len(told) < 3 && !told[of] {
			told[of] = true
			f.t.Logf("the life of shard %d of %s:\n%s", v.Shard, v.Job, h.Life(v.Job, v.Shard))
		}
	}
}

// Keep writes a history to a file, for inspection or as a test of the checker.
// A history with a breach is always written.
func (f *Fleet) Keep(h checker.History, bad bool) {
	f.t.Helper()
	path := filepath.Join(f.Dir, "history.txt")
	if bad && *keepFlag == "" {
		path = filepath.Join(os.TempDir(), "elastic-"+strings.ReplaceAll(f.t.Name(), "/", "-")+".txt")
	}
	file, err := os.Create(path)
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close()
	if err := h.Write(file); err != nil {
		f.t.Fatal(err)
	}
	if bad {
		f.t.Logf("the whole history: %s", path)
	}
}

// tell prints the logs of a failed test.
func (f *Fleet) tell() {
	told := map[string]bool{}
	for _, p := range f.Processes() {
		if !told[p.Name] {
			told[p.Name] = true
			f.t.Logf("the end of what %s said:\n%s", p.Name, p.Tail())
		}
	}
	var b bytes.Buffer
	for _, l := range f.Lines[max(0, len(f.Lines)-40):] {
		fmt.Fprintf(&b, "%s %-5s %s/%d %s %s\n", l.Time.Format("15:04:05.000"), l.Event, l.Job, l.Shard, l, l.Outcome)
	}
	f.t.Logf("the last lines of the journal:\n%s", &b)
}
