package sim

import (
	"cmp"
	"container/heap"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store/memory"
)

// World is one run of a plan. It must be made and run in a bubble of testing/synctest.
type World struct {
	plan    Plan
	dice    dice
	server  *memory.Server
	admin   *memory.Client // an operator's, which nothing happens to
	gate    *gate
	started time.Time
	actions actions
	ordered int       // actions ever
	stays   int       // the place of an instance that is there in the calm, whatever happens
	closing bool      // all leave
	last    time.Time // when something was let go last
	calm    atomic.Bool

	nodes []*node // by place; nil: down
	all   []*node
	boots []int

	mu       sync.Mutex
	audit    *checker.Audit
	runs     map[place][]*execution
	fences   map[place]uint64   // the greatest that the resource has seen
	rows     map[string][]row   // by job
	missed   map[place][]missed // the fires that an instance has reported as missed
	asked    map[string][]trigger
	told     map[string]layout.Spec // what jobs are told in the plan: number of shards, schedule and policies can be others by now
	changed  map[string]bool        // jobs whose spec was changed: not all of their fires are due any more
	orphaned map[string]bool        // jobs that nobody could have in the calm: what ran when the last one died waits for one who can
	found    []checker.Violation
	counts   map[string]int
	tracing  bool
	pending  []entry
	trace    []entry
	leavers  []*node
	asking   sync.WaitGroup // those who wait for a trigger's number
}

// place is a shard of a job.
type place struct {
	job   string
	shard int
}

// Result is what came of a run.
type Result struct {
	Plan   Plan
	Found  []checker.Violation
	Counts map[string]int // how often what happened
	Trace  []string       // if it was asked for
	Took   time.Duration  // of virtual time
	Steps  int
}

// Run runs a plan in the bubble that it is called in.
func Run(p Plan, tracing bool) Result {
	options := []memory.Option{memory.MaxOps(p.MaxOps)}
	if p.Weak {
		options = append(options, memory.WeakVersions(), memory.FirstConflict(), memory.NoDigest())
	}
	if p.Torn {
		options = append(options, memory.TornLists(2, time.Millisecond))
	}
	w := &World{
		plan: p, dice: dice(p.Seed).of("world"), server: memory.NewServer(options...), gate: newGate(), started: time.Now(),
		nodes: make([]*node, p.Nodes), boots: make([]int, p.Nodes), audit: checker.NewAudit(operator),
		runs: map[place][]*execution{}, fences: map[place]uint64{}, rows: map[string][]row{}, missed: map[place][]missed{}, changed: map[string]bool{}, asked: map[string][]trigger{},
		told: map[string]layout.Spec{}, orphaned: map[string]bool{}, counts: map[string]int{}, tracing: tracing,
	}
	w.audit.Skew = p.skew()
	for _, j := range p.Jobs {
		w.told[j.Name] = j.Spec
	}
	w.stays = w.dice.of("stays").below(p.Nodes)
	w.server.OnCommit(w.committed)
	w.admin = w.server.Connect(operator)
	w.run()
	r := Result{Plan: p, Found: append(w.found, w.audit.Found...), Counts: w.counts, Took: time.Since(w.started), Steps: w.counts["step"]}
	slices.SortStableFunc(r.Found, func(a, b checker.Violation) int { return a.Time.Compare(b.Time) })
	for _, e := range w.trace {
		r.Trace = append(r.Trace, e.at.Sub(w.started).String()+" "+e.source+": "+e.text)
	}
	return r
}

const operator = "operator"

func (w *World) run() {
	defer w.tidyUp()
	for i := range w.nodes {
		w.after(w.dice.of("boot").nth(uint64(i)).upTo(500*time.Millisecond), func() { w.up(i) })
	}
	for _, f := range w.plan.Faults {
		w.after(f.At, func() { w.strike(f) })
	}
	for _, next := range []func(){
		func() { w.drive(w.plan.Length) },
		w.settle,
		func() { w.drive(w.plan.Length + w.plan.Calm) },
		w.judge,
		w.close,
	} {
		if next(); w.broken() {
			return // what follows from a broken invariant says nothing
		}
	}
}

func (w *World) broken() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.found)+len(w.audit.Found) > 0
}

// endless is more steps than any run needs by far. What takes more goes in circles.
const endless = 400_000

// tidyUp ends everything, so that the bubble can.
func (w *World) tidyUp() {
	for _, n := range w.all {
		w.gate.condemn(n)
		n.client.Crash()
		n.stop()
	}
	w.gate.disband()
	for _, n := range w.all {
		<-n.done
	}
	w.asking.Wait()
	time.Sleep(hang + w.plan.Works.Longest) // handlers that hear nothing
	_ = w.admin.Close(context.Background())
}

// drive lets things happen until a time since the start.
func (w *World) drive(until time.Duration) {
	w.driveUntil(w.started.Add(until), func() bool { return false })
}

func (w *World) driveUntil(end time.Time, enough func() bool) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		synctest.Wait()
		w.flush()
		w.reap()
		now := time.Now()
		if !now.Before(end) || enough() || w.broken() {
			return
		}
		next := end
		act := len(w.actions) > 0 && !w.actions[0].at.After(now)
		if len(w.actions) > 0 && w.actions[0].at.Before(next) {
			next = w.actions[0].at
		}
		t := w.gate.first()
		if t != nil && t.due.Before(next) {
			next = t.due
		}
		switch {
		case next.After(now):
			timer.Reset(next.Sub(now))
			select {
			case <-w.gate.came:
			case <-timer.C:
			}
		case now.Equal(w.last):
			time.Sleep(1 * time.Nanosecond) // so that no two things happen at one time
		case act:
			w.last = now
			heap.Pop(&w.actions).(action).do()
		default:
			w.last = now
			w.step(t)
		}
	}
}

// step lets the first at the gate go, or crashes its process there.
func (w *World) step(t *ticket) {
	if w.counts["step"]++; w.counts["step"] == endless {
		w.violate(5, "", -1, "it does not come to rest: %d steps, the last was %s", endless, t.key)
	}
	n := t.node
	if n.crashAt > 0 {
		if n.crashAt--; n.crashAt == 0 {
			w.logf("world", "%s crashes at %s", n.id, t.key)
			w.crash(n, n.back)
			return
		}
	}
	w.gate.release()
}

// crashSoon has the process crash at its n-th step from now.
func (n *node) crashSoon(steps int, back time.Duration) { n.crashAt, n.back = steps, back }

// after has the driver do something later.
func (w *World) after(d time.Duration, do func()) {
	w.ordered++
	heap.Push(&w.actions, action{time.Now().Add(d), w.ordered, do})
}

// action is something that the driver does at a time.
type action struct {
	at time.Time
	n  int
	do func()
}

// actions is a heap: the first comes first.
type actions []action

func (h actions) Len() int { return len(h) }
func (h actions) Less(i, k int) bool {
	return cmp.Or(h[i].at.Compare(h[k].at), cmp.Compare(h[i].n, h[k].n)) < 0
}
func (h actions) Swap(i, k int) { h[i], h[k] = h[k], h[i] }

// Push is for package heap.
func (h *actions) Push(x any) { *h = append(*h, x.(action)) }

// Pop is for package heap.
func (h *actions) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	(*h)[last] = action{}
	*h = (*h)[:last]
	return a
}

// entry is a line of the trace.
type entry struct {
	at     time.Time
	source string
	text   string
}

// flush orders what was logged since the last time: what several did in one step has no order.
func (w *World) flush() {
	if !w.tracing {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.pending, func(a, b entry) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		if c := strings.Compare(a.source, b.source); c != 0 || a.source == "store" || a.source == "world" {
			return c
		}
		return strings.Compare(a.text, b.text)
	})
	w.trace = append(w.trace, w.pending...)
	w.pending = w.pending[:0]
}

func (w *World) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what]++
}

// event takes what an instance says.
func (w *World) event(n *node, e observe.Event) {
	if w.gate.buried(n) {
		return
	}
	detail := firstLine(e.Detail)
	if e.Kind == observe.Panicked {
		detail = "" // a stack names goroutines by numbers that are the runtime's
	}
	w.logf(n.id, "%s %s/%d %s %s %v", e.Kind, e.Job, e.Shard, e.Subject, detail, e.Err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts["event "+string(e.Kind)]++
	if e.Kind == observe.Missed {
		for _, shard := range shardsOf(e) {
			at := place{e.Job, shard}
			w.missed[at] = append(w.missed[at], missed{span{e.Fire, e.Until}, time.Now()})
		}
	}
}

// shardsOf returns the shards that an event about missed fires is about.
func shardsOf(e observe.Event) (shards []int) {
	for part := range strings.SplitSeq(e.Args["shards"], ", ") {
		first, last, isRange := strings.Cut(part, "-")
		from, _ := strconv.Atoi(first)
		to := from
		if isRange {
			to, _ = strconv.Atoi(last)
		}
		for shard := from; shard <= to; shard++ {
			shards = append(shards, shard)
		}
	}
	return shards
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}
