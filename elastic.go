// Package elastic runs sharded, scheduled jobs on a fleet of processes. Each
// fire of each shard runs on one instance. If that instance dies, another one
// runs it again, and nothing has to be cleaned up by hand.
//
//	import _ "github.com/elasticjob-go/elastic/store/etcd"
//
//	s, err := elastic.Open(ctx, "etcd://127.0.0.1:2379/reports")
//	…
//	err = s.Add(elastic.Job{Name: "report", Schedule: "@daily", Shards: 3}, h)
//	…
//	err = s.Run(ctx)
//
// An instance is one scheduler. The instances of a fleet share the shards of
// all jobs, and agree on their owners through a store: etcd, ZooKeeper, Consul,
// a directory, or memory. The URL selects the driver, and an import links it.
//
// At most one instance begins a fire of a shard. A run is repeated only if its
// instance was lost during it and the job has Failover. If an instance is
// declared dead while its code still runs, the contexts of its handlers end
// before a successor can start, and the successor has a greater fence: see
// [Run.Fence] and [Run.Held] for processes that were paused.
//
// Errors read "verb object: cause" and report all faults, one a line. Compare
// causes such as [ErrClosed] with [errors.Is].
package elastic

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/sharding"
	"github.com/elasticjob-go/elastic/store"
	_ "github.com/elasticjob-go/elastic/store/memory" // the scheme that is always there
)

// Scheduler is one instance. It takes part in a namespace from Run until the
// context of Run ends. Its methods are safe for concurrent use.
type Scheduler struct {
	engine  *engine.Engine
	store   store.Store
	events  *observers
	history *history.Recorder // nil: none
	loggers []*slog.Logger

	namespace  string   // empty: it is not known
	unobserve  []func() // ends what exporters hear of the store
	middleware []Middleware
	strategies map[string]sharding.Strategy
	patience   time.Duration // how long leaving may take, by drain timeout and grace

	mu     sync.Mutex
	ran    bool
	closed bool
	cancel context.CancelFunc // of Run, while it runs
	began  chan struct{}      // closed when Run has begun
	over   chan struct{}      // closed by Close, and when Run has ended
	done   chan struct{}      // closed when Run has ended
}

// ErrClosed is the cause when Add, Unregister, Trigger or Run is called on a
// scheduler that was closed or whose Run has ended, and of a second Run. Close
// never returns it.
var ErrClosed = errors.New("the scheduler is closed")

// Open connects to the store that url names and returns a scheduler on it.
// [store.Config] documents the form of the URL. Open returns when the store has
// answered. If ctx has no deadline, Open gives up after [store.OpenTimeout].
// Nothing is written to the store before Run.
func Open(ctx context.Context, url string, options ...Option) (*Scheduler, error) {
	if ctx == nil {
		return nil, errors.New("open the scheduler: the context is nil")
	}
	cfg, err := configure(options)
	if err != nil {
		return nil, fmt.Errorf("open the scheduler: %w", err)
	}
	s, err := store.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	if c, err := store.ParseURL(url); err == nil {
		cfg.namespace = c.Namespace
	}
	return attached(newScheduler(s, cfg), cfg)
}

// New returns a scheduler on a store that the program has made itself. The
// scheduler closes the store when it ends.
func New(s store.Store, options ...Option) (*Scheduler, error) {
	if guard.IsNil(s) {
		return nil, errors.New("make the scheduler: the store is nil")
	}
	cfg, err := configure(options)
	if err != nil {
		return nil, fmt.Errorf("make the scheduler: %w", err)
	}
	return attached(newScheduler(s, cfg), cfg)
}

// attached gives a new scheduler to its exporters. If one refuses it, the store
// is closed.
func attached(s *Scheduler, c config) (*Scheduler, error) {
	if err := s.attach(c.exporters); err != nil {
		return nil, errors.Join(fmt.Errorf("make the scheduler: %w", err), s.closeStore())
	}
	return s, nil
}

func newScheduler(s store.Store, c config) *Scheduler {
	events := newObservers(c.observers)
	cfg := engine.Config{
		Store:       s,
		Name:        c.name,
		Host:        c.host,
		PID:         os.Getpid(),
		Weight:      c.weight,
		Labels:      c.labels,
		Most:        c.most,
		Exclusive:   c.exclusive,
		Strategies:  c.strategies,
		TTL:         c.ttl,
		Drain:       c.drain,
		Grace:       c.grace,
		JoinDelay:   c.joinDelay,
		StandIn:     standIn,
		Resync:      resync,
		Now:         time.Now,
		Incarnation: incarnation,
		Observe:     events.observe(),
	}
	if c.clock != nil {
		c.clock.guarded.become("Testing.Now", events.add)
		cfg.Now = c.clock.now
	}
	if c.names != nil {
		c.names.guarded.become("Testing.Incarnation", events.add)
		cfg.Incarnation = c.names.next
	}
	if c.chance != nil {
		c.chance.guarded.become("Testing.Random", events.add)
		cfg.Rand = c.chance.upTo
	}
	if c.history != nil {
		j := newJournal(c.history, c.namespace)
		cfg.Journal = j
		events.include(j.observe, recordedKinds)
		cfg.Observe = events.observe()
	}
	c.traced(&cfg)
	return &Scheduler{
		engine:     engine.New(cfg),
		namespace:  c.namespace,
		store:      s,
		events:     events,
		history:    c.history,
		loggers:    c.loggers,
		middleware: c.middleware,
		strategies: c.strategies,
		patience:   c.drain + c.grace,
		began:      make(chan struct{}),
		over:       make(chan struct{}),
		done:       make(chan struct{}),
	}
}

const (
	// standIn is how long an instance waits before it stands in for a leader
	// that does not act. It is longer than a garbage collection and a slow
	// write of the leader, and well below the TTL of a session.
	standIn = 3 * time.Second

	// resync is how often an instance compares its replica with the store, in
	// case a watch missed an event. One pass costs four reads.
	resync = time.Minute
)

// incarnation returns a value that was never used before: 60 random bits.
func incarnation() string { return strings.ToLower(rand.Text()[:12]) }

// ErrNameTaken is the cause when Run ends because another process was started
// under the exclusive name of this instance. See [WithExclusiveName].
var ErrNameTaken = engine.ErrNameTaken

// Add registers a job and its handler with this instance. It can be called
// before and during Run. Add does not use the store: Run stores the job if the
// store does not have it. If the store has it, the stored job wins, and an
// event reports the differences. The option [Overwrite] makes the given job
// win.
//
// Add reports all faults of the job in one error. If h has a method Validate()
// error, Add calls it. Adding a name twice is an error. A closed scheduler
// returns [ErrClosed].
func (s *Scheduler) Add(job Job, h Handler, options ...AddOption) error {
	if s.isClosed() {
		return fmt.Errorf("add job %q: %w", job.Name, ErrClosed)
	}
	if guard.IsNil(h) {
		return fmt.Errorf("add job %q: the handler is nil", job.Name)
	}
	if err := job.faults(s.strategy).Err(); err != nil {
		return fmt.Errorf("add job %.200q: it is not valid:\n%w", job.Name, err)
	}
	if err := validate(h); err != nil {
		return fmt.Errorf("add job %q: its handler is not valid: %w", job.Name, err)
	}
	var a addition
	for i, o := range options {
		if o == nil {
			a.faults.Add("option %d is nil", i+1)
			continue
		}
		o(&a)
	}
	if err := a.faults.Err(); err != nil {
		return fmt.Errorf("add job %q: %w", job.Name, err)
	}
	if len(a.middleware)+len(s.middleware) > 0 {
		h = whileHeld{h} // without middleware the engine has asked just before
	}
	h, err := wrap(h, a.middleware)
	if err != nil {
		return fmt.Errorf("add job %q: %w", job.Name, err)
	}
	if h, err = wrap(h, s.middleware); err != nil {
		return fmt.Errorf("add job %q: the scheduler's %w", job.Name, err)
	}
	err = s.engine.Add(engine.Job{
		Name:      job.Name,
		Spec:      job.spec(),
		Overwrite: a.overwrite,
		Handler:   func(ctx context.Context, r engine.Run) error { return h.Handle(ctx, newRun(r)) },
	})
	if err != nil {
		return fmt.Errorf("add job %q: %w", job.Name, err)
	}
	return nil
}

func (s *Scheduler) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// strategy returns the strategy of a name: one of WithStrategy, or a built-in
// one.
func (s *Scheduler) strategy(name string) (sharding.Strategy, error) {
	if own := s.strategies[name]; own != nil {
		return own, nil
	}
	return sharding.ByName(name)
}

// MustAdd is like Add but panics on an error.
func (s *Scheduler) MustAdd(job Job, h Handler, options ...AddOption) {
	if err := s.Add(job, h, options...); err != nil {
		panic(err)
	}
}

// Unregister ends this instance's part in a job. The shards of the job move to
// other instances that have it, and runs on this instance may finish. The job
// stays in the store. A closed scheduler returns [ErrClosed].
func (s *Scheduler) Unregister(name string) error {
	if s.isClosed() {
		return fmt.Errorf("unregister job %q: %w", name, ErrClosed)
	}
	if !s.engine.Remove(name) {
		return fmt.Errorf("unregister job %q: it was not added, or was unregistered before", name)
	}
	return nil
}

// Ready returns a channel that is closed when the instance has joined: it has a
// session, the other instances know it, and it takes part in the jobs. The
// channel stays closed while a lost session is replaced. It is never closed if
// Run ends before the instance has joined, or is never called. So select on the
// end of the context of Run, too.
func (s *Scheduler) Ready() <-chan struct{} { return s.engine.Ready() }

// Run takes part in the jobs until ctx ends, and then drains. Other instances
// get the shards at once, and running handlers have the drain timeout to
// finish. Then their contexts end with [ErrShutdown], and unfinished runs are
// handed over to the next owners. When Run returns, the scheduler is closed.
//
// Run returns nil after a drain. It returns an error if handlers or observers
// did not return in time, and [ErrClosed] if the scheduler was closed or has
// run before. Whatever the functions of the program do, Run returns at most the
// drain timeout and four seconds after ctx has ended.
//
// If the user of the store has no right to write the namespace, the first
// attempt to join ends Run with [store.ErrPermission]. If the rights are taken
// away later, Run waits for them.
//
// If the store does not answer, Run waits for it: fires that could not begin
// are due when the store is back. A store that has ended for good
// ([store.ErrEnded], or closed by the program) ends Run with its error.
// Handlers are then cancelled, and Run waits for them for the grace time of
// three seconds.
func (s *Scheduler) Run(ctx context.Context) error {
	if ctx == nil {
		return errors.New("run the scheduler: the context is nil")
	}
	s.mu.Lock()
	if s.ran || s.closed {
		s.mu.Unlock()
		return fmt.Errorf("run the scheduler: %w", ErrClosed)
	}
	s.ran = true
	ctx, s.cancel = context.WithCancel(context.WithValue(ctx, schedulerKey{}, s))
	close(s.began)
	s.mu.Unlock()

	defer close(s.done)
	defer s.cancel()
	left := make(chan time.Time, 1)
	defer context.AfterFunc(ctx, func() { left <- time.Now() })()
	s.events.start()
	defer s.startHistory()()
	err := s.engine.Run(ctx)
	s.close()
	undelivered := s.events.end(s.lastEvent(left))
	if err := errors.Join(err, undelivered, s.closeStore()); err != nil {
		return fmt.Errorf("run the scheduler: %w", err)
	}
	return nil
}

// lastEvent returns the time until which observers may take events after the
// engine has ended. left may hold the time at which this instance began to
// leave.
func (s *Scheduler) lastEvent(left <-chan time.Time) time.Time {
	ended := time.Now()
	end := ended.Add(lastEvents)
	select {
	case began := <-left:
		if limit := began.Add(s.patience); limit.Before(end) {
			end = limit
		}
	default:
	}
	if shortest := ended.Add(lastCall); end.Before(shortest) {
		return shortest
	}
	return end
}

// close marks the scheduler as closed, and reports whether this call closed it.
func (s *Scheduler) close() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.closed = true
	close(s.over)
	return true
}

// Close ends Run as the end of its context does, and waits for Run to return.
// If Run was not called, Close closes the store. Close can be called more than
// once, and by a handler, a middleware or an observer: Run waits for these only
// as long as it documents, and then Close returns.
func (s *Scheduler) Close() error {
	first := s.close()
	s.mu.Lock()
	ran, cancel := s.ran, s.cancel
	s.mu.Unlock()
	if ran {
		cancel()
		<-s.done
		return nil
	}
	if !first {
		return nil
	}
	return s.closeStore()
}

func (s *Scheduler) closeStore() error {
	for _, stop := range s.unobserve {
		stop()
	}
	ctx, cancel := context.WithTimeout(context.Background(), store.DefaultRequestTimeout)
	defer cancel()
	if err := s.store.Close(ctx); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}

// The causes with which the context of a handler ends. [context.Cause] returns
// the cause.
var (
	// ErrTimeout: the run took longer than the Timeout of its job. It is
	// recorded as failed, whatever the handler returns.
	ErrTimeout = engine.ErrTimeout

	// ErrSessionLost: the instance lost its session with the store, or can no
	// longer be sure of it. Another instance may run the shard from now on.
	ErrSessionLost = engine.ErrSessionLost

	// ErrShutdown: the instance leaves and the drain timeout has passed. If the
	// handler returns an error now, its run is handed over to the next owner of
	// the shard.
	ErrShutdown = engine.ErrShutdown

	// ErrCancelled: an operator cancelled the run. It is recorded as cancelled,
	// unless the handler returns nil, and is not repeated.
	ErrCancelled = engine.ErrCancelled

	// ErrReplaced: a later fire of the shard replaces the run. See
	// [OverlapReplace].
	ErrReplaced = engine.ErrReplaced
)

// Event is an observation of a scheduler: what it did, or what it saw. See
// [WithEvents].
type Event = observe.Event

// hostName returns the name of this host, or "" if the system does not tell it.
func hostName() string {
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return host
}

// instanceName derives the name of an instance from that of its host.
func instanceName(host string) string {
	name := strings.Map(func(r rune) rune {
		if layout.CheckName(string(r)) != nil && r != '.' {
			return '-'
		}
		return r
	}, host)
	if len(name) > layout.MaxName {
		name = name[:layout.MaxName]
	}
	if layout.CheckName(name) != nil {
		return "instance"
	}
	return name
}
