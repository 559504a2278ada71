// Package elastic runs sharded, scheduled jobs on many machines: each fire of each shard on one of them, and again on
// another if that one dies, with nothing to clean up by hand afterwards.
//
// A job is cut into shards. The instances of a program (processes that open the same store and add the same jobs) share the
// shards out among themselves, move them when an instance comes, leaves or dies, and agree through the store on
// who runs what. The store is whatever coordination service a team already runs; a driver is chosen by the URL's scheme and linked in
// by import:
//
//	import (
//		"github.com/elasticjob-go/elastic"
//		_ "github.com/elasticjob-go/elastic/store/etcd"
//	)
//
//	s, err := elastic.Open(ctx, "etcd://127.0.0.1:2379/reports")
//	…
//	err = s.Add(elastic.Job{Name: "report", Schedule: "0 0 3 * * ?", Shards: 3, Failover: true}, handler)
//	…
//	err = s.Run(ctx)
//
// The scheme memory needs no import and no server: it is a store inside the process, for trying things out, for tests and for
// programs of one process.
//
// # What is promised
//
// A fire of a shard is begun by at most one instance. A run is repeated only after its instance was lost while it ran, and only
// if the job asks for Failover: so at most once per fire without it, at least once with it. At no time do two live instances
// hold the same shard. An instance that was declared dead while its code still ran has a smaller fence than its successor (see
// [Run.Fence]), and its handlers' contexts have ended before the successor could start, unless the process was stopped or its machine suspended. When
// such a process wakes it enters no handler of a claim that is over, neither for the first time nor for a retry: see [Run.Held].
package elastic

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/sharding"
	"github.com/elasticjob-go/elastic/store"
	_ "github.com/elasticjob-go/elastic/store/memory" // the scheme that is always there
)

// Scheduler is one instance: it takes part in a namespace from Run until Run's context ends. Its methods are safe for
// concurrent use.
type Scheduler struct {
	engine *engine.Engine
	store  store.Store
	events *observers

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

// ErrClosed is returned by Add, Unregister, Trigger and Run of a scheduler that was
// closed or whose Run has ended, and by a second Run. Close never returns it.
var ErrClosed = errors.New("the scheduler is closed")

// Open connects to the store that a URL names and returns a scheduler on it; [store.Config] has the URL's form. It returns once
// the store has answered; if ctx has no deadline it gives up after [store.OpenTimeout]. Nothing is written before Run.
func Open(ctx context.Context, url string, options ...Option) (*Scheduler, error) {
	cfg, err := configure(options)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	return newScheduler(s, cfg), nil
}

// New returns a scheduler on a store that the program has made itself. The scheduler closes it in the end.
func New(s store.Store, options ...Option) (*Scheduler, error) {
	if guard.IsNil(s) {
		return nil, errors.New("make a scheduler: the store is nil")
	}
	cfg, err := configure(options)
	if err != nil {
		return nil, err
	}
	return newScheduler(s, cfg), nil
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
	return &Scheduler{
		engine:     engine.New(cfg),
		store:      s,
		events:     events,
		middleware: c.middleware,
		strategies: c.strategies,
		patience:   c.drain + c.grace,
		began:      make(chan struct{}),
		over:       make(chan struct{}),
		done:       make(chan struct{}),
	}
}

const (
	// standIn outlasts a leader's garbage collection and a slow write, and stays well below a session's time to live.
	standIn = 3 * time.Second

	// resync is for the day when a watch misses something, and costs three reads.
	resync = time.Minute
)

// incarnation returns a name that was never used before: 60 random bits.
func incarnation() string { return strings.ToLower(rand.Text()[:12]) }

// ErrNameTaken is returned by Run when another process was started under this instance's exclusive name; see WithExclusiveName.
var ErrNameTaken = engine.ErrNameTaken

// Add gives this instance a job and its handler. It may be called before Run and while it runs, and does not touch the store:
// if the job is not in the store yet, Run puts it there; if it is, the one in the store wins and a difference is reported
// as an event, unless Overwrite says otherwise.
//
// All faults of the job are reported in one error. A handler that has a method Validate() error is asked, too. A name can be added once.
// On a scheduler that is closed the error is [ErrClosed].
func (s *Scheduler) Add(job Job, h Handler, options ...AddOption) error {
	if s.isClosed() {
		return fmt.Errorf("add job %q: %w", job.Name, ErrClosed)
	}
	if guard.IsNil(h) {
		return fmt.Errorf("job %q: the handler is nil", job.Name)
	}
	if err := job.validate(s.strategy); err != nil {
		return err
	}
	if err := validate(h); err != nil {
		return fmt.Errorf("job %q: its handler is not valid: %w", job.Name, err)
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
		return fmt.Errorf("job %q: %w", job.Name, err)
	}
	h, err := wrap(whileHeld{h}, a.middleware)
	if err != nil {
		return fmt.Errorf("job %q: %w", job.Name, err)
	}
	if h, err = wrap(h, s.middleware); err != nil {
		return fmt.Errorf("job %q: the scheduler's %w", job.Name, err)
	}
	return s.engine.Add(engine.Job{
		Name:      job.Name,
		Spec:      job.spec(),
		Overwrite: a.overwrite,
		Handler:   func(ctx context.Context, r engine.Run) error { return h.Handle(ctx, newRun(r)) },
	})
}

func (s *Scheduler) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// strategy returns the strategy of a name: the program's own, or one that is always there.
func (s *Scheduler) strategy(name string) (sharding.Strategy, error) {
	if own := s.strategies[name]; own != nil {
		return own, nil
	}
	return sharding.ByName(name)
}

// MustAdd is Add for func main: it panics on an error.
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
// session, the other instances know it, and it takes its part in the jobs. It
// stays closed while a lost session is made again. If Run ends before the
// instance has joined, and if Run is never called, the channel is never closed;
// so select on the end of Run's context, too.
func (s *Scheduler) Ready() <-chan struct{} { return s.engine.Ready() }

// Run takes part until ctx ends, and then leaves in good order: other instances take the shards over at once, running
// handlers get the drain timeout to finish, then their contexts end with ErrShutdown, and what is still unfinished is handed to
// the next owner. It returns nil after that, an error if handlers or observers did not return even then, and ErrClosed if the
// scheduler was closed or has run before.
//
// Whatever handlers, observers and other functions of the program do, Run
// returns at most the drain timeout and four seconds after ctx has ended.
//
// A user of the store that may not write the namespace ends Run at the first attempt to join, with [store.ErrPermission]. Rights
// that are taken away later end nothing: Run waits for them.
//
// A store that does not answer ends nothing: Run waits for it, and fires that could not begin are due when it is back. A store
// that has ended for good ([store.ErrEnded], or closed by the program) ends Run with its error: handlers are cancelled, and
// Run waits for them as long as the grace time. When Run returns the scheduler is closed.
func (s *Scheduler) Run(ctx context.Context) error {
	if ctx == nil {
		return errors.New("run the scheduler: the context is nil")
	}
	s.mu.Lock()
	if s.ran || s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.ran = true
	ctx, s.cancel = context.WithCancel(ctx)
	close(s.began)
	s.mu.Unlock()

	defer close(s.done)
	defer s.cancel()
	left := make(chan time.Time, 1)
	defer context.AfterFunc(ctx, func() { left <- time.Now() })()
	s.events.start()
	err := s.engine.Run(ctx)
	s.close()
	told := s.events.end(s.lastEvent(left))
	return errors.Join(err, told, s.closeStore())
}

// lastEvent returns until when observers may take events after the engine has
// ended. left may have the moment at which this instance began to leave.
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

// close notes that the scheduler is closed, and reports whether it was not
// before.
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

// Close ends Run as the end of its context does, and waits for it; without Run it closes the store. It may be called more than
// once, also by a handler, a middleware or an observer: Run does not wait for these longer than it says, and Close returns then.
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
	ctx, cancel := context.WithTimeout(context.Background(), store.DefaultRequestTimeout)
	defer cancel()
	if err := s.store.Close(ctx); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}

// The causes with which a handler's context ends; context.Cause tells which.
var (
	// ErrTimeout: the run took longer than the job's Timeout. It is recorded as
	// failed, whatever the handler returns.
	ErrTimeout = engine.ErrTimeout

	// ErrSessionLost: the instance lost its session with the store, or can no longer be sure of it. Another instance may run
	// the shard from now on.
	ErrSessionLost = engine.ErrSessionLost

	// ErrShutdown: the instance leaves and the drain timeout has passed. If the handler returns an error now, its run is handed to the
	// next owner of the shard.
	ErrShutdown = engine.ErrShutdown

	// ErrReplaced: a later fire of the shard replaces the run; see OverlapReplace.
	ErrReplaced = engine.ErrReplaced
)

// Event is something that a scheduler did or saw; see WithEvents.
type Event = observe.Event

// hostName returns this machine's name as far as it can be part of an instance's name.
func hostName() string {
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return host
}

// instanceName makes an instance's name of a host's.
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
