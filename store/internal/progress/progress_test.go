package progress

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A call that goes on is not ended, nor are the contexts that were made of its
// own; one that does not go on is, as by a deadline.
func TestContext_EndsWithoutProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := Context(t.Context(), time.Second)
		defer cancel()
		child, stop := context.WithTimeout(ctx, time.Hour)
		defer stop()
		for range 10 {
			time.Sleep(900 * time.Millisecond)
			Made(child)
			if end, ok := child.Deadline(); !ok || !end.After(start) {
				t.Errorf("deadline %v, %v", end, ok)
			}
		}
		<-child.Done()
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("ended after %v", took)
		}
		for _, c := range []context.Context{ctx, child} {
			if !errors.Is(c.Err(), context.DeadlineExceeded) {
				t.Errorf("got %v", c.Err())
			}
		}
		Made(ctx)
		if ctx.Err() == nil {
			t.Error("a call that has ended goes on")
		}
	})
}

// Calls that wait for another go on while that does.
func TestAlso_ReportsToBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, cancelOne := Context(t.Context(), time.Second)
		defer cancelOne()
		two, cancelTwo := Context(t.Context(), time.Second)
		defer cancelTwo()
		both := Also(one, func() { Made(two) })
		for range 3 {
			time.Sleep(900 * time.Millisecond)
			Made(both)
		}
		if one.Err() != nil || two.Err() != nil {
			t.Errorf("got %v, %v", one.Err(), two.Err())
		}
	})
}

// Progress does not outlive the caller's own context, nor the call.
func TestContext_EndsWithItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancelParent := context.WithTimeout(t.Context(), time.Second)
		defer cancelParent()
		ctx, cancel := Context(parent, time.Hour)
		defer cancel()
		parents, _ := parent.Deadline()
		if end, _ := ctx.Deadline(); !end.Equal(parents) {
			t.Errorf("deadline %v, want %v", end, parents)
		}
		<-ctx.Done()
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("got %v", ctx.Err())
		}
		other, cancelOther := Context(t.Context(), time.Hour)
		cancelOther()
		if !errors.Is(other.Err(), context.Canceled) {
			t.Errorf("got %v", other.Err())
		}
		Made(t.Context())
	})
}
