package elastic

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/observe"
)

const (
	// maxWaiting bounds how many events wait for a slow observer.
	maxWaiting = 4096

	// blockedAfter is how long one call of an observer may take before the
	// others are told.
	blockedAfter = 10 * time.Second

	// lastCall is how long one call of an observer may take when the scheduler
	// has ended.
	lastCall = 500 * time.Millisecond

	// lastEvents is how long the delivery of all events may take then. It stays
	// far below what is left of the 30 seconds that Kubernetes gives a
	// container when its handlers end at once.
	lastEvents = 5 * time.Second
)

// observers are the functions that receive events. Each has a goroutine and a
// queue of its own, so that an observer delays neither the engine nor the
// others.
type observers struct {
	queues  []*queue
	dropped atomic.Uint64 // events that observers missed because they were slow
}

func newObservers(functions []func(observe.Event)) *observers {
	o := &observers{}
	for _, f := range functions {
		o.include(f, nil)
	}
	return o
}

// include adds an observer. It receives the events of the kinds in wants; nil
// means all.
func (o *observers) include(f func(observe.Event), wants map[observe.Kind]bool) {
	o.queues = append(o.queues, &queue{
		number: len(o.queues) + 1,
		wants:  wants,
		f:      f,
		others: o,
		wake:   make(chan struct{}, 1),
		done:   make(chan struct{}),
	})
}

// observe returns the function that the engine calls. It is nil if there are no
// observers, so that events then cost nothing.
func (o *observers) observe() func(observe.Event) {
	if len(o.queues) == 0 {
		return nil
	}
	return o.add
}

// add passes an event to all observers. It never waits.
func (o *observers) add(e observe.Event) {
	for _, q := range o.queues {
		if q.wants == nil || q.wants[e.Kind] {
			q.add(e)
		}
	}
}

// start begins to call the observers.
func (o *observers) start() {
	for _, q := range o.queues {
		go q.run()
	}
}

// end waits until the observers have received all events. It gives up on an
// observer whose call does not return within lastCall, and on all others at the
// deadline. The error names the observer and the number of lost events.
func (o *observers) end(deadline time.Time) error {
	faults := make([]error, len(o.queues))
	var group sync.WaitGroup
	for i, q := range o.queues {
		group.Go(func() { faults[i] = q.end(deadline) })
	}
	group.Wait()
	for _, fault := range faults {
		if fault != nil {
			return fault // one is enough; each is an event, too
		}
	}
	return nil
}

// queue holds the events that wait for one observer. If they come faster than
// the observer takes them, the oldest are dropped, and an event tells it how
// many.
type queue struct {
	number int                   // of the observer, from 1, in the order of the options
	wants  map[observe.Kind]bool // the kinds of events that it receives; nil: all
	f      func(observe.Event)
	others *observers
	wake   chan struct{}
	done   chan struct{} // closed when it has taken all events after the end

	mu        sync.Mutex
	waiting   []observe.Event
	hand      []observe.Event // taken from waiting all at once, and not delivered
	dropped   int             // events that had no room since the observer was last told
	calls     uint64          // that have begun
	began     time.Time       // when the present call began; zero: there is none
	failing   bool            // the last call panicked or exited, and the observers know
	slow      bool            // events were dropped, and the others know
	blocked   bool            // the present call takes long, and the others know
	ended     bool            // no more events come
	abandoned bool            // it is not called any more
}

func (q *queue) add(e observe.Event) {
	q.mu.Lock()
	if q.ended {
		q.mu.Unlock()
		return
	}
	if len(q.waiting) == maxWaiting {
		q.waiting = q.waiting[1:]
		q.dropped++
		q.others.dropped.Add(1)
	}
	q.waiting = append(q.waiting, e)
	becameSlow := q.dropped > 0 && !q.slow
	becameBlocked := !q.began.IsZero() && !q.blocked && time.Since(q.began) > blockedAfter
	q.slow = q.slow || becameSlow
	q.blocked = q.blocked || becameBlocked
	q.mu.Unlock()
	q.signal()
	if becameSlow {
		q.tellOthers(
			"observer_slow", fmt.Sprintf("more than %d events wait for it, and the oldest are dropped", maxWaiting),
		)
	}
	if becameBlocked {
		q.tellOthers("observer_blocked", "a call of it has not returned for "+blockedAfter.String())
	}
}

// failed returns an event about this observer.
func (q *queue) failed(code, detail string) observe.Event {
	number := strconv.Itoa(q.number)
	return observe.Event{
		Time:   time.Now(),
		Kind:   observe.ObserverFailed,
		Shard:  -1,
		Code:   code,
		Args:   map[string]string{"observer": number},
		Detail: "observer " + number + ": " + detail,
	}
}

func (q *queue) tellOthers(code, detail string) {
	e := q.failed(code, detail)
	for _, other := range q.others.queues {
		if other != q {
			other.add(e)
		}
	}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // it is awake
	}
}

// run delivers events until the end. If the observer ends this goroutine,
// another one continues.
func (q *queue) run() {
	exited := true
	defer func() {
		if !exited {
			close(q.done)
			return
		}
		q.returned(guard.ErrExited)
		go q.run()
	}()
	for e, ok := q.next(); ok; e, ok = q.next() {
		q.returned(guard.Catch(func() { q.f(e) }))
	}
	exited = false
}

// next waits for an event and returns it, or false if there will be none.
func (q *queue) next() (observe.Event, bool) {
	for {
		q.mu.Lock()
		if len(q.hand) == 0 {
			q.refill()
		}
		if q.abandoned || len(q.hand) == 0 && q.ended {
			q.mu.Unlock()
			return observe.Event{}, false
		}
		if len(q.hand) > 0 {
			e := q.hand[0]
			q.hand = q.hand[1:]
			q.calls++
			q.began = time.Now()
			q.mu.Unlock()
			return e, true
		}
		q.mu.Unlock()
		<-q.wake
	}
}

// refill takes all events that wait, after an event that tells how many were
// dropped before them. q.mu is held.
func (q *queue) refill() {
	q.hand, q.waiting = q.waiting, nil
	q.slow = len(q.hand) > 0 && q.slow
	if q.dropped == 0 {
		return
	}
	lost := q.failed("observer_slow", fmt.Sprintf("it missed %d events, for which there was no room", q.dropped))
	lost.Count = q.dropped
	q.dropped = 0
	q.hand = append([]observe.Event{lost}, q.hand...)
}

// returned records that a call of the observer is over. The first fault in a
// row is reported to all observers, this one included.
func (q *queue) returned(fault error) {
	q.mu.Lock()
	q.began, q.blocked = time.Time{}, false
	tell := fault != nil && !q.failing
	q.failing = fault != nil
	q.mu.Unlock()
	if !tell {
		return
	}
	e := q.failed("observer_exited", fault.Error())
	if p := (*guard.Panic)(nil); errors.As(fault, &p) {
		e = q.failed("observer_panicked", "panicked: "+p.Detail())
	}
	q.others.add(e)
}

// end waits until the observer has received all events; see observers.end.
func (q *queue) end(deadline time.Time) error {
	q.mu.Lock()
	q.ended = true
	calls := q.calls
	q.mu.Unlock()
	q.signal()
	for {
		timer := time.NewTimer(min(lastCall, time.Until(deadline)))
		select {
		case <-q.done:
			timer.Stop()
			return nil
		case <-timer.C:
		}
		q.mu.Lock()
		hangs := !q.began.IsZero() && q.calls == calls
		late := !time.Now().Before(deadline)
		calls = q.calls
		left := len(q.hand) + len(q.waiting) + q.dropped
		q.abandoned = q.abandoned || hangs || late
		q.mu.Unlock()
		switch {
		case hangs:
			return fmt.Errorf(
				"end observer %d: its last call has not returned; it missed %d more events", q.number, left,
			)
		case late:
			return fmt.Errorf("end observer %d: it is too slow; it missed the last %d events", q.number, left)
		}
	}
}
