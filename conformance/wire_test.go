package conformance

import (
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

func (n *mutantNamespace) Wire(_ testing.TB, s store.Store) Wire {
	w := &mutantWire{}
	n.clients[s].OnRequest(w.fate)
	return w
}

func (n *mutantNamespace) Budget() Budget {
	return Budget{
		Get:        1,
		List:       1,
		Commit:     1,
		NewSession: 1,
		WatchStart: 1,
		IdleMinute: 25,
	}
}

// mutantWire imitates a network for a memory client, as far as the cases need
// it that catch mutants.
type mutantWire struct {
	mu    sync.Mutex
	fault memory.Fault
	hold  bool
	late  time.Time
	sent  int
}

const lateness = 500 * time.Millisecond

func (w *mutantWire) fate(r memory.Request) memory.Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent++
	if w.hold && r.Kind == memory.Transact {
		w.hold, w.late = false, time.Now().Add(lateness)
		return memory.Fault{Late: lateness, LoseReply: true, Broken: true}
	}
	return w.fault
}

func (w *mutantWire) set(f memory.Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

func (w *mutantWire) DropRequests() {
	w.set(memory.Fault{LoseRequest: true, Broken: true, Before: time.Millisecond})
}
func (w *mutantWire) DropReplies() {
	w.set(memory.Fault{LoseReply: true, Broken: true, Before: time.Millisecond})
}
func (w *mutantWire) Delay(d time.Duration) { w.set(memory.Fault{Late: d, After: d}) }
func (w *mutantWire) Trickle()              {}
func (w *mutantWire) Reset()                {}
func (w *mutantWire) Heal()                 { w.set(memory.Fault{}) }
func (w *mutantWire) Orphan()               {}

func (w *mutantWire) Hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = true
}

func (w *mutantWire) Release() {
	w.mu.Lock()
	late := w.late
	w.mu.Unlock()
	time.Sleep(time.Until(late.Add(50 * time.Millisecond)))
}

func (w *mutantWire) Requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}
