// Package workers runs tasks on goroutines that rest between tasks.
//
// A goroutine for each task costs about a microsecond and grows a new stack
// each time. A pool with a fixed number of goroutines is cheaper, but a task
// that blocks delays those behind it. The pool here has both: as long as a task
// waits, one goroutine is on its way to take it, and the pool grows until that
// is so.
package workers

import (
	"runtime"
	"sync"
)

// Pool runs tasks. Tasks begin in the order in which they were added, and each
// begins at once, however many others block. Use New. All methods may be called
// by several goroutines at a time.
type Pool[T any] struct {
	do   func(T)
	rest int

	mu      sync.Mutex
	queue   []T // the tasks that wait, from head on
	head    int
	coming  bool            // a goroutine that was woken or started has not looked at the queue yet
	resting []chan struct{} // a goroutine waits for each
	closed  bool
	rests   sync.WaitGroup // counts resting
}

// New returns a pool that calls do for each task. It starts nothing. do must
// not panic; it may block, and it may end its goroutine.
func New[T any](do func(T)) *Pool[T] {
	return &Pool[T]{do: do, rest: 64 * runtime.GOMAXPROCS(0)}
}

// Add gives tasks to the pool. It does not block.
func (p *Pool[T]) Add(tasks ...T) {
	if len(tasks) == 0 {
		return
	}
	p.mu.Lock()
	p.queue = append(p.queue, tasks...)
	wake := p.call()
	p.mu.Unlock()
	p.come(wake)
}

// Close ends the goroutines that rest, and waits for their end. Those that run
// a task end when it has returned and no task waits. A closed pool runs what is
// added all the same, on new goroutines.
func (p *Pool[T]) Close() {
	p.mu.Lock()
	p.closed = true
	for _, wake := range p.resting {
		close(wake)
	}
	p.resting = nil
	p.mu.Unlock()
	p.rests.Wait()
}

// call decides who comes for the tasks that wait: a resting goroutine, a new
// one, or none because one comes already. p.mu is held, and the caller passes
// the answer to come when it is not.
//
// One that comes is enough. When it takes a task it calls the next, so that
// quick tasks are run by few goroutines, and blocking ones by one each.
func (p *Pool[T]) call() (wake called) {
	if p.coming || p.head == len(p.queue) {
		return called{}
	}
	p.coming = true
	if last := len(p.resting) - 1; last >= 0 {
		wake.resting = p.resting[last] // its stack is the warmest
		p.resting[last] = nil
		p.resting = p.resting[:last]
		return wake
	}
	wake.start = true
	return wake
}

// called is the goroutine that comes. The zero called is none.
type called struct {
	resting chan struct{}
	start   bool
}

func (p *Pool[T]) come(c called) {
	switch {
	case c.resting != nil:
		c.resting <- struct{}{}
	case c.start:
		go p.work()
	}
}

// work runs tasks until none waits and enough goroutines rest.
func (p *Pool[T]) work() {
	ended := false
	defer func() {
		if !ended { // a task has ended this goroutine
			p.mu.Lock()
			c := p.call()
			p.mu.Unlock()
			p.come(c)
		}
	}()
	var wake chan struct{}
	for came := true; ; came = false {
		p.mu.Lock()
		if came {
			p.coming = false
		}
		for p.head == len(p.queue) {
			p.queue, p.head = p.queue[:0], 0
			if p.closed || len(p.resting) >= p.rest {
				ended = true
				p.mu.Unlock()
				return
			}
			if wake == nil {
				wake = make(chan struct{}, 1)
			}
			p.resting = append(p.resting, wake)
			p.rests.Add(1)
			p.mu.Unlock()
			_, awake := <-wake
			p.rests.Done()
			if !awake {
				ended = true
				return
			}
			p.mu.Lock()
			p.coming = false
		}
		task := p.take()
		c := p.call()
		p.mu.Unlock()
		p.come(c)
		p.do(task)
	}
}

// take takes the first task that waits. p.mu is held.
func (p *Pool[T]) take() T {
	task := p.queue[p.head]
	var none T
	p.queue[p.head] = none
	p.head++
	if p.head >= 1024 && 2*p.head >= len(p.queue) {
		n := copy(p.queue, p.queue[p.head:])
		clear(p.queue[n:])
		p.queue, p.head = p.queue[:n], 0
	}
	return task
}
