package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// patience bounds what must happen, but not in a stated time. It is long,
// because only a failure waits for it, and servers that share a busy machine
// may take many seconds to elect a leader; the suite's own test, where failures
// are the point, shortens it.
var patience = time.Minute

// TTLs that the suite asks for where it waits for them, unless the backend's
// shortest is longer. A machine that is busy with the suite and other things
// stands still for half a second now and then, and sessions with a short TTL
// are lost for that: rightly.
const (
	shortTTL  = time.Second             // of sessions that are to be lost
	steadyTTL = 1500 * time.Millisecond // of sessions that must not be
)

// slack is how late the suite's own timers and requests may be.
const slack = 2 * time.Second

// test is one case under way: a namespace, and what the claims are written
// with. Its methods fail the case and don't return if what they do fails, so
// they belong in the goroutine of the case.
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

// client is one store on the namespace, under the checks of store.Portable.
type client struct {
	*store.Portable
	t      *test
	opened store.Store // as the harness knows it
	number int         // in the history
}

// open opens one more store, which is closed with the case.
func (t *test) open() *client {
	t.Helper()
	return t.wrap(t.ns.Open(t.TB))
}

// wrap puts what a harness opened under the checks of store.Portable, and
// closes it with the case.
func (t *test) wrap(opened store.Store) *client {
	p, ok := opened.(*store.Portable)
	if !ok {
		p = store.NewPortable(opened, store.Config{})
	}
	t.caps = p.Caps()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		p.Close(ctx)
	})
	return &client{Portable: p, t: t, opened: opened, number: int(t.opened.Add(1))}
}

// ctx returns a context that lasts as long as the case.
func (t *test) ctx() context.Context { return t.life }

// within returns a context that lasts for d. It is not for loops: it is let go
// with the case.
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

// insist makes a call, and makes it again on servers that elect: one that says
// that it had no effect may have come while they were without a leader, which
// on a busy machine is any moment.
func insist[T any](t *test, call func() (T, error)) (T, error) {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		v, err := call()
		if !t.elects || !errors.Is(err, store.ErrUnavailable) || time.Now().After(end) {
			return v, err
		}
	}
}

// want fails the case unless err is one of the sentinels wanted; nil is one,
// too.
func (t *test) want(what string, err error, sentinels ...error) {
	t.Helper()
	for _, want := range sentinels {
		if errors.Is(err, want) {
			return
		}
	}
	t.Fatalf("%s: got error %v, want %v", what, err, sentinels)
}

// eventually fails the case unless cond holds within d. It asks again and
// again: use a watch where there is one.
func (t *test) eventually(d time.Duration, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", d, what)
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

// brief is the TTL of a session that is to be lost, steady of one that must not
// be.
func (t *test) brief() time.Duration  { return max(t.caps.MinTTL, shortTTL) }
func (t *test) steady() time.Duration { return max(t.caps.MinTTL, steadyTTL) }

// expired bounds when the keys of a session are gone that is not renewed from
// now on.
func (t *test) expired(ss store.Session) time.Duration { return ss.TTL() + t.caps.ExpiryLag + slack }

func (t *test) cut(c *client) {
	t.Helper()
	t.Cleanup(func() { t.heal(c) })
	t.ns.(Cutter).Cut(t.TB, c.opened)
}

func (t *test) heal(c *client)          { t.ns.(Cutter).Heal(t.TB, c.opened) }
func (t *test) expire(ss store.Session) { t.ns.(Expirer).ExpireSession(t.TB, ss.ID()) }

// do commits a transaction without conditions and returns the version of its
// last write.
func (c *client) do(ss store.Session, ops ...store.Op) store.Version {
	c.t.Helper()
	r := c.commit(store.Txn{Session: ss, Do: ops})
	return r.Versions[len(ops)-1]
}

func (c *client) commit(t store.Txn) store.Result {
	c.t.Helper()
	r, err := insist(c.t, func() (store.Result, error) { return c.Commit(c.t.ctx(), t) })
	if err != nil {
		c.t.Fatalf("commit %s: %v", text(t), err)
	}
	if len(r.Versions) != len(t.Do) {
		c.t.Fatalf("commit %s: got %d versions, want %d", text(t), len(r.Versions), len(t.Do))
	}
	return r
}

// conflicts commits a transaction that must be refused because of key.
func (c *client) conflicts(t store.Txn, key string, reason store.ConflictReason) {
	c.t.Helper()
	_, err := c.Commit(c.t.ctx(), t)
	c.t.wantConflict(text(t), err, key, reason)
}

// wantConflict accepts a driver that can't tell the key or the reason, but not
// one that tells a wrong one.
func (t *test) wantConflict(what string, err error, key string, reason store.ConflictReason) {
	t.Helper()
	t.want(what, err, store.ErrConflict)
	var conflict *store.ConflictError
	if !errors.As(err, &conflict) {
		t.Fatalf("%s: got %v, want a *store.ConflictError", what, err)
	}
	if conflict.Key != "" && conflict.Key != key {
		t.Fatalf("%s: got a conflict on %q, want it on %q", what, conflict.Key, key)
	}
	if conflict.Reason != reason && conflict.Reason != store.Unclear {
		t.Fatalf("%s: got reason %q, want %q", what, conflict.Reason, reason)
	}
}

func (c *client) get(key string) store.Entry {
	c.t.Helper()
	e, err := insist(c.t, func() (store.Entry, error) { return c.Get(c.t.ctx(), key) })
	if err != nil {
		c.t.Fatalf("get %q: %v", key, err)
	}
	if e.Key != key || e.Version == 0 {
		c.t.Fatalf("get %q: got key %q, version %d", key, e.Key, e.Version)
	}
	return e
}

func (c *client) wantValue(key, want string) {
	c.t.Helper()
	if got := c.get(key); string(got.Value) != want {
		c.t.Fatalf("get %q: got %q, want %q", key, got.Value, want)
	}
}

func (c *client) wantAbsent(keys ...string) {
	c.t.Helper()
	for _, key := range keys {
		e, err := c.Get(c.t.ctx(), key)
		if !errors.Is(err, store.ErrNotFound) {
			c.t.Fatalf("get %q: got %v, %v, want ErrNotFound", key, e, err)
		}
	}
}

func (c *client) list(prefix string) []store.Entry {
	c.t.Helper()
	entries, err := insist(c.t, func() ([]store.Entry, error) { return c.List(c.t.ctx(), prefix) })
	if err != nil {
		c.t.Fatalf("list %q: %v", prefix, err)
	}
	return entries
}

// wantKeys fails the case unless exactly these keys are below prefix, in this
// order.
func (c *client) wantKeys(prefix string, want ...string) {
	c.t.Helper()
	if got := keys(c.list(prefix)); !slices.Equal(got, want) {
		c.t.Fatalf("list %q: got %q, want %q", prefix, got, want)
	}
}

// session starts a session that lives until the case ends; zero is the default
// TTL, which nothing waits for.
func (c *client) session(ttl time.Duration) store.Session {
	c.t.Helper()
	ss, err := insist(c.t, func() (store.Session, error) {
		return c.NewSession(c.t.ctx(), store.SessionOptions{TTL: ttl, Name: "conformance"})
	})
	if err != nil {
		c.t.Fatalf("new session: %v", err)
	}
	return ss
}

func (t *test) wantDone(what string, ss store.Session, within time.Duration, want error) {
	t.Helper()
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-ss.Done():
	case <-late.C:
		select {
		case <-ss.Done(): // both were ready
		default:
			t.Fatalf("%s: session is not done within %v", what, within)
		}
	}
	t.want(what+": session", ss.Err(), want)
}

// timed tells, when a session has ended, how long after its deadline that was.
func (t *test) timed(ss store.Session) <-chan time.Duration {
	after := make(chan time.Duration, 1)
	go func() {
		<-ss.Done() // when its store is closed, at the latest
		after <- time.Since(ss.Deadline())
	}()
	return after
}

// wantInTime fails the case if a session ended later than the timer of a busy
// machine may be after its deadline.
func (t *test) wantInTime(after time.Duration) {
	t.Helper()
	const most = 500 * time.Millisecond
	if after > most {
		t.Fatalf("the session ended %v after its deadline, want %v at most", after, most)
	}
}

func (t *test) wantAlive(what string, ss store.Session) {
	t.Helper()
	select {
	case <-ss.Done():
		t.Fatalf("%s: session is done: %v", what, ss.Err())
	default:
	}
	if err := ss.Err(); err != nil {
		t.Fatalf("%s: session has error %v and is not done", what, err)
	}
}

// outlive fails the case if the session ends within d.
func (t *test) outlive(what string, ss store.Session, d time.Duration) {
	t.Helper()
	select {
	case <-ss.Done():
		t.Fatalf("%s: session is done: %v", what, ss.Err())
	case <-time.After(d):
		t.wantAlive(what, ss)
	}
	if left := time.Until(ss.Deadline()); left <= 0 {
		t.Fatalf("%s: not done %v after its deadline", what, -left)
	}
}

func keys(entries []store.Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Key)
	}
	return out
}

// text shows a transaction in a message.
func text(t store.Txn) string {
	var b strings.Builder
	for _, c := range t.If {
		fmt.Fprintf(&b, "if %s@%d ", c.Key, c.Version)
	}
	for _, op := range t.Do {
		value := op.Value
		if len(value) > 20 {
			value = value[:20]
		}
		fmt.Fprintf(
			&b, "%s %s=%q ",
			[...]string{"?", "create", "create-ephemeral", "set", "delete"}[min(op.Kind, 4)], op.Key, value,
		)
	}
	return strings.TrimSpace(b.String())
}
