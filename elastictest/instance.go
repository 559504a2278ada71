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

// gone says what has become of an instance; empty while its process is there.
func (c *Cluster) gone(i *instance) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return i.gone()
}

// gone is Cluster.gone for those who hold its mu.
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

// Start starts instances, one after the other, and returns when they have their shares of all jobs. A name that has crashed or left
// may be started again, as when a process restarts.
func (c *Cluster) Start(names ...string) {
	c.t.Helper()
	for _, name := range names {
		c.start(name, name)
	}
	c.Settle()
}

// StartWith starts an instance with options of its own, which come after those given to New. Not WithName: see StartAs.
func (c *Cluster) StartWith(name string, options ...elastic.Option) {
	c.t.Helper()
	c.start(name, name, options...)
	c.Settle()
}

// StartAs starts an instance that has one name in the test and another in the cluster, where several may have it: the one that
// [elastic.WithName] would be given. It does not wait for its share: the instance has joined when StartAs returns, if the store
// answers.
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
	i := &instance{name: name, known: known, client: c.server.Connect(name), freezer: newFreezer(), done: make(chan struct{})}
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

// AddTo gives a job and its handler to one instance, as its own program would, and returns what [elastic.Scheduler.Add] does.
func (c *Cluster) AddTo(name string, j elastic.Job, h elastic.Handler, options ...elastic.AddOption) error {
	c.t.Helper()
	i := c.instance("add to", name)
	if guard.IsNil(h) {
		return i.scheduler.Add(j, nil, options...)
	}
	return i.scheduler.Add(j, c.record(i, h), options...)
}

// Up returns the names of the instances that have neither crashed nor left, sorted.
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

// chance returns what an instance draws: a part that is not that of the others, but the same each time.
func chance(name string, nth int) func(time.Duration) time.Duration {
	h := fnv.New32a()
	fmt.Fprint(h, name, nth)
	part := float64(h.Sum32()) / (1 << 32)
	return func(d time.Duration) time.Duration { return time.Duration(part * float64(d)) }
}

// observe takes an event. What the code of a crashed process has to say never happened.
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

// Crash ends an instance as kill -9 or the loss of its machine does: it says good-bye to nobody, and the others learn of it
// when its session has expired. Its runs count as crashed, its handlers' contexts end.
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
	i.stop() // the code in the bubble must end, too; nothing that it does reaches anybody
}

// Pause stops an instance as SIGSTOP or a very long garbage collection does: it learns nothing, begins nothing, and nothing that
// it does reaches the store, until Resume. If that takes longer than its session lives it is dead to the others.
func (c *Cluster) Pause(name string) {
	c.t.Helper()
	i := c.instance("pause", name)
	i.freezer.freeze()
	i.client.Cut()
}

// Resume ends Pause. The instance first goes on with whatever it has waited for, and learns then that its session is over, if it is: of all orders this
// one is the worst for it.
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

// Cut separates an instance from the store, until Heal. It goes on by itself: its session ends in time, and its handlers'
// contexts with it.
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

// Drain has an instance leave in good order, as SIGTERM does, and waits for it. It returns what Run has returned.
func (c *Cluster) Drain(name string) error {
	c.t.Helper()
	i := c.instance("drain", name)
	i.stop()
	<-i.done
	synctest.Wait()
	return i.err
}

// Leave has an instance leave in good order and does not wait for it.
func (c *Cluster) Leave(name string) {
	c.t.Helper()
	c.instance("leave", name).stop()
	synctest.Wait()
}

// Scheduler returns an instance's scheduler, for adding and removing single jobs.
func (c *Cluster) Scheduler(name string) *elastic.Scheduler {
	c.t.Helper()
	return c.instance("scheduler of", name).scheduler
}

// Client returns an instance's connection to the store, for faults that are finer than Crash and Cut: the loss of one reply,
// requests and watches that are slow. See [memory.Fault].
func (c *Cluster) Client(name string) *memory.Client {
	c.t.Helper()
	return c.instance("client of", name).client
}
