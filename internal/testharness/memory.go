package testharness

import (
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// Memory is the harness of the memory store, in real time, as against a real
// server.
func Memory(options ...memory.Option) conformance.Harness { return inMemory{options} }

type inMemory struct{ options []memory.Option }

func (h inMemory) New(testing.TB) conformance.Namespace {
	return &memorySpace{memory.NewServer(h.options...)}
}

func (inMemory) Lacks() map[conformance.Fault]string {
	return map[conformance.Fault]string{
		conformance.Restart:     "memory keeps nothing beyond the process",
		conformance.Pause:       "the server is in the process of its clients",
		conformance.Clusters:    "there is one server",
		conformance.Credentials: "the process has all permissions",
	}
}

type memorySpace struct{ server *memory.Server }

func (n *memorySpace) Open(testing.TB) store.Store { return n.server.Connect("client") }

func (n *memorySpace) ExpireSession(_ testing.TB, id string) { n.server.ExpireSession(id) }
func (n *memorySpace) Cut(_ testing.TB, s store.Store)       { s.(*memory.Client).Cut() }
func (n *memorySpace) Heal(_ testing.TB, s store.Store)      { s.(*memory.Client).Heal() }
func (n *memorySpace) Compact(testing.TB)                    { n.server.Compact() }
func (n *memorySpace) Budget() conformance.Budget            { return memoryBudget }

func (n *memorySpace) Wire(_ testing.TB, s store.Store) conformance.Wire {
	return newMemoryWire(s.(*memory.Client))
}

// memoryBudget is the cost of a store without a network. Updates of a watch
// need no request.
var memoryBudget = conformance.Budget{
	Get:        1,
	List:       1,
	Commit:     1,
	NewSession: 1,
	WatchStart: 1,
	IdleMinute: 25,
}

// memoryWire disturbs a client's requests as a network does.
type memoryWire struct {
	mu    sync.Mutex
	fault memory.Fault
	hold  bool // the next transaction comes late
	late  time.Time
	sent  int
}

// lateness is the delay of a transaction that Hold keeps.
const lateness = 700 * time.Millisecond

// hooked is a client whose requests a hook sees.
type hooked interface {
	OnRequest(func(memory.Request) memory.Fault)
}

func newMemoryWire(c hooked) *memoryWire {
	w := &memoryWire{}
	c.OnRequest(func(r memory.Request) memory.Fault {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.sent++
		if w.hold && r.Kind == memory.Transact {
			w.hold, w.late = false, time.Now().Add(lateness)
			return memory.Fault{Late: lateness, LoseReply: true, Broken: true}
		}
		return w.fault
	})
	return w
}

func (w *memoryWire) set(f memory.Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault, w.hold = f, false
}

// A loss is noticed at once, as if the connection broke, because Reset and Heal
// cannot wake waiting calls.

func (w *memoryWire) DropRequests() {
	w.set(memory.Fault{LoseRequest: true, Broken: true, Before: time.Millisecond})
}
func (w *memoryWire) DropReplies() {
	w.set(memory.Fault{LoseReply: true, Broken: true, Before: time.Millisecond})
}
func (w *memoryWire) Delay(d time.Duration) { w.set(memory.Fault{Late: d, After: d}) }
func (w *memoryWire) Trickle()              { w.set(memory.Fault{After: 20 * time.Millisecond}) }
func (w *memoryWire) Reset()                {}
func (w *memoryWire) Heal()                 { w.set(memory.Fault{}) }
func (w *memoryWire) Orphan()               {}

func (w *memoryWire) Hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = true
}

// Release waits until transactions in flight have arrived.
func (w *memoryWire) Release() {
	w.mu.Lock()
	late := w.late
	w.mu.Unlock()
	time.Sleep(time.Until(late.Add(50 * time.Millisecond)))
}

func (w *memoryWire) Requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}
