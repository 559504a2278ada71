// Package runctx has the context of a run: it ends like one of package context,
// and costs nothing until a handler asks for its end.
//
// Most handlers are quick and never do. A context of package context registers
// itself with its parent, and with a timer if it has a deadline, whether its
// end is waited for or not.
package runctx

import (
	"context"
	"sync"
	"time"
)

// Context is a context.Context that ends with its parent, at its deadline, or
// by End. The first of them is its cause, except that the end of the parent
// counts before a deadline if the context was not looked at between the two.
// Use Start before anything else.
type Context struct {
	parent   context.Context
	deadline time.Time
	late     error
	run      any

	mu     sync.Mutex
	ended  bool
	cause  error
	inner  context.Context // made when its end is asked for; nil before
	cancel context.CancelCauseFunc
	stop   context.CancelFunc // of its timer; nil if it has no deadline
}

// Start sets the parent, and a deadline with the cause of an end by it. A zero
// deadline is none.
func (c *Context) Start(parent context.Context, deadline time.Time, late error) {
	c.parent = parent
	c.deadline = deadline
	c.late = late
}

// End ends the context. If it has ended before, End does nothing.
func (c *Context) End(cause error) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	if c.inner == nil && (c.passed() || c.parent != nil && c.parent.Err() != nil) {
		c.make() // it has ended for another reason, and must say so from now on
	}
	c.ended, c.cause = true, cause
	cancel, stop := c.cancel, c.stop
	c.mu.Unlock()
	if cancel != nil {
		cancel(cause)
	}
	if stop != nil {
		stop()
	}
}

// Cause returns why the context has ended: the cause that was given to End, or
// that of the parent's end or of the deadline. It is nil if it has not ended.
func (c *Context) Cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.inner != nil:
		return context.Cause(c.inner)
	case c.ended && c.cause == nil:
		return context.Canceled
	case c.ended:
		return c.cause
	case c.parent.Err() != nil:
		return context.Cause(c.parent)
	case c.late != nil && c.passed():
		return c.late
	}
	return nil
}

func (c *Context) passed() bool { return !c.deadline.IsZero() && !time.Now().Before(c.deadline) }

// Deadline returns the deadline, or that of the parent if it comes first.
func (c *Context) Deadline() (time.Time, bool) {
	at, ok := c.parent.Deadline()
	if !c.deadline.IsZero() && (!ok || c.deadline.Before(at)) {
		return c.deadline, true
	}
	return at, ok
}

// Done returns a channel that is closed when the context ends.
func (c *Context) Done() <-chan struct{} { return c.real().Done() }

// Err returns nil, or context.Canceled or context.DeadlineExceeded once the
// context has ended.
func (c *Context) Err() error {
	c.mu.Lock()
	alive := c.inner == nil && !c.ended && c.parent.Err() == nil && !c.passed()
	c.mu.Unlock()
	if alive {
		return nil
	}
	return c.real().Err()
}

// runKey is the key of the run of a context.
type runKey struct{}

// SetRun sets what [RunOf] returns. It must be called before the context is
// used.
func (c *Context) SetRun(run any) { c.run = run }

// WithRun returns a context of package context with a run.
func WithRun(ctx context.Context, run any) context.Context {
	return context.WithValue(ctx, runKey{}, run)
}

// RunOf returns the run of a context, or of the context that it was made from;
// nil if there is none.
func RunOf(ctx context.Context) any { return ctx.Value(runKey{}) }

// Value returns the value of the parent. Package context asks for a key of its
// own to find the cause of a context, so once it may have ended a real context
// answers.
func (c *Context) Value(key any) any {
	if key == (runKey{}) {
		return c.run
	}
	c.mu.Lock()
	alive := c.inner == nil && !c.ended && !c.passed()
	c.mu.Unlock()
	if alive {
		return c.parent.Value(key)
	}
	return c.real().Value(key)
}

// real returns a context of package context that ends as this one does.
func (c *Context) real() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		c.make()
	}
	return c.inner
}

// make makes the inner context. c.mu is held.
func (c *Context) make() {
	parent := c.parent
	if c.ended {
		parent = context.WithoutCancel(parent) // which may have ended later
	}
	inner, cancel := context.WithCancelCause(parent)
	if c.ended {
		cancel(c.cause)
	}
	c.inner, c.cancel = inner, cancel
	if !c.deadline.IsZero() {
		c.inner, c.stop = context.WithDeadlineCause(inner, c.deadline, c.late)
	}
}
