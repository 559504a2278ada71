package runctx

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

var (
	errLate = errors.New("too late")
	errStop = errors.New("stop")
	errGone = errors.New("gone")
)

// pair is a Context and what package context makes of the same parent.
type pair struct {
	c      *Context
	lose   context.CancelCauseFunc
	want   context.Context
	cancel context.CancelCauseFunc
}

func newPair(parent context.Context, timeout time.Duration) pair {
	var p pair
	parent, p.lose = context.WithCancelCause(parent)
	p.c = new(Context)
	p.want, p.cancel = context.WithCancelCause(parent)
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
		var stop context.CancelFunc
		p.want, stop = context.WithDeadlineCause(p.want, deadline, errLate)
		context.AfterFunc(p.want, stop)
	}
	p.c.Start(parent, deadline, errLate)
	return p
}

func (p pair) end(cause error) {
	p.c.End(cause)
	p.cancel(cause)
}

// looks are the ways to look at a context. Each is the first in turn: none may
// change what the others see.
var looks = map[string]func(context.Context) any{
	"Err":   func(ctx context.Context) any { return ctx.Err() },
	"Cause": func(ctx context.Context) any { return context.Cause(ctx) },
	"Done": func(ctx context.Context) any {
		select {
		case <-ctx.Done():
			return true
		default:
			return false
		}
	},
	"Deadline": func(ctx context.Context) any {
		at, ok := ctx.Deadline()
		return fmt.Sprint(at, ok)
	},
	"Value": func(ctx context.Context) any { return ctx.Value(key{}) },
	"child": func(ctx context.Context) any {
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		synctest.Wait()
		return fmt.Sprint(child.Err(), context.Cause(child))
	},
	"AfterFunc": func(ctx context.Context) any {
		called := false
		stop := context.AfterFunc(ctx, func() { called = true })
		synctest.Wait()
		return fmt.Sprint(called, stop())
	},
}

type key struct{}

// Whatever ends a context, and however it is looked at, before and after: it
// behaves as one of package context.
func TestContext_BehavesAsContext(t *testing.T) {
	stories := map[string]func(p pair){
		"nothing happens":      func(pair) {},
		"it is ended":          func(p pair) { p.end(errStop) },
		"it is ended with nil": func(p pair) { p.end(nil) },
		"it is ended twice":    func(p pair) { p.end(errStop); p.end(errGone) },
		"its parent ends":      func(p pair) { p.lose(errGone) },
		"its deadline passes":  func(pair) { time.Sleep(2 * time.Second) },
		"too late, then ended": func(p pair) {
			time.Sleep(2 * time.Second)
			p.end(errStop)
		},
		"the parent, then ended": func(p pair) { p.lose(errGone); p.end(errStop) },
		"ended, then too late":   func(p pair) { p.end(errStop); time.Sleep(2 * time.Second) },
		"ended, then the parent": func(p pair) { p.end(errStop); p.lose(errGone) },
	}
	for story, happens := range stories {
		for _, timeout := range []time.Duration{0, time.Second} {
			for before := range looks {
				for after := range looks {
					synctest.Test(t, func(t *testing.T) {
						p := newPair(context.WithValue(t.Context(), key{}, "value"), timeout)
						if got, want := looks[before](p.c), looks[before](p.want); got != want {
							t.Errorf("%s: at first %s is %v, want %v", story, before, got, want)
						}
						happens(p)
						synctest.Wait()
						for _, how := range []string{after, before} {
							if got, want := looks[how](p.c), looks[how](p.want); got != want {
								t.Errorf("%s, timeout %s, seen by %s: %s is %v, want %v",
									story, timeout, before, how, got, want)
							}
						}
						if got, want := p.c.Cause(), context.Cause(p.want); got != want {
							t.Errorf("%s, timeout %s: the cause is %v, want %v", story, timeout, got, want)
						}
						p.end(nil)
					})
				}
			}
		}
	}
}

// A context that was not looked at before its end tells the same afterwards.
func TestContext_FirstLookAfterEnd(t *testing.T) {
	for how := range looks {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t.Context(), time.Second)
			p.end(errStop)
			p.lose(errGone)
			synctest.Wait()
			if got, want := looks[how](p.c), looks[how](p.want); got != want {
				t.Errorf("%s is %v, want %v", how, got, want)
			}
		})
	}
}

// A run whose handler does not look at its context costs one object.
func TestContext_CostsNothing(t *testing.T) {
	parent, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	deadline := time.Now().Add(time.Hour)
	n := testing.AllocsPerRun(100, func() {
		c := new(Context)
		c.Start(parent, deadline, errLate)
		if c.Err() != nil || c.Cause() != nil || c.Value(key{}) != nil {
			t.Error("it has ended")
		}
		c.End(nil)
	})
	if n > 1 {
		t.Errorf("%v allocations, want 1", n)
	}
}
