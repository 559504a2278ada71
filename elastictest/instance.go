package elastictest

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// instance is one process.
type instance struct {
	name      string // in the test
	known     string // part of its ID; mostly the same
	client    *memory.Client
	freezer   *freezer
	scheduler *elastic.Scheduler
	stop      context.CancelFunc
	done      chan struct{} // Run has returned
	err       error         // what it returned

	// The cluster's mu guards these.
	crashed bool
	cut     bool
}

// gone returns what has become of an instance, or "" while its process exists.
func (c *Cluster) gone(i *instance) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return i.gone()
}

// gone is Cluster.gone for callers that hold its mu.
func (i *instance) gone() string {
	if i.crashed {
		return "crashed"
	}
	select {
	case <-i.done:
		return "left"
	default:
		return ""
	}
}

// Start starts instances one after the other, and returns when they have their
// shares of all jobs. A name that has crashed or left can be started again, as
// when a process restarts.
func (c *Cluster) Start(names ...string) {
	c.t.Helper()
	for _, name := range names {
		c.start(name, name)
	}
	c.Settle()
}

// StartWith starts an instance with additional options, which come after those
// given to New. For another name in the fleet, see StartAs.
func (c *Cluster) StartWith(name string, options ...elastic.Option) {
	c.t.Helper()
	c.start(name, name, options...)
	c.Settle()
}

// StartAs starts an instance that has one name in the test and another, known,
// in the fleet, as by [elastic.WithName]. Several instances can have one known
// name. StartAs does not wait for the share of the instance: the instance has
// joined when StartAs returns, if the store answers.
func (c *Cluster) StartAs(name, known string, options ...elastic.Option) {
	c.t.Helper()
	c.start(name, known, options...)
}

func (c *Cluster) start(name, known string, options ...elastic.Option) {
	c.t.Helper()
	for i, o := range options {
		if o == nil {
			c.t.Fatalf("elastictest: start %q: option %d is nil", name, i+1)
		}
	}
	i := &instance{
		name:    name,
		known:   known,
		client:  c.server.Connect(name),
		freezer: newFreezer(),
		done:    make(chan struct{}),
	}
	c.mu.Lock()
	chance := chance(name, len(c.started))
	before := c.instances[name]
	up := before != nil && before.gone() == ""
	jobs := c.jobs
	c.mu.Unlock()
	if up {
		c.t.Fatalf("elastictest: start %q: it runs already: crash or drain it first, or give this one another name", name)
	}
	all := append([]elastic.Option{
		elastic.WithEvents(func(e elastic.Event) { c.observe(i, e) }),
		elastic.WithTesting(elastic.Testing{Incarnation: func() string { return c.incarnation(i) }, Random: chance}),
	}, append(append(slices.Clone(c.options), options...), elastic.WithName(known))...)
	s, err := elastic.New(store.NewPortable(freezing{i.client, i.freezer}, store.Config{}), all...)
	if err != nil {
		c.t.Fatalf("elastictest: start %q: %v", name, err)
	}
	i.scheduler = s
	for _, j := range jobs {
		c.give(i, j)
	}
	ctx, stop := context.WithCancel(context.Background())
	i.stop = stop
	c.mu.Lock()
	c.instances[name] = i
	c.started = append(c.started, i)
	c.mu.Unlock()
	go func() {
		defer close(i.done)
		i.err = s.Run(ctx)
	}()
	synctest.Wait()
}

func (c *Cluster) give(i *instance, j job) {
	c.t.Helper()
	if err := i.scheduler.Add(j.Job, c.record(i, j.handler), j.options...); err != nil {
		c.t.Fatalf("elastictest: add to %q: %v", i.name, err)
	}
}

// AddTo adds a job and its handler to one instance, as its own program would,
// and returns the error of [elastic.Scheduler.Add].
func (c *Cluster) AddTo(name string, j elastic.Job, h elastic.Handler, options ...elastic.AddOption) error {
	c.t.Helper()
	i := c.instance("add to", name)
	if guard.IsNil(h) {
		return i.scheduler.Add(j, nil, options...)
	}
	return i.scheduler.Add(j, c.record(i, h), options...)
}

// Up returns the names of the instances that have neither crashed nor left,
// sorted.
func (c *Cluster) Up() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for _, i := range c.up() {
		names = append(names, i.name)
	}
	return names
}

// incarnation counts the sessions of a name.
func (c *Cluster) incarnation(i *instance) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions[i.name]++
	n := strconv.Itoa(c.sessions[i.name])
	if i.known != i.name {
		n = i.name + n // others may be known by the same name
	}
	id := layout.InstanceID(i.known, n)
	c.ids[id], c.latest[i.name] = i.name, id
	return n
}

// chance returns the random part of the pauses of an instance. It differs
// between instances and is the same each time.
func chance(name string, nth int) func(time.Duration) time.Duration {
	h := fnv.New32a()
	fmt.Fprint(h, name, nth)
	part := float64(h.Sum32()) / (1 << 32)
	return func(d time.Duration) time.Duration { return time.Duration(part * float64(d)) }
}

// observe records an event. Events of a crashed process are dropped.
func (c *Cluster) observe(i *instance, e elastic.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Instance == "" {
		e.Instance = i.known // it has not joined
	}
	if !i.crashed {
		c.events = append(c.events, e)
	}
}

// Crash ends an instance as kill -9 or the loss of its host does: it does not
// leave, and the others learn of it when its session has expired. Its runs
// count as crashed, and the contexts of its handlers end.
func (c *Cluster) Crash(name string) {
	c.t.Helper()
	i := c.instance("crash", name)
	c.mu.Lock()
	i.crashed = true
	for _, r := range c.runs {
		if r.of == i && r.Ended.IsZero() {
			r.Ended, r.Crashed = time.Now(), true
		}
	}
	c.mu.Unlock()
	i.client.Crash()
	i.freezer.thaw()
	i.freezer.tell()
	i.stop() // the code in the bubble must end, too; it has no effect any more
}

// Pause stops an instance as SIGSTOP or a very long garbage collection does.
// Until Resume it learns nothing, begins nothing, and nothing that it does
// reaches the store. If the pause is longer than its session lives, the
// instance is dead to the others.
func (c *Cluster) Pause(name string) {
	c.t.Helper()
	i := c.instance("pause", name)
	i.freezer.freeze()
	i.client.Cut()
}

// Resume ends Pause. The instance first continues whatever it waited for, and
// then learns that its session is over, if it is. Of all possible orders this
// one is the worst for the instance.
func (c *Cluster) Resume(name string) {
	c.t.Helper()
	i := c.instance("resume", name)
	c.mu.Lock()
	cut := i.cut
	c.mu.Unlock()
	if !cut {
		i.client.Heal()
	}
	i.freezer.thaw()
	synctest.Wait()
	i.freezer.tell()
}

// Cut separates an instance from the store until Heal. The instance goes on by
// itself: its session ends in time, and so do the contexts of its handlers.
func (c *Cluster) Cut(name string) { c.t.Helper(); c.setCut("cut", name, true) }

// Heal ends Cut.
func (c *Cluster) Heal(name string) { c.t.Helper(); c.setCut("heal", name, false) }

func (c *Cluster) setCut(what, name string, cut bool) {
	c.t.Helper()
	i := c.instance(what, name)
	c.mu.Lock()
	i.cut = cut
	c.mu.Unlock()
	switch {
	case cut:
		i.client.Cut()
	case !i.freezer.frozen():
		i.client.Heal()
	}
}

// Drain makes an instance leave in good order, as SIGTERM does, and waits for
// it. It returns the error of Run.
func (c *Cluster) Drain(name string) error {
	c.t.Helper()
	i := c.instance("drain", name)
	i.stop()
	<-i.done
	synctest.Wait()
	return i.err
}

// Leave makes an instance leave in good order and does not wait for it.
func (c *Cluster) Leave(name string) {
	c.t.Helper()
	c.instance("leave", name).stop()
	synctest.Wait()
}

// Scheduler returns the scheduler of an instance, to add and unregister single
// jobs.
func (c *Cluster) Scheduler(name string) *elastic.Scheduler {
	c.t.Helper()
	return c.instance("scheduler of", name).scheduler
}

// Client returns the connection of an instance to the store, for finer faults
// than Crash and Cut: the loss of one reply, slow requests and watches. See
// [memory.Fault].
func (c *Cluster) Client(name string) *memory.Client {
	c.t.Helper()
	return c.instance("client of", name).client
}
