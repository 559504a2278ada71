package sim

import (
	"cmp"
	"container/heap"
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// gate is where everything waits that crosses between a process and the world.
type gate struct {
	mu     sync.Mutex
	parked tickets
	came   chan struct{}     // holds one: something has come since the driver looked
	passed map[string]uint64 // how many have come, by key
	open   bool              // the run is over: nobody waits any more
}

// ticket is a goroutine that waits.
type ticket struct {
	due  time.Time
	long time.Duration // how long it takes, if its process does not stand still
	key  string        // says who it is and what it is about, the same each time
	node *node
	leap chan struct{}
}

// tickets is a heap: what is due first, and of those the first by key.
type tickets []*ticket

func newGate() *gate {
	return &gate{came: make(chan struct{}, 1), passed: map[string]uint64{}}
}

// pass waits until the driver lets it go. latency is how long something about key takes, for the n-th time. If ctx ends before, it is
// as if nobody had come.
func (g *gate) pass(ctx context.Context, n *node, key string, latency func(key string, n uint64) time.Duration) {
	g.mu.Lock()
	if g.open || n.dead {
		g.mu.Unlock()
		return
	}
	count := g.passed[key]
	g.passed[key] = count + 1
	from := time.Now()
	if n.held.After(from) {
		from = n.held
	}
	long := latency(key, count)
	t := &ticket{due: from.Add(long), long: long, key: key, node: n, leap: make(chan struct{})}
	heap.Push(&g.parked, t)
	g.mu.Unlock()
	g.knock()
	select {
	case <-t.leap:
	case <-ctx.Done():
		g.withdraw(t)
	}
}

// withdraw takes back that somebody came to wait.
func (g *gate) withdraw(t *ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.parked, t); i >= 0 {
		heap.Remove(&g.parked, i)
	}
	g.passed[t.key]--
}

func (g *gate) knock() {
	select {
	case g.came <- struct{}{}:
	default: // the driver will look anyway
	}
}

// first returns what is due first; nil if nothing waits.
func (g *gate) first() *ticket {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.parked) == 0 {
		return nil
	}
	return g.parked[0]
}

// release lets the first go.
func (g *gate) release() {
	g.mu.Lock()
	t := heap.Pop(&g.parked).(*ticket)
	g.mu.Unlock()
	close(t.leap)
}

// hold has what waits of a node, and what comes, wait until a time at least.
func (g *gate) hold(n *node, until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n.held.After(until) {
		return
	}
	n.held = until
	for _, t := range g.parked {
		if t.node == n {
			t.due = until.Add(t.long)
		}
	}
	heap.Init(&g.parked)
}

// loose ends hold.
func (g *gate) loose(n *node) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if !n.held.After(now) {
		return
	}
	n.held = time.Time{}
	for _, t := range g.parked {
		if t.node == n {
			t.due = now.Add(t.long)
		}
	}
	heap.Init(&g.parked)
}

// condemn marks a node dead: from now on nothing of it waits, and nothing of it counts.
func (g *gate) condemn(n *node) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n.dead = true
}

// bury lets all that waits of a dead node go: it reaches nobody.
func (g *gate) bury(n *node) {
	g.mu.Lock()
	keep := g.parked[:0]
	var gone []*ticket
	for _, t := range g.parked {
		if t.node == n {
			gone = append(gone, t)
		} else {
			keep = append(keep, t)
		}
	}
	clear(g.parked[len(keep):])
	g.parked = keep
	heap.Init(&g.parked)
	g.mu.Unlock()
	for _, t := range gone {
		close(t.leap)
	}
}

func (g *gate) buried(n *node) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return n.dead
}

// disband lets all go, for good.
func (g *gate) disband() {
	g.mu.Lock()
	g.open = true
	all := g.parked
	g.parked = nil
	g.mu.Unlock()
	for _, t := range all {
		close(t.leap)
	}
}

func (h tickets) Len() int { return len(h) }
func (h tickets) Less(i, k int) bool {
	return cmp.Or(h[i].due.Compare(h[k].due), strings.Compare(h[i].key, h[k].key)) < 0
}
func (h tickets) Swap(i, k int) { h[i], h[k] = h[k], h[i] }

// Push is for package heap.
func (h *tickets) Push(x any) { *h = append(*h, x.(*ticket)) }

// Pop is for package heap.
func (h *tickets) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return t
}
