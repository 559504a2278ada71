package failover

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// cluster is a few instances and the record of one shard, in a store that does nothing but compare and swap. Everything that
// may go wrong does, by a seed: crashes, lost sessions, replicas and assignments that are out of date, late and lost answers,
// clocks that differ.
type cluster struct {
	rng     *rand.Rand
	p       Policy
	now     time.Time
	record  Record
	version int
	alive   map[string]bool // the keys of the instances
	nodes   []*node
	begun   map[time.Time]string
	counts  map[Action]int
	log     []string
}

// node is a process: one instance after another, each with a new ID.
type node struct {
	name     string
	sessions int
	id       string
	skew     time.Duration
	owned    bool // it believes

	known   bool
	record  Record
	version int
	seen    map[string]bool // the replica of the instances' keys
	dead    map[string]bool // proven
	local   Local
	leaving bool   // its handler is to be stopped
	write   *write // on its way
}

type write struct {
	action  Action
	issuer  string // the instance
	version int
	next    Record
}

func newCluster(seed uint64) *cluster {
	rng := rand.New(rand.NewPCG(seed, 6))
	c := &cluster{
		rng: rng, now: at("10:00:00"), alive: map[string]bool{}, begun: map[time.Time]string{}, counts: map[Action]int{},
		p: Policy{
			Schedule: every(pick(rng, time.Second, 7*time.Second)), Since: at("09:59:30"),
			Misfire: pick(rng, Once, Skip, All), Overlap: pick(rng, OverlapQueue, OverlapSkip, OverlapReplace),
			Failover: rng.IntN(4) > 0, MaxAttempts: pick(rng, 1, 2, 3),
		},
	}
	for i := range 2 + rng.IntN(3) {
		// Any two clocks differ by less than MaxSkew.
		n := &node{name: fmt.Sprint(i), skew: time.Duration(rng.Int64N(int64(MaxSkew)-1)) - MaxSkew/2, dead: map[string]bool{}}
		c.join(n)
		c.nodes = append(c.nodes, n)
	}
	return c
}

// join gives a process a new session.
func (c *cluster) join(n *node) {
	n.sessions++
	n.id = fmt.Sprintf("%s@%d", n.name, n.sessions)
	n.known, n.leaving = false, false
	c.alive[n.id] = true
	c.replicate(n)
}

func (c *cluster) replicate(n *node) {
	n.seen = map[string]bool{}
	for id := range c.alive {
		n.seen[id] = true
	}
}

func (c *cluster) logf(format string, args ...any) {
	c.log = append(c.log, clock(c.now)+" "+fmt.Sprintf(format, args...))
}

// step lets one thing happen.
func (c *cluster) step() error {
	n := pick(c.rng, c.nodes...)
	switch c.rng.IntN(20) {
	case 0, 1:
		c.now = c.now.Add(time.Duration(c.rng.Int64N(int64(3 * time.Second))))
	case 2: // the assignment as each has heard of it: often two think that the shard is theirs, or none does
		n.owned = c.rng.IntN(3) > 0
	case 3:
		if c.rng.IntN(4) > 0 {
			break
		}
		c.logf("%s crashes", n.id)
		delete(c.alive, n.id)
		n.local, n.write = Local{}, nil
		c.join(n)
	case 4: // the session ends, and the process does not know
		if c.rng.IntN(4) > 0 {
			break
		}
		c.logf("the session of %s ends", n.id)
		delete(c.alive, n.id)
	case 5:
		if c.alive[n.id] {
			break
		}
		c.logf("%s finds that its session has ended", n.id)
		if n.local.Phase == Claiming && n.write == nil {
			n.local = Local{}
		}
		c.join(n)
	case 6:
		c.replicate(n)
	case 7, 8, 9:
		n.known, n.record, n.version = true, c.record, c.version
	case 10, 11, 12:
		c.handlerReturns(n)
	case 13:
		if n.local.Phase == Working && c.rng.IntN(3) == 0 {
			n.leaving = true
		}
	default:
		if n.write != nil {
			return c.arrive(n)
		}
		if n.known {
			c.decide(n)
		}
	}
	return c.check()
}

func (c *cluster) handlerReturns(n *node) {
	if n.local.Phase != Working {
		return
	}
	n.local.Phase = Finished
	if n.leaving {
		n.local.Phase = Yielded
		n.leaving = false
	}
	if n.local.Owner != n.id && c.rng.IntN(2) == 0 {
		n.local = Local{} // it was cancelled with the session, and its error says nothing
	}
}

func (c *cluster) decide(n *node) {
	v := View{Record: n.record, Now: c.now.Add(n.skew), Me: n.id, Owned: n.owned, Local: n.local}
	switch owner := n.record.Owner; {
	case n.seen[owner]:
		v.Owner = Alive
	case n.dead[owner]:
		v.Owner = Dead
	}
	d := Decide(c.p, v)
	c.counts[d.Action]++
	var next Record
	switch d.Action {
	case Wait, Block:
		return
	case Start:
		n.local.Phase = Working
		return
	case Cancel:
		n.local.Phase = Finished
		return
	case ProveDeath:
		if !c.alive[n.record.Owner] {
			n.dead[n.record.Owner] = true
		}
		return
	case Begin:
		next = n.record.Begin(d.Fire, n.id, v.Now)
	case TakeOver:
		next = n.record.TakeOver(n.id, v.Now)
	case Complete:
		next = n.record.Complete(Succeeded, "", v.Now)
	case Abandon:
		next = n.record.Abandon(v.Now)
	case HandOver:
		next = n.record.HandOver()
	}
	if d.Action == Begin || d.Action == TakeOver {
		n.local = Local{Claiming, n.id, next.Fence}
	}
	n.write = &write{d.Action, n.id, n.version, next}
	c.logf("%s asks to %v: %v", n.id, d.Action, next)
}

// arrive lets a node's write reach the store, and sometimes its answer the node. A claim is guarded by the instance's key.
func (c *cluster) arrive(n *node) error {
	w := n.write
	n.write = nil
	claim := w.action == Begin || w.action == TakeOver
	applied := w.version == c.version && (!claim || c.alive[w.issuer])
	if applied {
		was := c.record
		c.logf("the store does: %s", w.action)
		if err := c.apply(w); err != nil {
			return fmt.Errorf("%v, from %v to %v", err, was, w.next)
		}
	}
	if lost := c.rng.IntN(3) == 0; lost || w.issuer != n.id {
		n.known = false
		if n.local.Phase == Claiming && w.issuer != n.id {
			n.local = Local{}
		}
		return c.check()
	}
	switch {
	case !applied:
		n.known = false
		if claim {
			n.local = Local{}
		}
	case claim:
		n.record, n.version = c.record, c.version
		n.local.Phase = Working
	default:
		n.record, n.version = c.record, c.version
		if w.action != Abandon {
			n.local = Local{}
		}
	}
	return c.check()
}

// apply writes a record, and says if that breaks what the package promises.
func (c *cluster) apply(w *write) error {
	from := c.record
	c.record = w.next
	c.version++
	if err := legal(from, w.next, w.action, c.now); err != nil {
		return err
	}
	switch w.action {
	case Begin:
		if by := c.begun[w.next.Fire]; by != "" {
			return fmt.Errorf("the fire of %s is begun a second time, after %s", clock(w.next.Fire), by)
		}
		c.begun[w.next.Fire] = w.issuer
	case TakeOver, Abandon:
		if c.alive[from.Owner] && from.Owner != w.issuer {
			return fmt.Errorf("%s is alive", from.Owner)
		}
	}
	return nil
}

// check says whether two live instances work on the shard.
func (c *cluster) check() error {
	var working []string
	for _, n := range c.nodes {
		if n.local.Phase == Working && c.alive[n.local.Owner] {
			working = append(working, n.local.Owner)
		}
	}
	if len(working) > 1 {
		return fmt.Errorf("%q work at once", working)
	}
	return nil
}

// calm ends all trouble: one instance owns the shard, everybody hears everything. It says if the shard does not come to rest.
func (c *cluster) calm() error {
	for _, n := range c.nodes {
		n.owned, n.leaving = false, false
		if !c.alive[n.id] {
			c.join(n)
		}
	}
	c.nodes[0].owned = true
	for range 60 {
		busy := false
		for _, n := range c.nodes {
			if n.write != nil {
				busy = true
				if err := c.arrive(n); err != nil {
					return err
				}
			}
			n.known, n.record, n.version = true, c.record, c.version
			c.replicate(n)
			c.handlerReturns(n)
			if n.local.Phase != None && n.local.Phase != Working && (c.record.Owner != n.local.Owner || c.record.Fence != n.local.Fence) {
				n.local = Local{}
			}
			was := n.local
			c.decide(n)
			busy = busy || n.write != nil || n.local != was || n.local.Phase != None
		}
		if !busy && c.record.State == Idle {
			now := c.now.Add(c.nodes[0].skew)
			if d := slowDue(c.p, c.record, now); !d.fire.IsZero() {
				return fmt.Errorf("%s is due, and it rests", clock(d.fire))
			}
			return nil
		}
		// Fires that come up meanwhile would keep it busy.
		c.p.Misfire = Once
	}
	return fmt.Errorf("it does not come to rest: %v", c.record)
}

func TestClustersInTroubleKeepThePromises(t *testing.T) {
	counts := map[Action]int{}
	fires := 0
	for seed := range uint64(1000) {
		c := newCluster(seed)
		var err error
		for range 600 {
			if err = c.step(); err != nil {
				break
			}
		}
		if err == nil {
			err = c.calm()
		}
		if err != nil {
			log := c.log[max(0, len(c.log)-40):]
			t.Fatalf("seed %d: %v\n%s\nrecord: %v, live %v", seed, err, strings.Join(log, "\n"), c.record, c.alive)
		}
		fires += len(c.begun)
		for a, n := range c.counts {
			counts[a] += n
		}
	}
	t.Logf("%d fires; decisions: %v", fires, counts)
	for a := Wait; a <= Cancel; a++ {
		if counts[a] < 100 {
			t.Errorf("%v was decided %d times only", a, counts[a])
		}
	}
}
