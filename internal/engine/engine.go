// Package engine is what moves: it keeps this process's membership, assigns shards while it leads, and runs the shards that
// are its own.
//
// One goroutine, the loop, owns all state and does no I/O. Everything else (watches, the session, commits, reads,
// handlers) is a goroutine that blocks somewhere and posts what came of it to the loop. The loop then settles: it looks at
// what changed, asks the pure functions of packages failover and sharding what to do, and sends it off. State that can be derived is not
// remembered, so an event that comes twice, late or in another order leads to the same end.
package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/internal/workers"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/sharding"
	"github.com/elasticjob-go/elastic/store"
)

// Config is what an engine needs. Every field must be set that does not say otherwise.
type Config struct {
	Store  store.Store
	Name   string // of the instance
	Host   string
	PID    int
	Weight int               // how many shards it takes in proportion to others; at least 1
	Labels map[string]string // that jobs can require; nil: none
	Most   int               // how many shards it runs at a time; zero: all that it has
	TTL    time.Duration     // of the session; zero: the store's default

	// Strategies are this program's own, by their names; nil: none.
	Strategies map[string]sharding.Strategy

	// Exclusive has the instance take the place of whoever has its name.
	Exclusive bool

	// Drain is how long running handlers may go on when the instance leaves. After that their contexts are cancelled, and
	// they get Grace to return.
	Drain, Grace time.Duration

	// JoinDelay is how long a leader waits before it gives shards to a new instance, so that a rolling restart moves each
	// shard once or twice and not at every step. Shards without an owner don't wait.
	JoinDelay time.Duration

	// StandIn is how long the next instance in the order of a job waits for its leader to create the job or to write its
	// assignment before it does so itself; the third waits twice as long, and so on. It is longer than a leader needs.
	StandIn time.Duration

	// Resync is how often the instance compares what it believes with the store, in case a watch missed something.
	Resync time.Duration

	// Rand returns a random part of a duration, from zero up to it. nil is math/rand/v2; a simulation that repeats brings its own.
	Rand func(time.Duration) time.Duration

	Now         func() time.Time    // the wall clock that fires are measured by
	Incarnation func() string       // a name that was never used before and never will be
	Observe     func(observe.Event) // must not block; may be nil
	Journal     Journal             // nil: none

	// Trace returns the trace of a run that is about to be claimed, for its
	// record. nil: runs have none. It is called on the loop: it must not block,
	// and must not panic. Runs that are not claimed are not asked for.
	Trace func(Tracing) failover.Trace
}

// Job is a job with its handler.
type Job struct {
	Name      string
	Spec      layout.Spec
	Handler   Handler
	Overwrite bool // Spec wins over the one in the store

	added int // which call of Add it came with
}

// Handler runs one shard for one fire.
type Handler func(ctx context.Context, r Run) error

// Run is what a handler is told.
type Run struct {
	Job             string
	Shard, Total    int
	Parameter       string // of the job
	ShardParameter  string
	Fire            time.Time
	Trigger         uint64 // zero: the schedule asked for it
	Attempt         int
	Retry           int    // how often the handler was called before in this attempt
	Fence           uint64 // with which it began
	PreviousAttempt string // the instance whose run is repeated; empty on the first attempt
	Trace           failover.Trace
	PreviousTrace   failover.Trace // of the attempt that is repeated
	TraceParent     string         // of the span that gave the trigger
	Live            *Live
}

// Tracing is a run that is about to be claimed.
type Tracing struct {
	Job     string
	Shard   int
	Fire    time.Time // of a trigger: when it was given
	Trigger uint64    // zero: the schedule asked for it
	Attempt int
	Fence   uint64

	// Previous is the trace of the attempt that is repeated; zero if it had
	// none, and on the first attempt.
	Previous failover.Trace
}

// Live is what may change about a run while its handler goes on.
type Live struct {
	Fence  atomic.Uint64 // of the last claim; zero if runs are not claimed
	Moving atomic.Bool   // the shard is no longer this instance's; once set it stays
	Output atomic.Value  // for the caller of the handler; the journal gets it with the end of the run
	hold   hold
}

// The causes with which a handler's context ends.
var (
	ErrTimeout     = errors.New("the run took longer than the job's timeout")
	ErrSessionLost = errors.New("this instance lost its session with the store: another may run the shard from now on")
	ErrShutdown    = errors.New("this instance leaves, and its drain timeout has passed")
	ErrReplaced    = errors.New("a later fire of the shard replaces this run")
	ErrCancelled   = errors.New("an operator cancelled this run")
)

// Engine is one scheduler's engine. Add and Remove may be called at any time, from any goroutine; Run once.
type Engine struct {
	cfg     Config
	inbox   chan posted
	stopped chan struct{}
	ready   chan struct{}   // closed when this instance has joined for the first time
	looking chan struct{}   // closed when the first content of all watches is there
	life    context.Context // of everything but handlers; ends when the loop has
	work    context.Context // of handlers that may outlive a session; ends when the instance has left
	started time.Time
	wg      sync.WaitGroup
	reads   chan struct{} // a place for each read of records under way

	changes atomic.Uint64 // writes of ChangeJob, for their names

	mu         sync.Mutex
	registered map[string]*Job // what Add and Remove say; the loop makes it so
	changed    []string        // names of jobs that were added or removed since the loop looked
	adds       int

	// What follows belongs to the loop.
	me          *member
	isReady     bool // the channel ready is closed
	selfChanged bool // what this instance tells the others about itself may be different
	replica     replica
	jobs        map[string]*job
	alarms      alarms
	local       local
	stale       []*job      // to be refreshed
	dirty       []*shard    // to be considered
	missed      []*misses   // to be reported
	held        []*shard    // that wait until fewer run here, in the order in which they came
	active      int         // runs of this instance, from claim to recorded end
	unread      []*job      // with shards whose records must be read
	blocked     []*job      // whose need to follow other instances' runs may have changed
	suspects    suspects    // jobs that may be missing, or whose assignment may be wrong
	check       *time.Timer // says when it is time to look at the next
	checkAt     time.Time
	arrived     time.Time // when an instance came last
	records     lane
	docs        lane
	dead        map[string]time.Time // instances that are proven dead, for ever, and since when that is known
	proofs      map[string][]*shard  // who waits for a proof that an instance is dead
	sources     map[string]*source   // jobs that jobs of this instance follow
	follows     map[string][]string  // by job: the jobs that it follows
	reading     faults               // reads of records and instances, by key or prefix
	watching    faults               // by prefix
	joining     faults               // the session: one subject
	latest      *incident            // that was raised last
	answered    bool                 // something of the store has worked since
	working     int                  // handlers that have not returned
	handlers    *workers.Pool[*run]  // that calls them
	returns     returns              // of those that have returned
	stuckCheck  time.Time            // when to look for handlers that ignore their contexts; zero: none may
	drain       drain
	cordons     cordons
	failed      error // why the engine ends though nobody asked it to
	clocks      clocks
	pulse       heartbeat
	heard       map[string]heard // of other instances' heartbeats, by ID
	sets        sets
	mySets      ownSets
	newcomers   bool                // instances have appeared that are to be greeted
	strays      map[string]bool     // keys that are none of this program's, and were reported
	waits       map[waitID]*wait    // why jobs and shards do not run
	doubts      map[string]followed // ends a watch, so that it starts again

	meter meter
}

// posted is a function for the loop, and when it was given to it.
type posted struct {
	at time.Time
	f  func()
}

// New returns an engine that does nothing yet.
func New(cfg Config) *Engine {
	if cfg.Rand == nil {
		cfg.Rand = rand.N[time.Duration]
	}
	e := &Engine{
		cfg: cfg, inbox: make(chan posted, 256), stopped: make(chan struct{}), looking: make(chan struct{}), ready: make(chan struct{}), reads: make(chan struct{}, parallelReads),
		registered: map[string]*Job{}, jobs: map[string]*job{}, suspects: suspects{all: map[*job]bool{}}, proofs: map[string][]*shard{}, sources: map[string]*source{}, follows: map[string][]string{}, dead: map[string]time.Time{},
		heard: map[string]heard{}, mySets: ownSets{pending: map[string]bool{}}, sets: sets{known: map[string]*jobSet{}}, clocks: clocks{seenOf: map[string]*sighting{}},
		replica: newReplica(), doubts: map[string]followed{}, waits: map[waitID]*wait{}, strays: map[string]bool{},
		meter:   meter{views: map[string]view{}},
		returns: newReturns(),
	}
	e.handlers = workers.New(e.handle)
	return e
}

// Ready returns a channel that is closed when this instance has joined for the
// first time.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// Add makes a job known. It does not touch the store: Run does.
func (e *Engine) Add(j Job) error {
	e.mu.Lock()
	if err := e.refuses(j); err != nil {
		e.mu.Unlock()
		return err
	}
	e.adds++
	j.added = e.adds
	e.registered[j.Name] = &j
	e.changed = append(e.changed, j.Name)
	e.mu.Unlock()
	e.poke()
	return nil
}

// Remove ends this instance's part in a job; what runs may finish. It reports whether the job was there.
func (e *Engine) Remove(name string) bool {
	e.mu.Lock()
	_, ok := e.registered[name]
	delete(e.registered, name)
	e.changed = append(e.changed, name)
	e.mu.Unlock()
	e.poke()
	return ok
}

// poke makes the loop look, if it runs and has not been told already.
func (e *Engine) poke() {
	select {
	case e.inbox <- posted{time.Now(), func() {}}:
	default: // it has plenty to wake it
	}
}

// Run takes part in the namespace until ctx ends, then leaves in good order: nothing begins any more, running handlers get
// their time, the session is closed. It returns an error if handlers had not returned by then; their goroutines are left
// behind, and other instances take their runs over.
func (e *Engine) Run(ctx context.Context) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	work, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(ErrShutdown)
	e.life, e.work, e.started = life, work, e.cfg.Now()
	e.clocks.begun = time.Now()
	e.clocks.offset = e.clocks.against(e.started)
	for _, prefix := range watched {
		e.wg.Go(func() { e.follow(life, prefix) })
	}
	e.wg.Go(func() { e.resync(life) })
	member, leave := context.WithCancel(life)
	var membership sync.WaitGroup
	membership.Go(func() {
		// The others answer an instance that joins by a beat, and it must be looking.
		select {
		case <-e.looking:
			e.keepMembership(member)
		case <-member.Done():
		}
	})

	e.loop(ctx)

	e.loseEndings()
	close(e.stopped)
	leave()
	membership.Wait()
	end()
	e.handlers.Close()
	e.wg.Wait()
	if e.failed != nil {
		return e.failed
	}
	if e.working > 0 {
		return fmt.Errorf("%d handlers did not return within %s of being cancelled: other instances repeat their runs where failover is on", e.working, e.cfg.Grace)
	}
	return nil
}

// loop runs until the engine has drained.
func (e *Engine) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	leaving := ctx.Done()
	for !e.drain.over {
		var since time.Time // when the first thing of this turn was posted
		select {
		case p := <-e.inbox:
			since = p.at
			e.meter.turn(&e.clocks)
			p.f()
			e.takeMore()
		case <-e.returns.wake:
			// What the handlers of these runs have posted before comes first.
			var back []*run
			back, since = e.returns.take()
			e.takeMore()
			e.takeReturns(back)
		case <-timer.C:
			e.meter.turn(&e.clocks)
		case <-leaving:
			leaving = nil
			e.meter.turn(&e.clocks)
			e.startDrain()
		}
		e.settle()
		if !since.IsZero() {
			e.meter.delayed(time.Since(since))
		}
		e.publish()
		timer.Reset(e.alarms.wait(e.cfg.Now(), e.local.wheel.Next()))
	}
}

// takeMore empties the inbox, so that what came together is settled together: shards that finish at the same time share a
// commit.
func (e *Engine) takeMore() {
	for range cap(e.inbox) {
		select {
		case p := <-e.inbox:
			p.f()
		default:
			return
		}
	}
}

// takeReturns takes the runs whose handlers have returned.
func (e *Engine) takeReturns(back []*run) {
	at := moments{wall: e.cfg.Now(), monotonic: time.Now()}
	for _, r := range back {
		if !e.endLocal(r, at) {
			e.returned(r)
		}
	}
	e.returns.give(back)
}

// settle acts on whatever has changed.
func (e *Engine) settle() {
	now := e.cfg.Now()
	e.noticeStep(now)
	e.alarms.ring(now, e.mark)
	e.takeRegistered()
	e.considerAll()
	e.ringLocal(now)
	e.considerAll()
	e.reportMissed()
	e.readRecords()
	e.followBlocked()
	e.ringGreeting()
	e.mendAssignments()
	e.publishSelf()
	e.publishHeartbeat()
	e.flush(&e.records)
	e.flush(&e.docs)
	e.checkDrained()
}

// considerAll refreshes the jobs and considers the shards that are marked.
func (e *Engine) considerAll() {
	for len(e.stale)+len(e.dirty) > 0 || e.releaseOne() {
		jobs, shards := e.stale, e.dirty
		e.stale, e.dirty = nil, nil
		// They come from maps. In order, neighbours share transactions, and a simulation repeats.
		slices.SortFunc(jobs, byName)
		slices.SortFunc(shards, byJob)
		for _, j := range jobs {
			j.stale = false
			e.refresh(j)
		}
		for _, s := range shards {
			s.dirty = false
			e.consider(s)
		}
	}
	e.giveBegun()
}

// takeRegistered makes the loop's jobs those that Add and Remove have said.
func (e *Engine) takeRegistered() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.changed) == 0 {
		return
	}
	e.selfChanged = true
	for _, name := range e.changed {
		e.take(name)
		e.mySets.pending[name] = true
	}
	e.changed = nil
}

// take makes one job what Add and Remove have said. The caller holds e.mu.
func (e *Engine) take(name string) {
	j := e.jobs[name]
	r, ok := e.registered[name]
	switch {
	case ok && j == nil:
		j = newJob(r)
		e.jobs[name] = j
	case ok && j.registered.added != r.added:
		j.overwritten, j.compared, j.refused = false, false, false
		j.absenceTold = 0
	case !ok && j == nil:
		return
	}
	j.removed = !ok
	if ok {
		j.registered = r
	}
	e.touch(j)
}

// touch has a job refreshed when the loop settles.
func (e *Engine) touch(j *job) {
	if !j.stale {
		j.stale = true
		e.stale = append(e.stale, j)
	}
}

// mark has a shard considered when the loop settles.
func (e *Engine) mark(s *shard) {
	if !s.dirty {
		s.dirty = true
		e.dirty = append(e.dirty, s)
	}
}

// post has the loop call f. Once the loop has ended it does nothing.
func (e *Engine) post(f func()) {
	select {
	case e.inbox <- posted{time.Now(), f}:
	case <-e.stopped:
	}
}

// background runs f beside the loop; f blocks on the store and posts what came of it.
func (e *Engine) background(f func(ctx context.Context)) {
	e.wg.Go(func() { f(e.life) })
}

// after has the loop call f after d. Unlike fires, such delays are measured by the monotonic clock.
func (e *Engine) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() { e.post(f) })
}

func (e *Engine) emit(ev observe.Event) {
	if e.cfg.Observe == nil {
		return
	}
	ev.Time = e.cfg.Now()
	if ev.Instance == "" && e.me != nil {
		ev.Instance = e.me.id
	}
	e.cfg.Observe(ev)
}
