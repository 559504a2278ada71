package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// node is one process, from its start to its end. The one that is started in its place is another.
type node struct {
	w      *World
	place  int    // which of the plan's
	id     string // n2.3 is the third process in place 2; the store knows its client by it
	client *memory.Client
	engine *engine.Engine
	stop   context.CancelFunc
	done   chan struct{}   // Run has returned
	away   map[string]bool // jobs that it has removed

	claimed map[string]store.Session // by the claim: the session that it was made in; guarded by w.mu

	clock   atomic.Int64 // by how much it is off
	joins   int
	watches map[string]int // how many there were, by prefix
	left    bool           // it was asked to leave
	parting time.Time      // when it began to close its session: it takes nothing back any more
	asleep  []span         // when it stood still
	stopFor time.Duration  // for how long it is to stand still from its next claim on; 0: it is not
	doomed  []time.Time    // when somebody declared it dead
	crashAt int            // the step at which it crashes; 0: none
	back    time.Duration
	lose    window
	late    window
	cut     bool

	troubled bool // something was done to it that keeps it from leaving in good order

	// gate.mu guards these.
	dead bool
	held time.Time
}

type span struct{ from, to time.Time }

// window is a time in which a share of something happens.
type window struct {
	until time.Time
	share float64
}

func (w window) holds(now time.Time, d dice) bool { return now.Before(w.until) && d.chance(w.share) }

// up starts a process in a place, if there is none.
func (w *World) up(place int) {
	if w.nodes[place] != nil {
		return
	}
	w.boots[place]++
	n := &node{w: w, place: place, id: fmt.Sprintf("n%d.%d", place, w.boots[place]), done: make(chan struct{}), away: map[string]bool{}, claimed: map[string]store.Session{}, watches: map[string]int{}}
	n.clock.Store(int64(w.plan.Skew[place]))
	n.client = w.server.Connect(n.id)
	n.client.OnRequest(n.request)
	p := w.plan
	n.engine = engine.New(engine.Config{
		Store: &seam{store.NewPortable(n.client, store.Config{RequestTimeout: p.Request}), n},
		Name:  fmt.Sprint("n", place), Host: "host", PID: 1, Weight: p.Weights[place], Labels: p.labels(place), Most: p.Most[place], TTL: p.TTL,
		Drain: p.Drain, Grace: p.Grace, JoinDelay: p.JoinDelay, StandIn: p.StandIn, Resync: p.Resync,
		Trace: n.trace,

		Rand:        n.rand,
		Now:         n.now,
		Incarnation: n.incarnation,
		Observe:     n.observe,
	})
	for _, j := range p.Jobs {
		n.add(j, false)
	}
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	w.nodes[place] = n
	w.all = append(w.all, n)
	w.logf("world", "%s starts", n.id)
	go func() {
		defer close(n.done)
		err := n.engine.Run(ctx)
		w.ended(n, err)
	}()
}

func (n *node) add(j JobPlan, overwrite bool) {
	delete(n.away, j.Name)
	if err := n.engine.Add(engine.Job{Name: j.Name, Spec: j.Spec, Handler: n.handle, Overwrite: overwrite}); err != nil {
		panic(err) // the simulation has added it twice
	}
}

func (n *node) remove(job string) {
	n.away[job] = true
	n.engine.Remove(job)
}

func (n *node) now() time.Time { return time.Now().Add(time.Duration(n.clock.Load())) }

// incarnation is called when a session has begun, one at a time.
func (n *node) incarnation() string {
	n.joins++
	return fmt.Sprintf("%d-%d", n.w.boots[n.place], n.joins)
}

// rand does not depend on who asks first: two that ask at one moment for the same get the same.
func (n *node) rand(d time.Duration) time.Duration {
	return n.w.dice.of(n.id).nth(uint64(time.Now().UnixNano())).upTo(d)
}

// pass waits at the gate.
func (n *node) pass(what, key string) {
	n.w.gate.pass(context.Background(), n, n.id+" "+what+key, n.latency)
}

func (n *node) latency(key string, count uint64) time.Duration {
	w := n.w
	d := w.dice.of(key).nth(count)
	if w.calm.Load() {
		return 1 + d.upTo(time.Millisecond)
	}
	if d.of("slow").chance(w.plan.Slow) {
		return 1 + d.upTo(w.plan.Tail)
	}
	return 1 + d.upTo(w.plan.Latency)
}

// request is what the memory store asks about each request of this process before it is sent.
func (n *node) request(r memory.Request) memory.Fault {
	switch r.Kind {
	case memory.CloseSession:
		n.parts()
		fallthrough
	case memory.Renew, memory.Seal: // they don't come through the seam
		n.pass(string(r.Kind), "")
	}
	f := n.fault(r)
	if n.cut {
		// What waits for the end of the cut goes on all at once; here it comes into order again.
		key := r.Key
		if len(r.Txn.Do) > 0 {
			key = r.Txn.Do[0].Key
		}
		f.BeforeApply = func() { n.pass("after a cut ", string(r.Kind)+" "+key) }
	}
	return f
}

func (n *node) parts() {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	n.parting = time.Now()
}

// fault draws what happens to a request.
func (n *node) fault(r memory.Request) memory.Fault {
	w, now := n.w, time.Now()
	d := w.dice.of(n.id).of(string(r.Kind)).nth(uint64(r.N))
	if n.lose.holds(now, d.of("lose")) {
		broken := d.of("broken").chance(0.7)
		if d.of("reply").chance(0.5) {
			return memory.Fault{LoseReply: true, Broken: broken}
		}
		return memory.Fault{LoseRequest: true, Broken: broken}
	}
	if n.late.holds(now, d.of("late")) {
		return memory.Fault{Late: 1 + d.of("by").upTo(2*w.plan.TTL), LoseReply: d.of("reply").chance(0.5), Broken: true}
	}
	return memory.Fault{}
}

// trace gives every second claim a trace of its own.
func (n *node) trace(t engine.Tracing) (trace failover.Trace) {
	d := n.w.dice.of("trace").of(claimKey(t.Job, t.Shard, t.Fence))
	if !d.chance(0.5) {
		return failover.Trace{}
	}
	binary.BigEndian.PutUint64(trace.ID[:], uint64(d))
	binary.BigEndian.PutUint64(trace.Span[:], t.Fence)
	return trace
}

func (n *node) observe(e observe.Event) { n.w.event(n, e) }

// hang is how long a handler goes on that does not end when it should.
const hang = 10 * time.Second

// batch is how often a handler looks whether its shard moves that hands over then.
const batch = 100 * time.Millisecond

// What handlers return.
var errWork = errors.New("the work failed")

// handle is what runs a shard: it draws a lot, works in steps that wait at the gate, and uses the resource that fences protect.
func (n *node) handle(ctx context.Context, r engine.Run) error {
	w := n.w
	key := fmt.Sprintf("%s/%d#%d", r.Job, r.Shard, r.Fence)
	if r.Fence == 0 {
		key = fmt.Sprintf("%s/%d@%d", r.Job, r.Shard, r.Fire.Unix())
	}
	n.entered(r)
	n.pass("start ", key)
	x := w.called(n, ctx, r)
	if x == nil {
		return errWork // its process is dead
	}
	panicked := true
	var err error
	defer func() {
		if panicked {
			err = errWork
		}
		w.returned(x, err)
	}()
	err = n.work(ctx, x, key)
	panicked = false
	return err
}

func (n *node) work(ctx context.Context, x *execution, key string) error {
	w := n.w
	d, lot := w.dice.of("lot").of(key), w.plan.Works
	if x.run.Retry > 0 {
		d = d.nth(uint64(x.run.Retry))
	}
	if w.calm.Load() {
		w.effect(x)
		return nil
	}
	if w.poisoned(x.run) {
		n.crashSoon(1, 3*time.Second)
		n.pass("dies of ", key)
		return errWork
	}
	long := d.of("long").upTo(lot.Longest)
	deaf := d.of("deaf").chance(lot.Deaf)
	if d.of("hang").chance(lot.Hang) {
		long, deaf = hang, true
	}
	yields := d.of("yields").chance(lot.Yield)
	for end := time.Now().Add(long); time.Now().Before(end); {
		if deaf {
			time.Sleep(long)
			break
		}
		part := time.Until(end)
		if yields {
			part = min(part, batch)
		}
		timer := time.NewTimer(part)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			n.pass("stop ", key)
			return context.Cause(ctx)
		}
		if yields {
			n.pass("looks whether it moves ", key)
			if x.run.Live.Moving.Load() {
				return &engine.HandOver{Reason: "it moves"}
			}
		}
	}
	n.pass("work ", key)
	w.effect(x)
	n.pass("end ", key)
	switch {
	case d.of("fail").chance(lot.Fail):
		return errWork
	case d.of("panic").chance(lot.Panic):
		panic(errWork)
	case d.of("exit").chance(lot.Exit):
		x.exits = true
		runtime.Goexit()
	case d.of("skip").chance(lot.Skip):
		return &engine.Skipped{Reason: "nothing to do"}
	case d.of("permanent").chance(lot.Permanent):
		return &engine.Permanent{Err: errWork}
	case d.of("again").chance(lot.Again):
		return &engine.Again{After: d.of("again in").upTo(2 * time.Second), Err: errWork}
	}
	return nil
}

// poisoned says whether a fire kills every process that runs it.
func (w *World) poisoned(r engine.Run) bool {
	return w.dice.of("poison").of(fmt.Sprint(r.Job, r.Shard, r.Fire.Unix())).chance(w.plan.Works.Poison)
}
