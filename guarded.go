package elastic

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
)

// The engine's loop calls the functions of a Testing, so each is guarded. If
// one panics, exits, blocks, or returns a value out of range, the default
// replaces it for that call, and the observers get an event.

// optionPatience limits one call of such a function.
const optionPatience = time.Second

// guarded protects the scheduler from one function of a Testing.
type guarded struct {
	option  string
	report  func(observe.Event)
	hanging atomic.Int64 // calls that have not returned in time; while there are any, it is not called
	failing atomic.Bool  // the last call failed, and the observers know
}

// become sets the name of the function, and the function that reports its
// faults.
func (g *guarded) become(option string, report func(observe.Event)) {
	g.option = option
	g.report = report
}

// ask calls f, unless an earlier call has not returned. ok is false if there is
// no value, or check refuses it.
func ask[T any](g *guarded, f func() T, check func(T) error) (value T, ok bool) {
	if g.hanging.Load() > 0 {
		return value, false
	}
	state := new(atomic.Int32) // 1: it has returned; 2: it was given up
	value, err := guard.Call(optionPatience, func() T {
		defer func() {
			if !state.CompareAndSwap(0, 1) {
				g.hanging.Add(-1)
			}
		}()
		return f()
	})
	if blocked := (*guard.Blocked)(nil); errors.As(err, &blocked) {
		g.hanging.Add(1)
		if !state.CompareAndSwap(0, 2) {
			g.hanging.Add(-1) // it has returned at the last moment
		}
	}
	if err == nil {
		err = check(value)
	}
	if failed := err != nil; g.failing.Swap(failed) != failed && failed {
		g.tell(err)
	}
	return value, err == nil
}

func (g *guarded) tell(err error) {
	g.report(observe.Event{
		Time:   time.Now(),
		Kind:   observe.Trouble,
		Shard:  -1,
		Code:   "option_failed",
		Args:   map[string]string{"option": g.option},
		Err:    fmt.Errorf("the function of %s %w", g.option, err),
		Detail: "the default is used instead",
	})
}

// clock is the guarded Testing.Now. While the function fails, time continues
// from its last value.
type clock struct {
	guarded
	f     func() time.Time
	ahead atomic.Int64 // lead over the system's clock when the function last worked
}

func (c *clock) now() time.Time {
	t, ok := ask(&c.guarded, c.f, func(t time.Time) error {
		if year := t.UTC().Year(); year < 1900 || year > 9000 {
			return fmt.Errorf("returned %s, which no clock shows", t)
		}
		return nil
	})
	if !ok {
		return time.Now().Add(time.Duration(c.ahead.Load()))
	}
	c.ahead.Store(int64(time.Until(t)))
	return t
}

// chance is the guarded Testing.Random.
type chance struct {
	guarded
	f func(time.Duration) time.Duration
}

func (c *chance) upTo(most time.Duration) time.Duration {
	d, ok := ask(&c.guarded, func() time.Duration { return c.f(most) }, func(d time.Duration) error {
		if d < 0 || d > most {
			return fmt.Errorf("returned %s, want 0s to %s", d, most)
		}
		return nil
	})
	if !ok {
		return rand.N(most)
	}
	return d
}

// names is the guarded Testing.Incarnation.
type names struct {
	guarded
	f    func() string
	mu   sync.Mutex
	used map[string]bool
}

func (n *names) next() string {
	name, ok := ask(&n.guarded, n.f, func(name string) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		if err := layout.CheckName(name); err != nil {
			return fmt.Errorf("returned %q, which %w", name, err)
		}
		if n.used[name] {
			return fmt.Errorf("returned %q twice", name)
		}
		n.used[name] = true
		return nil
	})
	if !ok {
		return incarnation()
	}
	return name
}
