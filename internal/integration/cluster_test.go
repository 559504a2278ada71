package integration

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/internal/integration/clustertest"
	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// ttl is the time to live of the sessions in these tests.
const ttl = 3 * time.Second

// cluster is a set of instances on one memory store, in virtual time. Every
// commit of the store is checked against the protocol as it happens, and every
// run is recorded.
type cluster struct {
	t      *testing.T
	server *memory.Server
	audit  *clustertest.Audit
	jobs   []elastic.Job
	work   elastic.HandlerFunc // of all instances
	opts   []elastic.Option
	hook   func(memory.Request) memory.Fault // of the next instance
	wrap   func(store.Store) store.Store     // wraps each store; optional
	asked  func(store.Request)               // is told of all requests; optional

	mu     sync.Mutex
	nodes  []*node
	runs   []*ran
	events []elastic.Event
}

// node is one instance, in a process of its own.
type node struct {
	name   string
	client *memory.Client
	store  *store.Portable
	sched  *elastic.Scheduler
	stop   context.CancelFunc
	done   chan struct{} // Run has returned
	err    error         // what it returned
	dead   bool          // crashed: nothing that it does counts

	evicted []time.Time // when it was evicted although it lived
}

// bubble runs a test in virtual time, with an empty cluster. At the end all
// instances stop, and the store must hold only what is allowed at rest.
func bubble(t *testing.T, f func(c *cluster), options ...memory.Option) {
	t.Helper()
	vtime.Test(t, func(t *testing.T) {
		c := &cluster{t: t, server: memory.NewServer(options...)}
		c.audit = clustertest.NewAudit(c.server)
		c.work = nothing
		defer c.stopAll() // also if f ends the test: no goroutine may remain in the bubble
		f(c)
		c.stopAll()
		c.checkRest()
		for _, fault := range c.audit.Faults() {
			t.Error(fault)
		}
		c.checkRuns()
		checkEvents(t, c.events)
		if t.Failed() {
			t.Log(c.story())
		}
	})
}

// start starts an instance with all jobs of the cluster.
func (c *cluster) start(name string, options ...elastic.Option) *node {
	c.t.Helper()
	n := &node{name: name, client: c.server.Connect(name), done: make(chan struct{})}
	if c.hook != nil {
		n.client.OnRequest(c.hook)
	}
	var driver store.Store = n.client
	if c.wrap != nil {
		driver = c.wrap(driver)
	}
	n.store = store.NewPortable(driver, store.Config{})
	if c.asked != nil {
		n.store.Observe(c.asked)
	}
	options = append([]elastic.Option{
		elastic.WithName(name),
		elastic.WithSessionTTL(ttl),
		elastic.WithEvents(c.event),
	}, append(c.opts, options...)...)
	s, err := elastic.New(n.store, options...)
	if err != nil {
		c.t.Fatal(err)
	}
	n.sched = s
	for _, j := range c.jobs {
		c.add(n, j)
	}
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	c.mu.Lock()
	c.nodes = append(c.nodes, n)
	c.mu.Unlock()
	go func() {
		defer close(n.done)
		n.err = s.Run(ctx)
	}()
	return n
}

func (c *cluster) add(n *node, j elastic.Job, options ...elastic.AddOption) {
	c.t.Helper()
	if err := n.sched.Add(j, c.handler(n), options...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) isDead(n *node) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return n.dead
}

// crash ends a process like kill -9. It may be called within a request of the
// process itself.
func (c *cluster) crash(n *node) {
	c.mu.Lock()
	if n.dead {
		c.mu.Unlock()
		return
	}
	n.dead = true
	for _, r := range c.runs {
		if r.node == n && r.end.IsZero() {
			r.end, r.died = time.Now(), true
		}
	}
	c.mu.Unlock()
	n.client.Crash()
	n.stop() // the goroutines must end as well; nothing that they do reaches the store
}

// leave drains an instance and waits for it.
func (c *cluster) leave(n *node) error {
	n.stop()
	<-n.done
	return n.err
}

func (c *cluster) stopAll() {
	for _, n := range c.nodes {
		n.stop()
	}
	for _, n := range c.nodes {
		<-n.done
	}
}

// startWith starts an instance whose requests all go through a hook.
func (c *cluster) startWith(name string, hook func(memory.Request) memory.Fault, options ...elastic.Option) *node {
	c.hook = hook
	defer func() { c.hook = nil }()
	return c.start(name, options...)
}

// onCommit calls f after the nth commit of an instance from now on. Commits are
// concurrent, so the client numbers them.
func (c *cluster) onCommit(n *node, nth int, f func()) {
	n.client.OnRequest(func(r memory.Request) memory.Fault {
		if r.Kind != memory.Transact || r.N != nth {
			return memory.Fault{}
		}
		return memory.Fault{AfterApply: f}
	})
}

// audited returns an elastictest cluster that fails the test if a commit breaks
// the protocol.
func audited(t *testing.T, options ...elastic.Option) *elastictest.Cluster {
	t.Helper()
	c := elastictest.New(t, options...)
	audit := clustertest.NewAudit(c.Server())
	t.Cleanup(func() {
		for _, fault := range audit.Faults() {
			t.Error(fault)
		}
	})
	return c
}
