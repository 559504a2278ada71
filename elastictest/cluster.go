package elastictest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/store/memory"
)

// Cluster is a fleet of instances on one store. Its methods are for the
// goroutine of the test. Methods that a handler or an observer needs during a
// run (Crash, Pause, Cut, their opposites, and those that only look) can be
// called from any goroutine of the bubble.
//
// An impossible request, such as crashing an instance that was never started,
// ends the test with a message that says what to do.
type Cluster struct {
	t       testing.TB
	server  *memory.Server
	options []elastic.Option

	mu        sync.Mutex
	jobs      []job
	instances map[string]*instance // by name; a restarted one replaces the one before
	started   []*instance          // all that ever were, in order
	sessions  map[string]int       // by name: how many there were
	ids       map[string]string    // the name of each session's instance
	latest    map[string]string    // the ID of each name's latest session
	runs      []*Run
	events    []elastic.Event
	handlers  sync.WaitGroup // handlers that have not returned
}

type job struct {
	elastic.Job
	handler elastic.Handler
	options []elastic.AddOption
}

// New returns a cluster without jobs and instances. It must be called in a
// bubble, the function given to [synctest.Test]. The options apply to every
// instance. When the test ends, all instances leave, and if the test has
// failed, its log shows what happened in the cluster.
func New(t testing.TB, options ...elastic.Option) *Cluster {
	t.Helper()
	if !inBubble() {
		t.Fatal("elastictest.New: call it inside synctest.Test(t, func(t *testing.T) { … }), with that t: a cluster lives in virtual time")
	}
	for i, o := range options {
		if o == nil {
			t.Fatalf("elastictest.New: option %d is nil", i+1)
		}
	}
	vtime.Protect()
	c := &Cluster{
		t:         t,
		server:    memory.NewServer(),
		options:   options,
		instances: map[string]*instance{},
		sessions:  map[string]int{},
		ids:       map[string]string{},
		latest:    map[string]string{},
	}
	t.Cleanup(c.end)
	return c
}

func inBubble() (in bool) {
	defer func() { in = recover() == nil }()
	synctest.Wait()
	return true
}

// Add adds a job and its handler to all instances, those that run and those
// that start later.
func (c *Cluster) Add(j elastic.Job, h elastic.Handler, options ...elastic.AddOption) {
	c.t.Helper()
	added := job{j, h, options}
	if err := j.Validate(); err != nil {
		c.t.Fatalf("elastictest: add: %v", err)
	}
	if guard.IsNil(h) {
		c.t.Fatalf("elastictest: add job %q: the handler is nil", j.Name)
	}
	c.mu.Lock()
	c.jobs = append(c.jobs, added)
	up := c.up()
	c.mu.Unlock()
	for _, i := range up {
		c.give(i, added)
	}
	synctest.Wait()
}

// Server returns the store, to look at its contents and to cause faults of the
// store itself.
func (c *Cluster) Server() *memory.Server { return c.server }

// up returns the instances whose processes exist, by name. The caller holds
// c.mu.
func (c *Cluster) up() []*instance {
	var up []*instance
	for _, name := range slices.Sorted(maps.Keys(c.instances)) {
		if i := c.instances[name]; i.gone() == "" {
			up = append(up, i)
		}
	}
	return up
}

// instance returns the instance of a name. It fails the test if the instance is
// not up.
func (c *Cluster) instance(what, name string) *instance {
	c.t.Helper()
	c.mu.Lock()
	i := c.instances[name]
	known := slices.Sorted(maps.Keys(c.instances))
	c.mu.Unlock()
	switch {
	case i == nil && len(known) == 0:
		c.t.Fatalf("elastictest: %s %q: no instance was started", what, name)
	case i == nil:
		c.t.Fatalf("elastictest: %s %q: no such instance was started, but %s", what, name, strings.Join(known, ", "))
	case c.gone(i) != "":
		c.t.Fatalf("elastictest: %s %q: it has %s: start it again first", what, name, c.gone(i))
	}
	return i
}

// end makes all instances leave, so that the bubble can end.
func (c *Cluster) end() {
	if c.t.Failed() {
		c.t.Log(c.String())
	}
	for _, i := range c.started {
		i.client.Heal()
		i.freezer.thaw()
		i.freezer.tell()
		i.stop()
	}
	for _, i := range c.started {
		<-i.done
	}
	returned := make(chan struct{})
	go func() {
		c.handlers.Wait()
		close(returned)
	}()
	select {
	case <-returned:
	case <-time.After(farewell):
		c.t.Errorf("elastictest: end the test: a day after all instances have left, these handlers have not returned:\n%s", c.inHandlers())
	}
}

// farewell is how long handlers have to return when the test is over. It is
// virtual time, and so costs nothing.
const farewell = 24 * time.Hour

// inHandlers lists the runs whose handlers have not returned, and those of
// crashed instances, whose handlers cannot be checked.
func (c *Cluster) inHandlers() string {
	var b strings.Builder
	for _, r := range c.find(func(r *Run) bool { return r.Ended.IsZero() || r.Crashed }) {
		fmt.Fprintf(&b, "  %s\n", r)
	}
	return b.String()
}

// String returns the story so far: runs, and events that are not about single
// runs.
func (c *Cluster) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "runs, until %s:\n", clock(time.Now()))
	for _, r := range c.runs {
		fmt.Fprintf(&b, "  %s\n", r)
	}
	b.WriteString("events:\n")
	for _, e := range c.events {
		if perRun[e.Kind] {
			continue
		}
		fmt.Fprintf(&b, "  %s %s %s", clock(e.Time), e.Instance, e.Kind)
		if e.Job != "" {
			fmt.Fprintf(&b, " %s", e.Job)
		}
		if e.Shard >= 0 {
			fmt.Fprintf(&b, "/%d", e.Shard)
		}
		for _, s := range []string{e.Subject, e.Detail} {
			if s != "" {
				fmt.Fprintf(&b, " %s", s)
			}
		}
		if e.Err != nil {
			fmt.Fprintf(&b, " %v", e.Err)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// errPanicked is the Err of a run whose handler panicked or ended its
// goroutine.
var errPanicked = errors.New("the handler did not return")

// record wraps a handler and records its runs.
func (c *Cluster) record(i *instance, h elastic.Handler) elastic.HandlerFunc {
	return func(ctx context.Context, run elastic.Run) error {
		c.handlers.Add(1)
		defer c.handlers.Done()
		r := &Run{Instance: i.name, Run: run, Began: time.Now(), of: i}
		c.mu.Lock()
		if !i.crashed {
			c.runs = append(c.runs, r)
		}
		c.mu.Unlock()
		told := context.AfterFunc(ctx, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			r.Told = time.Now()
		})
		defer told()
		err := errPanicked
		defer func() {
			i.freezer.wait()
			c.mu.Lock()
			defer c.mu.Unlock()
			if r.Ended.IsZero() {
				r.Ended, r.Err, r.Cause = time.Now(), err, context.Cause(ctx)
			}
		}()
		err = h.Handle(context.WithValue(ctx, freezerKey{}, i.freezer), run)
		return err
	}
}
