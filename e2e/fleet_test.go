package e2e

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
	seedFlag = flag.Uint64("seed", 0, "draws the same victims again; 0: draw a seed")
	keepFlag = flag.String("keep", "", "directory that takes the journal of every test, and what the workers say")
)

const (
	// patience is how long a test waits for anything: long even for a loaded machine.
	patience = 30 * time.Second

	// bound is what recovery may take besides the TTL and what the store takes longer than that. It has room for etcd,
	// which looks for sessions that are over twice a second, and for a busy machine.
	bound = 3 * time.Second
)

// settings are what tests differ in.
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
	t        *testing.T
	settings settings
	server   server // nil if the store needs none
	etcd     server // the same, in tests that are of etcd alone
	url      string
	dir      string
	binary   string
	args     []string // of every worker
	rand     *rand.Rand
	schedule cron.Schedule

	journal string // the file that all workers write what their handlers do to
	read    int    // bytes of it
	lines   []checker.Line

	mu      sync.Mutex
	workers []*worker // all that were ever started
	acts    []checker.Act
	died    []*worker // though nobody had told them to
}

// job is the name of the job that a fleet runs.
const job = "report"

// newFleet starts a store of its own for a test, and no process yet.
func newFleet(t *testing.T, s settings) *fleet {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	schedule, err := cron.Parse(s.schedule, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	seed := cmp.Or(*seedFlag, rand.Uint64())
	t.Logf("seed %d", seed)
	if s.on.name == "" {
		s.on = kinds[0]
	}
	f := &fleet{t: t, settings: s, dir: directory(t), binary: binary, rand: rand.New(rand.NewPCG(seed, 0)), schedule: schedule}
	if s.on.start == nil {
		f.url = s.on.url(filepath.Join(f.dir, "store"))
	} else {
		f.server = s.on.start(t)
		f.etcd, f.url = f.server, s.on.url(f.server.Addr())
	}
	f.journal = filepath.Join(f.dir, "journal")
	f.args = []string{
		"-job", job, "-schedule", s.schedule, "-shards", fmt.Sprint(s.shards), "-work", s.work.String(),
		"-misfire", "all", "-max-attempts", "100", // so that every fire must complete, whatever happens
		"-ttl", s.ttl.String(), "-drain", cmp.Or(s.drain, patience/2).String(), "-out", f.journal, "-log-level", "debug",
	}
	t.Cleanup(func() {
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
	dir := filepath.Join(*keepFlag, t.Name())
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// act notes what was done to a process; nil is the store.
func (f *fleet) act(at time.Time, kind checker.Kind, w *worker) {
	a := checker.Act{Time: at, Kind: kind}
	if w != nil {
		a.PID = w.pid()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acts = append(f.acts, a)
}

// look reads what handlers have written since the last time.
func (f *fleet) look() {
	f.t.Helper()
	text, err := os.ReadFile(f.journal)
	if os.IsNotExist(err) {
		return
	}
	if err != nil {
		f.t.Fatal(err)
	}
	end := bytes.LastIndexByte(text, '\n') + 1
	if end <= f.read {
		return
	}
	lines, err := checker.ReadLines(bytes.NewReader(text[f.read:end]))
	if err != nil {
		f.t.Fatalf("%s: %v", f.journal, err)
	}
	f.read, f.lines = end, append(f.lines, lines...)

	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.died) > 0 {
		f.fatalf("%s ended by itself: %s", f.died[0], f.died[0].cmd.ProcessState)
	}
}

// await waits until something is so.
func (f *fleet) await(what string, ok func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		f.look()
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			f.fatalf("waited %v in vain for %s", patience, what)
		}
	}
}

// awaitLine waits for a line, the n-th or a later one, that is as wanted.
func (f *fleet) awaitLine(n int, what string, wanted func(l checker.Line) bool) (found checker.Line) {
	f.t.Helper()
	f.await(what, func() bool {
		i := slices.IndexFunc(f.lines[n:], wanted)
		if i >= 0 {
			found = f.lines[n+i]
		}
		return i >= 0
	})
	return found
}

// awaitStart waits for the next start of a shard; -1 is any.
func (f *fleet) awaitStart(shard int) checker.Line {
	f.t.Helper()
	f.look()
	return f.awaitLine(len(f.lines), fmt.Sprintf("a start of shard %d", shard), func(l checker.Line) bool {
		return l.Event == "start" && (shard < 0 || l.Shard == shard)
	})
}

// awaitRepeat waits for the next attempt of a run.
func (f *fleet) awaitRepeat(of checker.Line) checker.Line {
	f.t.Helper()
	return f.awaitLine(0, fmt.Sprintf("another attempt of %s", of), func(l checker.Line) bool {
		return l.Event == "start" && l.Shard == of.Shard && l.Fire.Equal(of.Fire) && l.Attempt == of.Attempt+1
	})
}

// ended says whether a run has said that it ended.
func (f *fleet) ended(of checker.Line) bool {
	return slices.ContainsFunc(f.lines, func(l checker.Line) bool {
		return l.Event == "end" && l.Shard == of.Shard && l.Fence == of.Fence
	})
}

// unfinished returns the starts of a process that have no end.
func (f *fleet) unfinished(w *worker) (starts []checker.Line) {
	for _, l := range f.lines {
		if l.Event == "start" && l.PID == w.pid() && !f.ended(l) {
			starts = append(starts, l)
		}
	}
	return starts
}

// worker returns the process that wrote a line.
func (f *fleet) worker(l checker.Line) *worker {
	f.t.Helper()
	for _, w := range f.workers {
		if w.pid() == l.PID {
			return w
		}
	}
	f.fatalf("no such process: %s", l)
	return nil
}

// awaitAll waits until every shard has completed what is due.
func (f *fleet) awaitAll() {
	f.t.Helper()
	f.await("every shard to have completed what is due", func() bool {
		// The last due fire; one that is due for less than a run takes can't have been completed.
		latest, now := time.Time{}, time.Now()
		for at := f.schedule.Next(now.Add(-time.Minute)); !at.After(now); at = f.schedule.Next(at) {
			latest = at
		}
		done := map[int]bool{}
		for _, l := range f.lines {
			if l.Event == "end" && l.Outcome == "ok" && l.Fire.Equal(latest) {
				done[l.Shard] = true
			}
		}
		return len(done) == f.settings.shards
	})
}

// finish lets the fleet settle, has everybody leave, and has the checker look at it all.
func (f *fleet) finish() checker.History {
	f.t.Helper()
	for _, w := range f.workers {
		if w.running() {
			f.awaitLine(0, fmt.Sprintf("a line of %s", w), func(l checker.Line) bool { return l.PID == w.pid() })
		}
	}
	f.awaitAll()
	f.awaitFuneral()
	end := time.Now()
	var left []*worker
	for _, w := range f.workers {
		if w.running() {
			w.ask()
			left = append(left, w)
		}
	}
	for _, w := range left {
		w.gone()
	}
	f.look()
	h := f.history()
	h.End, h.Final = end, f.content()
	found := h.Check()
	shards := map[int]bool{}
	for _, v := range found {
		f.t.Error(v)
		if v.Shard >= 0 && !shards[v.Shard] {
			shards[v.Shard] = true
			f.t.Logf("the life of shard %d:\n%s", v.Shard, h.Life(job, v.Shard))
		}
	}
	f.write(h, len(found) > 0)
	f.t.Logf("%d runs, %d things done to processes; %s", len(h.Lines)/2, len(h.Acts), f.recoveries())
	return h
}

// awaitFuneral waits until the store has ended the sessions of processes that were killed, and those that were lost while it was away, or until
// it should have: what it holds after that is the checker's to judge.
func (f *fleet) awaitFuneral() {
	f.t.Helper()
	if f.server == nil {
		return // they end when the next process begins
	}
	h := f.history()
	last, running := time.Time{}, 0
	for _, a := range h.Acts {
		if process := a.PID != 0; a.Kind == checker.Kill && process || a.Kind == checker.Start && !process {
			last = a.Time
		}
	}
	for _, w := range f.workers {
		if w.running() {
			running++
		}
	}
	for end := last.Add(h.TTL + h.Bound); time.Now().Before(end); until(time.Now().Add(50 * time.Millisecond)) {
		instances := 0
		for _, e := range f.content() {
			if strings.HasPrefix(e.Key, "instances/") {
				instances++
			}
		}
		if instances == running {
			return
		}
	}
}

// write keeps a history to be looked at, or to become a test of the checker: one that is not as promised even if nobody asked.
func (f *fleet) write(h checker.History, bad bool) {
	path := filepath.Join(f.dir, "history.txt")
	if bad && *keepFlag == "" {
		path = filepath.Join(os.TempDir(), "elastic-e2e-"+strings.ReplaceAll(f.t.Name(), "/", "-")+".txt")
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

func (f *fleet) history() checker.History {
	f.mu.Lock()
	defer f.mu.Unlock()
	return checker.History{Lines: f.lines, Acts: slices.Clone(f.acts), TTL: f.settings.ttl, Bound: bound + f.settings.on.late(f.settings.ttl)}
}

// content returns what the store holds.
func (f *fleet) content() []store.Entry {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := store.Open(ctx, f.url)
	if err != nil {
		f.t.Fatal(err)
	}
	defer s.Close(ctx)
	entries, err := s.List(ctx, "")
	if err != nil {
		f.t.Fatal(err)
	}
	return entries
}

// recoveries says how long after a process was lost its runs began elsewhere.
func (f *fleet) recoveries() string {
	var took []time.Duration
	for _, a := range f.acts {
		if a.Kind != checker.Kill && a.Kind != checker.Stop && a.Kind != checker.Cut {
			continue
		}
		for _, l := range f.lines {
			if l.Event != "start" || l.PID != a.PID || l.Time.After(a.Time) {
				continue
			}
			for _, again := range f.lines {
				if again.Event == "start" && again.Shard == l.Shard && again.Fire.Equal(l.Fire) && again.Attempt == l.Attempt+1 && again.Time.After(a.Time) {
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
		len(took), round(took[len(took)/2]), round(took[0]), round(took[len(took)-1]), f.settings.ttl)
}

// fatalf ends the test; what helps to find out why is told when it ends.
func (f *fleet) fatalf(format string, a ...any) {
	f.t.Helper()
	f.t.Fatalf(format, a...)
}

// tell shows what there is to see of a test that failed.
func (f *fleet) tell() {
	told := map[string]bool{}
	for _, w := range f.workers {
		if !told[w.name] {
			told[w.name] = true
			f.t.Logf("the end of what %s said:\n%s", w.name, w.tail())
		}
	}
	var b bytes.Buffer
	for _, l := range f.lines[max(0, len(f.lines)-40):] {
		fmt.Fprintf(&b, "%s %-5s shard %d %s %s\n", l.Time.Format("15:04:05.000"), l.Event, l.Shard, l, l.Outcome)
	}
	f.t.Logf("the last lines of the journal:\n%s", &b)
}
