package engine

import (
	"sync"
	"time"
)

// returns are the runs whose handlers have returned. The loop takes all at
// once, so that a return costs no message of its own. The zero value is not
// ready: use newReturns.
type returns struct {
	wake chan struct{} // has an element if there are runs that were not taken

	mu   sync.Mutex
	list []*run
	used []*run    // an empty list that was taken before
	at   time.Time // when the first of list came back
}

func newReturns() returns { return returns{wake: make(chan struct{}, 1)} }

// add passes a run to the loop. It does not block.
func (r *returns) add(back *run) {
	r.mu.Lock()
	first := len(r.list) == 0
	if first {
		r.at = time.Now()
	}
	r.list = append(r.list, back)
	r.mu.Unlock()
	if first {
		select {
		case r.wake <- struct{}{}:
		default: // it has been told
		}
	}
}

// take returns the runs that have come back, in that order, and when the first
// did. The list is valid until give.
func (r *returns) take() (list []*run, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list = r.list
	r.list, r.used = r.used, nil
	return list, r.at
}

// give gives back the list of a take, to be used again.
func (r *returns) give(list []*run) {
	clear(list)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used = list[:0]
}
