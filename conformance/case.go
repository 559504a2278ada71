package conformance

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// patience bounds the wait for what must happen, without a promised time. It is
// long because only a failure waits for it, and servers on a busy machine can
// take many seconds to elect a leader. The suite's own test, which provokes
// failures, shortens it.
var patience = time.Minute

// TTLs that the suite asks for where it waits for them, unless the backend's
// shortest is longer. A busy machine can pause for half a second, and sessions
// with a short TTL are then lost for good reason.
const (
	shortTTL  = time.Second             // of sessions that are to be lost
	steadyTTL = 1500 * time.Millisecond // of sessions that must not be
)

// slack is how late the suite's own timers and requests may be.
const slack = 2 * time.Second

// test is a running case: a namespace, and methods to write the checks with. A
// method that fails ends the case and does not return, so it belongs in the
// goroutine of the case.
type test struct {
	testing.TB
	harness Harness
	ns      Namespace
	elects  bool // ns is on servers that may be without a leader at any moment: see insist
	caps    store.Caps
	life    context.Context
	seed    uint64
	history *history
	opened  *atomic.Int64 // stores so far
}

func newTest(t testing.TB, h Harness) *test {
	life, cancel := context.WithTimeout(context.Background(), 4*patience) // calls are bounded by store.Portable besides
	t.Cleanup(cancel)
	return &test{
		TB:      t,
		harness: h,
		ns:      h.New(t),
		life:    life,
		seed:    seed(),
		history: &history{start: time.Now()},
		opened:  &atomic.Int64{},
	}
}

// ctx returns a context that lasts as long as the case.
func (t *test) ctx() context.Context { return t.life }

// within returns a context that lasts for d. Do not call it in loops: its
// context is released at the end of the case.
func (t *test) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func (t *test) cancellable() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return ctx, cancel
}

// ended returns a context that was cancelled before.
func (t *test) ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// insist makes a call. On a cluster it repeats a call that had no effect,
// because the servers can be without a leader at any moment on a busy machine.
func insist[T any](t *test, call func() (T, error)) (T, error) {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		v, err := call()
		if !t.elects || !errors.Is(err, store.ErrUnavailable) || time.Now().After(end) {
			return v, err
		}
	}
}

// all runs f n times at once and fails the case with the first error.
func (t *test) all(n int, f func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("%d of %d: %v", i, n, err)
		}
	}
}

// brief returns the TTL of a session that is to be lost, steady the TTL of one
// that must live.
func (t *test) brief() time.Duration { return max(t.caps.MinTTL, shortTTL) }

func (t *test) steady() time.Duration { return max(t.caps.MinTTL, steadyTTL) }

// expired bounds the time until the keys of a session are gone if it is not
// renewed from now on.
func (t *test) expired(ss store.Session) time.Duration { return ss.TTL() + t.caps.ExpiryLag + slack }

func (t *test) cut(c *client) {
	t.Helper()
	t.Cleanup(func() { t.heal(c) })
	t.ns.(Cutter).Cut(t.TB, c.opened)
}

func (t *test) heal(c *client) { t.ns.(Cutter).Heal(t.TB, c.opened) }

func (t *test) expire(ss store.Session) { t.ns.(Expirer).ExpireSession(t.TB, ss.ID()) }
