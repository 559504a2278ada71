package chaos

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/e2e/fenced"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

const (
	// patience is how long a test waits for anything: long even for a loaded machine.
	patience = time.Minute

	// bound is what recovery may take besides the TTL, on a machine that has other things to do.
	bound = 3 * time.Second

	// skew is by how much a mix sets clocks wrong: well within what the product tolerates, failover.MaxSkew.
	skew = 2 * time.Second
)

// load is what runs on a fleet.
type load struct {
	places, jobs, shards int
	schedule             string
	work                 time.Duration
	ttl                  time.Duration // zero: the kind's
	drain                time.Duration // zero: longer than any work
	nodes                int           // zero: as the flag says
	varied               bool          // jobs differ in their policies; else every fire must complete, whatever happens
	skew                 time.Duration // by how much clocks will be wrong
	args                 []string      // more, for every worker
	environment          []string
}

// whole is the load of a mix: 5 instances, 20 jobs of 4 shards.
var whole = load{places: 5, jobs: 20, shards: 4, schedule: "0/2 * * * * ?", work: 700 * time.Millisecond, varied: true, skew: skew}

// small is the load of a row.
var small = load{places: 3, jobs: 4, shards: 4, schedule: "* * * * * ?", work: 300 * time.Millisecond}

// fleet is a store, a resource, and processes that share jobs.
type fleet struct {
	t        *testing.T
	kind     kind
	load     load
	members  []member
	resource *fenced.Server
	url      string // of the store, without a proxy
	dir      string
	binary   string
	args     []string // of every worker
	rand     *rand.Rand
	schedule cron.Schedule
	jobs     []elastic.Job

	environment []string
	command     func(*exec.Cmd) // changes how a worker is started
	places      []*place
	did         map[string]int               // faults, by what they are
	tolerate    func(checker.Violation) bool // what a row does not promise; nil: nothing
	patience    time.Duration
	putBack     bool // the store was: it gives fences again

	journal *os.File // that all workers write to; read from here
	rest    []byte   // the begin of a line
	lines   []checker.Line
	latest  map[shard]time.Time // the last fire that was completed

	mu      sync.Mutex
	workers []*worker // all that were ever started
	acts    []checker.Act
	died    []*worker // though nobody had told them to
}

// shard is one of a job's.
type shard struct {
	job  string
	item int
}

func of(l checker.Line) shard { return shard{l.Job, l.Shard} }

// newFleet starts a store of its own for a test, and no process yet.
func newFleet(t *testing.T, k kind, l load) *fleet {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	schedule, err := cron.Parse(l.schedule, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	seed := cmp.Or(*seedFlag, rand.Uint64N(1_000_000))
	t.Logf("seed %d", seed)
	l.ttl, l.nodes = cmp.Or(l.ttl, k.ttl), cmp.Or(l.nodes, *nodesFlag)
	f := &fleet{
		t: t, kind: k, load: l, dir: directory(t), binary: binary, schedule: schedule, jobs: l.list(),
		rand: rand.New(rand.NewPCG(seed, 0)), did: map[string]int{}, latest: map[shard]time.Time{}, environment: l.environment,
		patience: patience,
	}
	if f.resource, err = fenced.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.resource.Close)
	f.url = "file://" + filepath.Join(f.dir, "store")
	if !k.alone() {
		f.members = k.start(t, l.nodes)
		f.url = k.url(f.addrs())
	}
	f.prepare()
	t.Cleanup(func() {
		if t.Failed() {
			f.tell()
		}
	})
	f.watchMachine()
	return f
}

// list returns the jobs of the load.
func (l load) list() (all []elastic.Job) {
	for i := range l.jobs {
		j := elastic.Job{Name: fmt.Sprintf("job-%d", i), Schedule: l.schedule, Shards: l.shards, Failover: true, MaxAttempts: 100, Misfire: elastic.MisfireAll}
		switch {
		case !l.varied:
		case i%5 == 2:
			j.Misfire = elastic.MisfireOnce
		case i%5 == 3:
			j.Misfire = elastic.MisfireSkip
		case i%10 == 4:
			j.Failover = false
		}
		all = append(all, j)
	}
	return all
}

// prepare writes what the workers are told.
func (f *fleet) prepare() {
	text := "jobs:\n"
	for _, j := range f.jobs {
		text += fmt.Sprintf("  - {name: %s, schedule: %q, shards: %d, failover: %t, maxAttempts: %d, misfire: %s}\n",
			j.Name, j.Schedule, j.Shards, j.Failover, j.MaxAttempts, j.Misfire)
	}
	file := filepath.Join(f.dir, "jobs.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	var err error
	path := filepath.Join(f.dir, "journal")
	if f.journal, err = os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { f.journal.Close() })
	f.args = append([]string{
		"-jobs", file, "-work", f.load.work.String(), "-ttl", f.load.ttl.String(), "-drain", cmp.Or(f.load.drain, patience/4).String(),
		"-out", path, "-fenced", f.resource.URL(), "-log-level", "info",
	}, f.load.args...)
	if f.kind.alone() {
		f.args = append(f.args, "-schedulers", fmt.Sprint(f.load.places))
	}
}

// late is how much later than its TTL the store may end a session.
func (f *fleet) late() time.Duration { return f.kind.late(f.load.ttl) }

func (f *fleet) addrs() (all []string) {
	for _, m := range f.members {
		all = append(all, m.Addr())
	}
	return all
}

// start starts the processes of the load, and returns when every shard has run.
func (f *fleet) start() {
	f.t.Helper()
	n := f.load.places
	if f.kind.alone() {
		n = 1
	}
	for i := range n {
		f.place(fmt.Sprintf("w%d", i)).start()
	}
	f.awaitAll()
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
	text, err := io.ReadAll(f.journal)
	if err != nil {
		f.t.Fatal(err)
	}
	f.rest = append(f.rest, text...)
	end := bytes.LastIndexByte(f.rest, '\n') + 1
	lines, err := checker.ReadLines(bytes.NewReader(f.rest[:end]))
	if err != nil {
		f.t.Fatalf("%s: %v", f.journal.Name(), err)
	}
	f.rest = slices.Clone(f.rest[end:])
	f.lines = append(f.lines, lines...)
	for _, l := range lines {
		if l.Event == "end" && l.Outcome == "ok" && l.Fire.After(f.latest[of(l)]) {
			f.latest[of(l)] = l.Fire
		}
	}
	f.mu.Lock()
	died := f.died
	f.died = nil
	f.mu.Unlock()
	for _, w := range died {
		if !w.cameTooEarly() || w.place.worker != w {
			f.t.Fatalf("%s ended by itself: %s", w, w.cmd.ProcessState)
		}
		f.act(time.Now(), checker.Exit, w)
		f.did["start in vain"]++
		w.place.start()
	}
}

// await waits until something is so.
func (f *fleet) await(what string, ok func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(f.patience); ; time.Sleep(5 * time.Millisecond) {
		f.look()
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("waited %v in vain for %s", f.patience, what)
		}
	}
}

// awaitLine waits for a line, the n-th or a later one, that is as wanted.
func (f *fleet) awaitLine(n int, what string, wanted func(l checker.Line) bool) (found checker.Line) {
	f.t.Helper()
	f.await(what, func() bool {
		for ; n < len(f.lines); n++ {
			if wanted(f.lines[n]) {
				found = f.lines[n]
				return true
			}
		}
		return false
	})
	return found
}

// next waits for a line that is not there yet.
func (f *fleet) next(what string, wanted func(l checker.Line) bool) checker.Line {
	f.t.Helper()
	f.look()
	return f.awaitLine(len(f.lines), what, wanted)
}

// awaitStart waits until a place's process starts a run.
func (f *fleet) awaitStart(p *place) checker.Line {
	f.t.Helper()
	return f.next("a start by "+p.worker.String(), func(l checker.Line) bool { return l.Event == "start" && l.PID == p.pid() })
}

// awaitRepeat waits for the next attempt of a run.
func (f *fleet) awaitRepeat(run checker.Line) checker.Line {
	f.t.Helper()
	return f.awaitLine(0, fmt.Sprintf("another attempt of %s/%d, %s", run.Job, run.Shard, run), func(l checker.Line) bool {
		return l.Event == "start" && of(l) == of(run) && l.Fire.Equal(run.Fire) && l.Attempt > run.Attempt
	})
}

// unfinished returns the starts of a process that have no end.
func (f *fleet) unfinished(w *worker) (starts []checker.Line) {
	f.look()
	type claim struct {
		shard
		fence uint64
	}
	ended := map[claim]bool{}
	for _, l := range f.lines {
		if l.Event == "end" && l.PID == w.pid() {
			ended[claim{of(l), l.Fence}] = true
		}
	}
	for _, l := range f.lines {
		if l.Event == "start" && l.PID == w.pid() && !ended[claim{of(l), l.Fence}] {
			starts = append(starts, l)
		}
	}
	return starts
}

// awaitAll waits until every shard has completed what is due; a fire that is due for little more than a run takes does not count.
func (f *fleet) awaitAll() {
	f.t.Helper()
	f.await("every shard to have completed what is due", func() bool {
		return f.completed(time.Now().Add(-f.load.work - bound/2))
	})
}

// awaitQuiet waits for a moment at which every shard has completed all that is due, and nothing more is for a while.
func (f *fleet) awaitQuiet() (now time.Time) {
	f.t.Helper()
	const while = 400 * time.Millisecond // to ask everybody to leave
	f.await("every shard to have completed all that is due", func() bool {
		now = time.Now()
		return f.schedule.Next(now).Sub(now) >= while && f.completed(now)
	})
	return now
}

// completed says whether every shard has completed the last fire that was due at a time.
func (f *fleet) completed(by time.Time) bool {
	due := time.Time{}
	for at := f.schedule.Next(by.Add(-time.Minute)); !at.After(by); at = f.schedule.Next(at) {
		due = at
	}
	for _, j := range f.jobs {
		for item := range j.Shards {
			if f.latest[shard{j.Name, item}].Before(due) {
				return false
			}
		}
	}
	return true
}

// finish lets the fleet settle, has everybody leave, and has the checkers look at it all.
func (f *fleet) finish() figures {
	f.t.Helper()
	h := f.settle()
	log := f.resource.Log()
	tolerated := 0
	found := slices.DeleteFunc(h.Check(), func(v checker.Violation) bool {
		if f.tolerate == nil || !f.tolerate(v) {
			return false
		}
		if tolerated++; tolerated <= 3 {
			f.t.Logf("not promised otherwise: %s", v)
		}
		return true
	})
	if tolerated > 3 {
		f.t.Logf("and %d more like that", tolerated-3)
	}
	wrong := fenced.Check(log)
	if !f.putBack {
		wrong = append(wrong, fenced.Shared(log)...)
	}
	told := map[shard]bool{}
	for _, v := range found {
		if f.t.Error(v); v.Shard >= 0 && len(told) < 3 && !told[shard{v.Job, v.Shard}] {
			told[shard{v.Job, v.Shard}] = true
			f.t.Logf("the life of shard %d of %s:\n%s", v.Shard, v.Job, h.Life(v.Job, v.Shard))
		}
	}
	for _, w := range wrong {
		f.t.Errorf("the resource: %s", w)
	}
	f.write(h, len(found)+len(wrong) > 0)
	g := tally(h, found, log, wrong)
	g.run, g.did = f.t.Name(), f.did
	g.report(f.t)
	return g
}

// settle waits until nothing is left of what was done, has everybody leave, and returns what happened.
func (f *fleet) settle() checker.History {
	f.t.Helper()
	f.awaitAll()
	if !f.kind.alone() {
		f.await("instances that are gone to be gone from the store", func() bool {
			ok := f.onlyTheLiving()
			if !ok {
				time.Sleep(100 * time.Millisecond) // each look is a read of the store
			}
			return ok
		})
	}
	end := f.awaitQuiet()
	var leaving []*worker
	for _, w := range f.workers {
		if w.running() {
			w.ask()
			leaving = append(leaving, w)
		}
	}
	for _, w := range leaving {
		w.gone()
	}
	f.look()
	f.mu.Lock()
	h := checker.History{
		Lines: f.lines, Acts: slices.Clone(f.acts), TTL: f.load.ttl, Bound: bound + f.late() + f.load.skew, End: end,
	}
	f.mu.Unlock()
	h.Final = f.content("")
	return h
}

// onlyTheLiving says whether the store holds no instance of a process that is gone.
func (f *fleet) onlyTheLiving() bool {
	living := map[int]bool{}
	for _, p := range f.places {
		living[p.pid()] = p.running()
	}
	for _, e := range f.content(layout.Instances) {
		if i, err := layout.DecodeInstance(e.Value); err == nil && !living[i.PID] {
			return false
		}
	}
	return true
}

// open opens the store, without a proxy.
func (f *fleet) open(ctx context.Context) store.Store {
	f.t.Helper()
	s, err := store.Open(ctx, f.url)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// content returns what the store holds.
func (f *fleet) content(prefix string) []store.Entry {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s := f.open(ctx)
	defer s.Close(ctx)
	entries, err := s.List(ctx, prefix)
	if err != nil {
		f.t.Fatal(err)
	}
	return entries
}

// write keeps a history to be looked at, or to become a test of the checker: one that is not as promised even if nobody asked.
func (f *fleet) write(h checker.History, bad bool) {
	path := filepath.Join(f.dir, "history.txt")
	if bad && *keepFlag == "" {
		path = filepath.Join(os.TempDir(), "elastic-chaos-"+filepath.Base(f.t.Name())+".txt")
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

// tell shows what there is to see of a test that failed.
func (f *fleet) tell() {
	for _, p := range f.places {
		f.t.Logf("the end of what %s said:\n%s", p.name, p.tail())
	}
	var b bytes.Buffer
	for _, l := range f.lines[max(0, len(f.lines)-20):] {
		fmt.Fprintf(&b, "%s %-5s %s/%d %s %s\n", l.Time.Format("15:04:05.000"), l.Event, l.Job, l.Shard, l, l.Outcome)
	}
	f.t.Logf("the last lines of the journal:\n%s", &b)
}

// until waits for a moment at which something is to be done.
func until(at time.Time) { time.Sleep(time.Until(at)) }
