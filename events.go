package elastic

import (
	"sync"

	"github.com/elasticjob-go/elastic/observe"
)

// maxWaiting bounds how many events wait for a slow observer.
const maxWaiting = 4096

// queue keeps observers from delaying the engine: it takes events at once and delivers them from its own goroutine. If they
// come faster than they are taken, the oldest are dropped.
type queue struct {
	observers []func(observe.Event)

	mu      sync.Mutex
	waiting []observe.Event
	ended   bool
	wake    chan struct{}
}

func newQueue(observers []func(observe.Event)) *queue {
	return &queue{observers: observers, wake: make(chan struct{}, 1)}
}

// observer returns what the engine calls; nil if nobody listens, so that events then cost nothing.
func (q *queue) observer() func(observe.Event) {
	if len(q.observers) == 0 {
		return nil
	}
	return q.add
}

func (q *queue) add(e observe.Event) {
	q.mu.Lock()
	if len(q.waiting) == maxWaiting {
		q.waiting = q.waiting[1:]
	}
	q.waiting = append(q.waiting, e)
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // it is awake
	}
}

// end has deliver return when nothing waits any more.
func (q *queue) end() {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	q.signal()
}

// deliver passes events on until end is called.
func (q *queue) deliver() {
	for range q.wake {
		for {
			q.mu.Lock()
			batch, ended := q.waiting, q.ended
			q.waiting = nil
			q.mu.Unlock()
			for _, e := range batch {
				for _, f := range q.observers {
					f(e)
				}
			}
			if len(batch) > 0 {
				continue
			}
			if ended {
				return
			}
			break
		}
	}
}
