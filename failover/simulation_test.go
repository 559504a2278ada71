package failover

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// cluster is a few instances and the record of one shard, in a store that does
// nothing but compare and swap. Everything that may go wrong does, by a seed:
// crashes, lost sessions, replicas and assignments that are out of date, late
// and lost answers, clocks that differ.
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
	carry   time.Duration // for how long runs go on without a session; zero: not at all
	calmed  bool
	ended   map[string]time.Time // the sessions that are over
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
	seen    map[string]bool      // the replica of the instances' keys
	dead    map[string]time.Time // since when it is proven
	local   Local
	asked   Local  // the claim of the last Reclaim that it has sent
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
		ended: map[string]time.Time{}, carry: pick(rng, 0, 4*time.Second, time.Minute),
		p: Policy{
			Schedule: every(pick(rng, time.Second, 7*time.Second)), Since: at("09:59:30"),
			Misfire: pick(rng, MisfireOnce, MisfireSkip, MisfireAll), Overlap: pick(rng, OverlapQueue, OverlapSkip, OverlapReplace),
			Failover: rng.IntN(4) > 0, MaxAttempts: pick(rng, 1, 2, 3),
		},
	}
	for i := range 2 + rng.IntN(3) {
		// Any two clocks differ by less than MaxSkew.
		n := &node{name: fmt.Sprint(i), skew: time.Duration(rng.Int64N(int64(MaxSkew)-1)) - MaxSkew/2, dead: map[string]time.Time{}}
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

func (c *cluster) end(id string) {
	if c.alive[id] {
		delete(c.alive, id)
		c.ended[id] = c.now
	}
}

// cancelLate has the clocks of processes do what they do by themselves: a
// handler whose session has been over for as long as it may go on is cancelled.
func (c *cluster) cancelLate() {
	for _, n := range c.nodes {
		if over, ended := c.ended[n.local.Owner]; c.carry > 0 && n.local.Phase == PhaseWorking && ended && c.now.Sub(over) >= c.carry {
			n.local.Phase = PhaseYielded // the run may be reclaimed at this moment, and then must be handed over
		}
	}
}

// step lets one thing happen.
func (c *cluster) step() error {
	c.cancelLate()
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
		c.end(n.id)
		n.local, n.write = Local{}, nil
		c.join(n)
	case 4: // the session ends, and the process does not know
		if c.rng.IntN(4) > 0 {
			break
		}
		c.logf("the session of %s ends", n.id)
		c.end(n.id)
	case 5:
		if c.alive[n.id] {
			break
		}
		c.logf("%s finds that its session has ended", n.id)
		if n.local.Phase == PhaseClaiming && n.write == nil {
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
		if n.local.Phase == PhaseWorking && c.rng.IntN(3) == 0 {
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
	if n.local.Phase != PhaseWorking || c.carry > 0 && !c.calmed && c.rng.IntN(8) > 0 { // who carries on is in no hurry
		return
	}
	n.local.Phase = PhaseFinished
	if n.leaving {
		n.local.Phase = PhaseYielded
		n.leaving = false
	}
	if n.local.Owner != n.id && c.carry == 0 && c.rng.IntN(2) == 0 {
		n.local = Local{} // it was cancelled with the session, and its error says nothing
	}
}

// recognize takes a record that the node has reclaimed for that of the run
// which it has.
func (n *node) recognize() {
	if r := n.record; r.Owner == n.asked.Owner && r.Fence == n.asked.Fence && n.local.Phase != PhaseNone {
		n.local.Owner, n.local.Fence = r.Owner, r.Fence
	}
}

func (c *cluster) decide(n *node) {
	n.recognize()
	v := View{Record: n.record, Now: c.now.Add(n.skew), Me: n.id, Owned: n.owned, Local: n.local}
	switch owner := n.record.Owner; {
	case n.seen[owner]:
		v.Owner = LivenessAlive
	case !n.dead[owner].IsZero():
		v.Owner, v.Since = LivenessDead, c.now.Sub(n.dead[owner])
	}
	d := Decide(c.p, v)
	c.counts[d.Action]++
	var next Record
	switch d.Action {
	case ActionWait, ActionBlock:
		return
	case ActionStart:
		n.local.Phase = PhaseWorking
		return
	case ActionCancel:
		n.local.Phase = PhaseFinished
		return
	case ActionCancelLost:
		n.local = Local{}
		return
	case ActionProveDeath:
		if !c.alive[n.record.Owner] {
			n.dead[n.record.Owner] = c.now
		}
		return
	case ActionBegin:
		next = n.record.Begin(d.Fire, n.id, v.Now)
	case ActionTakeOver:
		next = n.record.TakeOver(n.id, v.Now)
	case ActionComplete:
		next = n.record.Complete(ResultSucceeded, "", v.Now)
	case ActionAbandon:
		next = n.record.Abandon(v.Now)
	case ActionHandOver:
		next = n.record.HandOver()
	case ActionReclaim:
		next = n.record.Reclaim(n.id)
		n.asked = Local{Owner: n.id, Fence: next.Fence}
	}
	if d.Action == ActionBegin || d.Action == ActionTakeOver {
		next.CarryOn = c.carry
		n.local = Local{PhaseClaiming, n.id, next.Fence}
	}
	n.write = &write{d.Action, n.id, n.version, next}
	c.logf("%s asks to %v: %v", n.id, d.Action, next)
}

// arrive lets a node's write reach the store, and sometimes its answer the
// node. A claim is guarded by the instance's key.
func (c *cluster) arrive(n *node) error {
	w := n.write
	n.write = nil
	claim := w.action == ActionBegin || w.action == ActionTakeOver
	applied := w.version == c.version && (!claim && w.action != ActionReclaim || c.alive[w.issuer])
	if applied {
		was := c.record
		c.logf("the store does: %s", w.action)
		if err := c.apply(w); err != nil {
			return fmt.Errorf("%v, from %v to %v", err, was, w.next)
		}
	}
	if lost := c.rng.IntN(3) == 0; lost || w.issuer != n.id {
		n.known = false
		if n.local.Phase == PhaseClaiming && w.issuer != n.id {
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
		n.local.Phase = PhaseWorking
	default:
		n.record, n.version = c.record, c.version
		if w.action != ActionAbandon && w.action != ActionReclaim { // a reclaimed run is found by its fence
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
	case ActionBegin:
		if by := c.begun[w.next.Fire]; by != "" {
			return fmt.Errorf("the fire of %s is begun a second time, after %s", clock(w.next.Fire), by)
		}
		c.begun[w.next.Fire] = w.issuer
	case ActionReclaim:
		if c.alive[from.Owner] || process(from.Owner) != process(w.issuer) {
			return fmt.Errorf("it is the run of %s", from.Owner)
		}
	case ActionTakeOver, ActionAbandon:
		if c.alive[from.Owner] && from.Owner != w.issuer {
			return fmt.Errorf("%s is alive", from.Owner)
		}
	}
	return nil
}

func process(id string) string { name, _, _ := strings.Cut(id, "@"); return name }

// check reports whether two live instances work on the shard, or one that may
// go on without its session.
func (c *cluster) check() error {
	c.cancelLate()
	var working []string
	for _, n := range c.nodes {
		if n.local.Phase == PhaseWorking && (c.carry > 0 || c.alive[n.local.Owner]) {
			working = append(working, n.local.Owner)
		}
	}
	if len(working) > 1 {
		return fmt.Errorf("%q work at once", working)
	}
	return nil
}

// calm ends all trouble: one instance owns the shard, everybody hears
// everything. It says if the shard does not come to rest.
func (c *cluster) calm() error {
	for _, n := range c.nodes {
		n.owned, n.leaving = false, false
		if !c.alive[n.id] {
			c.join(n)
		}
	}
	c.nodes[0].owned, c.calmed = true, true
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
			n.recognize()
			if n.local.Phase != PhaseNone && n.local.Phase != PhaseWorking && (c.record.Owner != n.local.Owner || c.record.Fence != n.local.Fence) {
				n.local = Local{}
			}
			was := n.local
			c.decide(n)
			busy = busy || n.write != nil || n.local != was || n.local.Phase != PhaseNone
		}
		if !busy && c.record.State == StateIdle {
			now := c.now.Add(c.nodes[0].skew)
			if d := slowDue(c.p, c.record, now); !d.fire.IsZero() {
				return fmt.Errorf("%s is due, and it rests", clock(d.fire))
			}
			return nil
		}
		if !slices.ContainsFunc(c.nodes, func(n *node) bool { return n.write != nil || n.local.Phase == PhaseWorking }) && c.record.State == StateRunning {
			c.now = c.now.Add(c.carry) // for who waits
		}
		// Fires that come up meanwhile would keep it busy.
		c.p.Misfire = MisfireOnce
	}
	return fmt.Errorf("it does not come to rest: %v", c.record)
}

// Simulated fleets with failures keep the guarantees.
func TestSimulation_KeepsPromises(t *testing.T) {
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
	for a := ActionWait; a <= ActionCancelLost; a++ {
		if a == ActionCancelLost && counts[a] > 0 {
			continue // rare: others wait for longer than a handler may go on
		}
		if counts[a] < 100 {
			t.Errorf("%v was decided %d times only", a, counts[a])
		}
	}
}
