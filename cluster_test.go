package elastic_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// ttl is the time to live of the sessions in these tests.
const ttl = 3 * time.Second

// cluster is some instances on one memory store, in virtual time. Every commit of the store is checked against the protocol as
// it happens, and every run is written down.
type cluster struct {
	t      *testing.T
	server *memory.Server
	audit  *audit
	jobs   []elastic.Job
	work   elastic.HandlerFunc // of all instances
	opts   []elastic.Option
	hook   func(memory.Request) memory.Fault // of the instance that is started next
	wrap   func(store.Store) store.Store     // what is put around each store; nil: nothing

	mu     sync.Mutex
	nodes  []*node
	runs   []*ran
	events []elastic.Event
}

// node is one process.
type node struct {
	name   string
	client *memory.Client
	store  *store.Portable
	sched  *elastic.Scheduler
	stop   context.CancelFunc
	done   chan struct{} // Run has returned
	err    error         // what it returned
	dead   bool          // crashed: nothing it does counts any more

	evicted []time.Time // somebody declared it dead though it lived
}

// ran is one execution of a handler.
type ran struct {
	node       *node
	job        string
	shard      int
	fire       time.Time
	trigger    uint64
	parameter  string
	attempt    int
	fence      uint64
	start, end time.Time // end is zero until it has returned
	err        error
	cause      error
	died       bool      // its process crashed while it ran
	cancelled  time.Time // its context ended; zero if it did not
}

// bubble runs a test in virtual time, with a cluster that has nothing in it yet. At the end all instances are stopped, and the
// store must hold nothing but what it may hold at rest.
func bubble(t *testing.T, f func(c *cluster), options ...memory.Option) {
	t.Helper()
	vtime.Test(t, func(t *testing.T) {
		c := &cluster{t: t, server: memory.NewServer(options...)}
		c.audit = newAudit(c.server)
		c.work = nothing
		defer c.stopAll() // also when f ends the test: the bubble must not keep goroutines
		f(c)
		c.stopAll()
		c.checkRest()
		for _, fault := range c.audit.faults() {
			t.Error(fault)
		}
		c.checkRuns()
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
	options = append([]elastic.Option{elastic.WithName(name), elastic.WithSessionTTL(ttl), elastic.WithEvents(c.event)}, append(c.opts, options...)...)
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

// handler writes down what it is asked to run, and then works.
func (c *cluster) handler(n *node) elastic.HandlerFunc {
	return func(ctx context.Context, sh elastic.Shard) error {
		if sh.Retry > 0 {
			return c.task()(ctx, sh) // the same execution goes on
		}
		r := &ran{node: n, job: sh.Job, shard: sh.Item, fire: sh.Fire, trigger: sh.Trigger, parameter: sh.Parameter, attempt: sh.Attempt, fence: sh.Fence(), start: time.Now()}
		c.mu.Lock()
		if !n.dead {
			c.runs = append(c.runs, r)
		}
		c.mu.Unlock()
		stop := context.AfterFunc(ctx, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			r.cancelled = time.Now()
		})
		defer stop()
		err := errors.New("panicked")
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if r.end.IsZero() {
				r.end, r.err, r.cause = time.Now(), err, context.Cause(ctx)
			}
		}()
		err = c.task()(ctx, sh)
		return err
	}
}

// task returns what handlers do now; does changes it.
func (c *cluster) task() elastic.HandlerFunc {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.work
}

func (c *cluster) does(f elastic.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.work = f
}

// nothing is a handler that is done at once.
func nothing(context.Context, elastic.Shard) error { return nil }

func (c *cluster) isDead(n *node) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return n.dead
}

func (c *cluster) event(e elastic.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
}

// count returns how many events of a kind there were.
func (c *cluster) count(kind observe.Kind) int { return len(c.seen(kind)) }

func (c *cluster) seen(kind observe.Kind) []elastic.Event {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []elastic.Event
	for _, e := range c.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// crash ends a process as kill -9 does. It may be called from within a request of the process itself.
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
	n.stop() // the code in the bubble must end, too; nothing that it does reaches anybody
}

// leave ends a process in good order and waits for it.
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

// until waits for a condition, and fails the test if it does not come true in three minutes of virtual time.
func (c *cluster) until(what string, ok func() bool) {
	c.t.Helper()
	for range 180_000 {
		synctest.Wait()
		if ok() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	c.t.Fatalf("three minutes passed without: %s\n%s", what, c.story())
}

// pass lets virtual time pass, and everything that it brings about happen.
func (c *cluster) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// total returns how many executions there were.
func (c *cluster) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.runs)
}

// find returns the executions that fit, as they are now.
func (c *cluster) find(fits func(r *ran) bool) []*ran {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []*ran
	for _, r := range c.runs {
		if fits(r) {
			now := *r
			found = append(found, &now)
		}
	}
	return found
}

// owners returns who owns which shard of a job.
func (c *cluster) owners(job string) []string {
	for _, e := range c.server.Dump() {
		if e.Key != layout.AssignmentKey(job) {
			continue
		}
		a, err := layout.DecodeAssignment(e.Value)
		if err != nil {
			c.t.Fatal(err)
		}
		names := make([]string, len(a.Owners))
		for i, id := range a.Owners {
			names[i] = layout.InstanceName(id)
		}
		return names
	}
	return nil
}

// balanced says whether the job's shards are spread over exactly these instances, evenly.
func (c *cluster) balanced(job string, names ...string) bool {
	counts := map[string]int{}
	for _, name := range c.owners(job) {
		counts[name]++
	}
	least, most := 1<<30, 0
	for _, n := range counts {
		least, most = min(least, n), max(most, n)
	}
	for _, name := range names {
		if counts[name] == 0 {
			return false
		}
	}
	return len(counts) == len(names) && most-least <= 1
}

// record returns the record of a shard.
func (c *cluster) record(job string, shard int) failover.Record {
	for _, e := range c.server.Dump() {
		if e.Key == layout.RunKey(job, shard) {
			r, err := failover.Decode(e.Value)
			if err != nil {
				c.t.Fatal(err)
			}
			return r
		}
	}
	return failover.Record{}
}

// put writes a key as an operator or another program would.
func (c *cluster) put(key string, value []byte) {
	c.t.Helper()
	admin := c.server.Connect("admin")
	defer admin.Close(context.Background())
	op := store.Create(key, value)
	if _, err := admin.Get(context.Background(), key); err == nil {
		op = store.Set(key, value)
	}
	if _, err := admin.Commit(context.Background(), store.Txn{Do: []store.Op{op}}); err != nil {
		c.t.Fatal(err)
	}
}

// checkRest checks what the store holds when nothing runs: specs, assignments, idle records of shards that exist.
// A session of a crashed process may not have expired yet, so it waits for that first.
func (c *cluster) checkRest() {
	c.t.Helper()
	time.Sleep(ttl + time.Second)
	shards := map[string]int{}
	for _, e := range c.server.Dump() {
		if name, ok := strings.CutPrefix(e.Key, layout.Jobs+"/"); ok {
			if spec, err := layout.DecodeSpec(e.Value); err == nil {
				shards[name] = spec.Shards
				if spec.Broadcast() {
					shards[name] = len(c.owners(name))
				}
			}
		}
	}
	for _, e := range c.server.Dump() {
		prefix, rest, _ := strings.Cut(e.Key, "/")
		switch prefix {
		case layout.Jobs, layout.Assignments:
		case layout.Signals:
			if shards[rest] == 0 {
				c.t.Errorf("at rest the store holds %s, of a job that is not there", e.Key)
			}
		case "runs":
			job, _, _ := strings.Cut(rest, "/")
			item, err := layout.ShardOf(e.Key)
			r, err2 := failover.Decode(e.Value)
			if err != nil || err2 != nil {
				continue // a test put it there
			}
			if item >= shards[job] {
				c.t.Errorf("at rest the store holds %s, of a shard that the job does not have: %s", e.Key, r)
			}
		default:
			c.t.Errorf("at rest the store holds %s = %s", e.Key, e.Value)
		}
	}
}

// checkRuns checks the executions: fences of a shard grow, and no two executions by live processes overlap.
func (c *cluster) checkRuns() {
	c.t.Helper()
	type key struct {
		job   string
		shard int
	}
	last := map[key]*ran{}
	first := map[string]bool{}
	for _, r := range c.runs {
		k := key{r.job, r.shard}
		if p := last[k]; p != nil {
			if r.fence < p.fence && slices.ContainsFunc(r.node.evicted, func(t time.Time) bool { return !t.After(r.start) && r.start.Sub(t) < ttl }) {
				continue // a zombie, in the moment before it learns that somebody declared it dead: the fence says so
			}
			if r.fence <= p.fence && r.fence != 0 {
				c.t.Errorf("%s/%d ran with fence %d after fence %d", r.job, r.shard, r.fence, p.fence)
			}
			// An instance that is declared dead by hand learns of it later; only the fence is left then.
			evicted := slices.ContainsFunc(p.node.evicted, func(t time.Time) bool { return t.After(p.start.Add(-ttl)) && !t.After(r.start) })
			if (p.end.IsZero() || r.start.Before(p.end)) && (p.cancelled.IsZero() || p.cancelled.After(r.start)) && !evicted {
				c.t.Errorf("%s/%d began on %s at %s, while it ran on %s since %s", r.job, r.shard, r.node.name, stamp(r.start), p.node.name, stamp(p.start))
			}
		}
		last[k] = r
		if id := fmt.Sprint(k, r.fire, r.trigger); r.attempt == 1 {
			if first[id] {
				c.t.Errorf("%s/%d: the fire of %s began twice", r.job, r.shard, stamp(r.fire))
			}
			first[id] = true
		}
	}
}

// missing returns the fires of a shard, every period from the first to the last, that were never completed.
func (c *cluster) missing(job string, shard int, from, to time.Time, period time.Duration) []time.Time {
	done := map[int64]bool{}
	for _, r := range c.find(func(r *ran) bool {
		return r.job == job && r.shard == shard && !r.died && !r.end.IsZero() && r.err == nil
	}) {
		done[r.fire.Unix()] = true
	}
	var missing []time.Time
	for t := from; !t.After(to); t = t.Add(period) {
		if !done[t.Unix()] {
			missing = append(missing, t)
		}
	}
	return missing
}

func stamp(t time.Time) string { return t.UTC().Format("04:05.000") }

// story is what happened, for a test that failed.
func (c *cluster) story() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	b.WriteString("commits on records:\n")
	b.WriteString(c.audit.story())
	b.WriteString("executions:\n")
	for _, r := range c.runs {
		fmt.Fprintf(&b, "  %s %s/%d on %s fire %s attempt %d fence %d until %s died=%v err=%v cause=%v\n",
			stamp(r.start), r.job, r.shard, r.node.name, stamp(r.fire), r.attempt, r.fence, stamp(r.end), r.died, r.err, r.cause)
	}
	b.WriteString("events:\n")
	for _, e := range c.events {
		if !slices.Contains([]observe.Kind{observe.Began, observe.Ended}, e.Kind) {
			fmt.Fprintf(&b, "  %s %s %s %s/%d %s %s %v\n", stamp(e.Time), e.Instance, e.Kind, e.Job, e.Shard, e.Subject, e.Detail, e.Err)
		}
	}
	return b.String()
}

// delete removes a key as an operator would.
func (c *cluster) delete(key string) {
	c.t.Helper()
	admin := c.server.Connect("admin")
	defer admin.Close(context.Background())
	if _, err := admin.Commit(context.Background(), store.Txn{Do: []store.Op{store.Delete(key)}}); err != nil {
		c.t.Fatal(err)
	}
}

// startWith starts an instance whose requests go through a hook from the first one on.
func (c *cluster) startWith(name string, hook func(memory.Request) memory.Fault, options ...elastic.Option) *node {
	c.hook = hook
	defer func() { c.hook = nil }()
	return c.start(name, options...)
}

// onCommit has f called after the n-th commit of an instance from now on. Commits are under way at once, so f counts nothing.
func (c *cluster) onCommit(n *node, nth int, f func()) {
	n.client.OnRequest(func(r memory.Request) memory.Fault {
		if r.Kind != memory.Transact || r.N != nth {
			return memory.Fault{}
		}
		return memory.Fault{AfterApply: f}
	})
}

func deleteOf(key string) store.Txn { return store.Txn{Do: []store.Op{store.Delete(key)}} }
