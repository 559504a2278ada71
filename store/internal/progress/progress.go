// Package progress bounds calls that may take long as long as they go on. A
// list of thousands of keys is many requests; what shows that the store is away
// is that none of them is answered, not the time of all.
package progress

import (
	"context"
	"sync"
	"time"
)

// Context returns a context that ends with its parent, or when nothing was
// reported by [Made] for a time. It then ends as one with a deadline does. A
// driver that reports nothing has that time for the whole call.
func Context(parent context.Context, patience time.Duration) (context.Context, context.CancelFunc) {
	c := &bounded{Context: parent, patience: patience, done: make(chan struct{}), end: time.Now().Add(patience)}
	c.mu.Lock()
	c.timer = time.AfterFunc(patience, func() { c.finish(context.DeadlineExceeded) })
	c.mu.Unlock()
	stop := context.AfterFunc(parent, func() { c.finish(parent.Err()) })
	return c, func() {
		stop()
		c.finish(context.Canceled)
	}
}

// Made reports that the call of ctx goes on: its patience begins again. It does
// nothing for other contexts.
func Made(ctx context.Context) {
	if c, ok := ctx.Value(key{}).(call); ok {
		c.extend()
	}
}

// Also returns a context whose progress is reported to f as well: other calls
// wait for this one.
func Also(ctx context.Context, f func()) context.Context {
	before, _ := ctx.Value(key{}).(call)
	return context.WithValue(ctx, key{}, also{before, f})
}

type key struct{}

// call receives the progress.
type call interface{ extend() }

type also struct {
	call call // nil for none
	f    func()
}

func (a also) extend() {
	if a.call != nil {
		a.call.extend()
	}
	a.f()
}

// bounded is a context with a deadline that moves.
type bounded struct {
	context.Context // the parent
	patience        time.Duration
	done            chan struct{}

	mu    sync.Mutex
	timer *time.Timer
	end   time.Time
	err   error
}

func (c *bounded) Done() <-chan struct{} { return c.done }

func (c *bounded) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Deadline returns the deadline as it is now.
func (c *bounded) Deadline() (time.Time, bool) {
	c.mu.Lock()
	end := c.end
	c.mu.Unlock()
	if parents, ok := c.Context.Deadline(); ok && parents.Before(end) {
		return parents, true
	}
	return end, true
}

func (c *bounded) Value(k any) any {
	if k == (key{}) {
		return c
	}
	return c.Context.Value(k)
}

func (c *bounded) extend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.timer.Reset(c.patience) {
		c.end = time.Now().Add(c.patience)
	}
}

func (c *bounded) finish(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	c.timer.Stop()
	close(c.done)
}
