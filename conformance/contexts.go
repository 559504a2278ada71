package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// contexts returns the cases for deadlines: every call ends in time, and what
// it reports about its effect is true.
func contexts() []testCase {
	return []testCase{
		{name: "CTX/AlreadyCancelled", run: alreadyCancelled},
		{name: "CTX/CancelInFlight", run: cancelInFlight},
		{name: "CTX/CutIsBounded", run: cutIsBounded, needs: []Fault{Cut}},
		{name: "CTX/CutCommitIsSettled", run: cutCommitIsSettled, needs: []Fault{Cut}},
		{name: "CTX/UseAfterClose", run: useAfterClose},
		{name: "CTX/CloseTwice", run: closeTwice},
		{name: "CTX/CloseDuringEverything", run: closeDuringEverything},
	}
}

// every makes one call of each method that sends a request.
func every(c *client, ss store.Session, call func(name string, f func(ctx context.Context) error)) {
	call("get", func(ctx context.Context) error { _, err := c.Get(ctx, "k"); return err })
	call("list", func(ctx context.Context) error { _, err := c.List(ctx, ""); return err })
	call("commit", func(ctx context.Context) error {
		_, err := c.Commit(ctx, store.Txn{Do: []store.Op{store.Create("ghost/lasting", nil)}})
		return err
	})
	call("commit in session", func(ctx context.Context) error {
		_, err := c.Commit(ctx, store.Txn{Session: ss, Do: []store.Op{store.CreateEphemeral("ghost/session", nil)}})
		return err
	})
	call("new session", func(ctx context.Context) error {
		_, err := c.NewSession(ctx, store.SessionOptions{})
		return err
	})
	call("watch", func(ctx context.Context) error { _, err := c.Watch(ctx, ""); return err })
}

func alreadyCancelled(t *test) {
	c := t.open()
	ss := c.session(0)
	every(c, ss, func(name string, f func(ctx context.Context) error) {
		t.want(name, f(t.ended()), context.Canceled)
	})
	c.wantKeys("")
	t.wantAlive("after calls with a ctx that had ended", ss)
}

// outcome is the result of a commit of one key, and of a read after it.
type outcome struct {
	key   string
	err   error
	there bool
}

// wantTrue checks outcomes against the store, and that none of them changes any
// more.
func (t *test) wantTrue(c *client, prefix string, outcomes []outcome) {
	t.Helper()
	there := func() map[string]bool {
		m := map[string]bool{}
		for _, e := range c.list(prefix) {
			m[e.Key] = true
		}
		return m
	}
	now := there()
	for _, o := range outcomes {
		switch {
		case o.err == nil && !now[o.key]:
			t.Fatalf("%s was committed and is absent", o.key)
		case o.err == nil, errors.Is(o.err, store.ErrUnknown):
		case !errors.Is(o.err, store.ErrUnavailable):
			t.Fatalf("%s: got %v, want nil, ErrUnknown or ErrUnavailable", o.key, o.err)
		case now[o.key]:
			t.Fatalf("%s was not applied, says %v, and is there", o.key, o.err)
		}
		if o.there != now[o.key] {
			t.Fatalf("%s, %v: present %v, and later %v", o.key, o.err, o.there, now[o.key])
		}
	}
	time.Sleep(50 * time.Millisecond) // for what is still under way, which there must not be
	later := there()
	for _, o := range outcomes {
		if now[o.key] != later[o.key] {
			t.Fatalf("%s, %v: present %v, and a moment later %v", o.key, o.err, now[o.key], later[o.key])
		}
	}
}

// Callers give up at any moment of a commit. The error of Commit must then be
// true, and stay true.
func cancelInFlight(t *test) {
	c, observer := t.open(), t.open()
	ss := c.session(0)
	start := time.Now()
	for i := range 20 {
		c.do(ss, store.Create(fmt.Sprintf("warm/%d", i), nil))
	}
	longest := int64(2 * time.Since(start) / 20)
	const workers, each = 4, 50
	outcomes := make([]outcome, workers*each)
	t.all(workers, func(w int) error {
		rand := t.rand(w)
		for n := range each {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.Int64N(longest)))
			key := fmt.Sprintf("d/%d-%d", w, n)
			_, err := c.Commit(ctx, store.Txn{Session: ss, Do: []store.Op{store.Create(key, nil)}})
			cancel()
			if err != nil && !errors.Is(err, store.ErrUnknown) && !errors.Is(err, store.ErrUnavailable) {
				return err
			}
			_, missing := observer.Get(t.ctx(), key)
			outcomes[w*each+n] = outcome{key, err, missing == nil}
		}
		return nil
	})
	t.wantAlive("after callers that gave up", ss)
	t.wantTrue(observer, "d", outcomes)
	c.do(ss, store.Create("d/after", nil))
}

func cutIsBounded(t *test) {
	c := t.open()
	ss := c.session(t.brief())
	t.cut(c)
	const bound = 100 * time.Millisecond
	every(c, ss, func(name string, f func(ctx context.Context) error) {
		since := time.Now()
		err := f(t.within(bound))
		limit := bound
		if name == "commit in session" {
			limit = max(bound, time.Until(ss.Deadline())) // it must be settled first
			t.want(name, err, store.ErrUnavailable, store.ErrUnknown, store.ErrSessionLost)
		} else {
			t.want(name, err, store.ErrUnavailable, store.ErrUnknown)
		}
		if took := time.Since(since); took > limit+slack {
			t.Fatalf("%s took %v, want %v at most", name, took, limit)
		}
	})
}

// A commit that is cut off can report that it was not sent, that its outcome is
// unknown, or that the session is over. The first two are final at once, the
// third when the store has ended the session.
func cutCommitIsSettled(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(t.brief())
	a.do(ss, store.Create("d/before", nil))
	t.cut(a)
	var outcomes []outcome
	ended := false
	since := time.Now()
	for i := 0; !ended; i++ {
		key := fmt.Sprintf("d/%d", i)
		_, err := a.Commit(t.within(50*time.Millisecond), store.Txn{
			Session: ss,
			Do:      []store.Op{store.Create(key, nil)},
		})
		if ended = errors.Is(err, store.ErrSessionLost); ended {
			t.wantDone("a commit said that it is lost", ss, slack, store.ErrSessionLost)
		} else {
			_, missing := b.Get(t.ctx(), key)
			outcomes = append(outcomes, outcome{key, err, missing == nil})
		}
		if time.Since(since) > ss.TTL()+slack {
			t.Fatalf("no commit says that the session is lost, after its TTL; the last says %v", err)
		}
		time.Sleep(10 * time.Millisecond) // a driver that knows that it is cut off may refuse at once
	}
	t.wantTrue(b, "d", outcomes)
	t.heal(a)
	t.eventually(patience, "the store can be read after Heal", func() bool {
		_, err := a.List(t.within(time.Second), "d")
		return err == nil
	})
	t.wantTrue(b, "d", outcomes)
}

func useAfterClose(t *test) {
	c := t.open()
	ss := c.session(0)
	t.want("close store", c.Close(t.ctx()), nil)
	every(c, ss, func(name string, f func(ctx context.Context) error) {
		t.want(name, f(t.ctx()), store.ErrClosed)
	})
	if got := c.Caps(); got != t.caps {
		t.Fatalf("Caps changed from %+v to %+v", t.caps, got)
	}
}

func closeTwice(t *test) {
	c := t.open()
	c.session(0)
	t.all(4, func(int) error { return c.Close(t.ctx()) })
	t.want("close once more", c.Close(t.ctx()), nil)
	fresh := t.open()
	t.want("close a store that did nothing", fresh.Close(t.ctx()), nil)
}

func closeDuringEverything(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(0)
	f := t.follow(a, "")
	var busy sync.WaitGroup
	var ended sync.WaitGroup
	var mu sync.Mutex
	var strange []error
	work := func(f func(n int) error) {
		busy.Add(1)
		warm := sync.OnceFunc(busy.Done)
		ended.Go(func() {
			defer warm()
			for n := 0; ; n++ {
				err := f(n)
				if n == 3 {
					warm()
				}
				if err == nil || errors.Is(err, store.ErrNotFound) {
					continue
				}
				for _, fine := range []error{
					store.ErrClosed, store.ErrSessionLost, store.ErrUnknown, store.ErrUnavailable,
				} {
					if errors.Is(err, fine) {
						return
					}
				}
				mu.Lock()
				strange = append(strange, err)
				mu.Unlock()
				return
			}
		})
	}
	for w := range 2 {
		work(func(n int) error { _, err := a.Get(t.ctx(), "k"); return err })
		work(func(n int) error { _, err := a.List(t.ctx(), ""); return err })
		work(func(n int) error {
			op := store.CreateEphemeral(fmt.Sprintf("e/%d/%d", w, n), nil)
			_, err := a.Commit(t.ctx(), store.Txn{Session: ss, Do: []store.Op{op}})
			return err
		})
		work(func(n int) error {
			_, err := a.Commit(t.ctx(), store.Txn{Do: []store.Op{store.Create(fmt.Sprintf("l/%d/%d", w, n), nil)}})
			return err
		})
		work(func(n int) error { _, err := a.NewSession(t.ctx(), store.SessionOptions{}); return err })
	}
	work(func(int) error { _, err := f.next(t.ctx()); return err })
	work(func(int) error {
		w, err := a.Watch(t.ctx(), "d")
		if err == nil {
			_, err = w.Next(t.ctx())
		}
		if err == nil {
			err = w.Close()
		}
		return err
	})
	busy.Wait()
	t.want("close store", a.Close(t.ctx()), nil)
	finished := make(chan struct{})
	go func() { ended.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-time.After(patience):
		t.Fatalf("calls did not return within %v of Close", patience)
	}
	for _, err := range strange {
		t.Errorf("during Close: %v", err)
	}
	b.wantKeys("e")
}
