package conformance

import (
	"errors"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// sessions: a session is alive or over, its process is the first to know, and
// its keys go with it.
func sessions() []testCase {
	return []testCase{
		{name: "SES/UsableAtOnce", run: usableAtOnce},
		{name: "SES/TTLGranted", run: ttlGranted},
		{name: "SES/TokenGrows", run: tokenGrows},
		{name: "SES/StaysAlive", run: staysAlive},
		{name: "SES/StaysAliveBusy", run: staysAliveBusy},
		{name: "SES/CtxEndsStartOnly", run: sessionCtxEndsStartOnly},
		{name: "SES/DoneOnceErr", run: doneOnceErr},
		{name: "SES/DeadlineMonotone", run: deadlineMonotone},
		{name: "SES/DeadlineBeforeExpiry", run: deadlineBeforeExpiry, needs: []Fault{Cut}},
		{name: "SES/ExpiryBound", run: expiryBound, needs: []Fault{Cut}},
		{name: "SES/CloseRemoves", run: closeRemoves},
		{name: "SES/CloseIdempotent", run: closeSessionIdempotent},
		{name: "SES/CloseEndsOne", run: closeEndsOne},
		{name: "SES/CloseWhileCut", run: closeWhileCut, needs: []Fault{Cut}},
		{name: "SES/CutHealBeforeTTL", run: cutHealBeforeTTL, needs: []Fault{Cut}},
		{name: "SES/CutHealAfterTTL", run: cutHealAfterTTL, needs: []Fault{Cut}},
		{name: "SES/Many", run: manySessions},
		{name: "SES/KilledFromOutside", run: killedFromOutside, needs: []Fault{Expire}},
		{name: "SES/StoreCloseEndsAll", run: storeCloseEndsSessions},
	}
}

func usableAtOnce(t *test) {
	a, b := t.open(), t.open()
	for i := range 10 {
		ss := a.session(0)
		key := fmt.Sprintf("d/%d", i)
		a.do(ss, store.CreateEphemeral(key, nil))
		if got := b.get(key).Owner; got != ss.ID() || got == "" {
			t.Fatalf("owner of %s is %q, want session %q", key, got, ss.ID())
		}
	}
}

func ttlGranted(t *test) {
	c := t.open()
	const rounding = time.Second
	for _, row := range []struct{ asked, least, most time.Duration }{
		{0, store.DefaultTTL, store.DefaultTTL},
		{time.Nanosecond, 0, 0},
		{7 * time.Second, 7 * time.Second, 7 * time.Second},
		{1 << 62, t.caps.MaxTTL, t.caps.MaxTTL},
	} {
		least, most := max(row.least, t.caps.MinTTL), max(row.most, t.caps.MinTTL)
		least, most = min(least, t.caps.MaxTTL), min(most, t.caps.MaxTTL)
		sent := time.Now()
		ss := c.session(row.asked)
		if ss.TTL() < least || ss.TTL() > most+rounding {
			t.Fatalf("asked for %v: got %v, want %v to %v", row.asked, ss.TTL(), least, most)
		}
		if d := ss.Deadline(); d.Before(sent) || !d.Before(time.Now().Add(ss.TTL())) {
			t.Fatalf("TTL %v: deadline %v after the start, want it before the TTL has passed", ss.TTL(), d.Sub(sent))
		}
		t.want("close session", ss.Close(t.ctx()), nil)
	}
}

func tokenGrows(t *test) {
	clients := []*client{t.open(), t.open(), t.open(), t.open()}
	var last uint64
	seen := map[string]bool{}
	for i := range 20 {
		c := clients[i%4]
		ss := c.session(0)
		if ss.Token() <= last {
			t.Fatalf("session %d: token %d after %d", i, ss.Token(), last)
		}
		if seen[ss.ID()] || ss.ID() == "" {
			t.Fatalf("session %d: ID %q is empty or was there before", i, ss.ID())
		}
		last, seen[ss.ID()] = ss.Token(), true
		if i%3 == 0 {
			t.want("close session", ss.Close(t.ctx()), nil)
		}
		if i%5 == 0 {
			c.do(nil, store.Create(fmt.Sprintf("d/%d", i), nil))
		}
	}
}

func staysAlive(t *test) {
	c := t.open()
	ss := c.session(t.steady())
	c.do(ss, store.CreateEphemeral("k", nil))
	t.outlive("idle", ss, 2*ss.TTL())
	if got := c.get("k").Owner; got != ss.ID() {
		t.Fatalf("owner is %q, want %q", got, ss.ID())
	}
	c.do(ss, store.Set("k", nil))
}

func staysAliveBusy(t *test) {
	c := t.open()
	ss := c.session(t.steady())
	end := time.Now().Add(ss.TTL() * 3 / 2)
	t.all(8, func(i int) error {
		key := fmt.Sprintf("d/%d", i)
		_, err := c.Commit(t.ctx(), store.Txn{Session: ss, Do: []store.Op{store.CreateEphemeral(key, nil)}})
		for err == nil && time.Now().Before(end) {
			_, err = c.Commit(t.ctx(), store.Txn{Session: ss, Do: []store.Op{store.Set(key, nil)}})
		}
		return err
	})
	t.wantAlive("busy", ss)
}

func sessionCtxEndsStartOnly(t *test) {
	c := t.open()
	ctx, cancel := t.cancellable()
	ss, err := c.NewSession(ctx, store.SessionOptions{TTL: t.steady()})
	t.want("new session", err, nil)
	cancel()
	t.outlive("its ctx cancelled", ss, ss.TTL()*3/2)
}

func doneOnceErr(t *test) {
	c := t.open()
	ss := c.session(0)
	t.wantAlive("new", ss)
	t.want("close", ss.Close(t.ctx()), nil)
	for range 2 {
		t.wantDone("closed", ss, 0, store.ErrClosed)
		t.want("close the store", c.Close(t.ctx()), nil)
	}
}

func deadlineMonotone(t *test) {
	c := t.open()
	ss := c.session(t.steady())
	first := ss.Deadline()
	last := first
	t.eventually(3*ss.TTL(), "the deadline moves on", func() bool {
		d := ss.Deadline()
		if d.Before(last) {
			t.Fatalf("the deadline went back by %v", last.Sub(d))
		}
		if d.After(time.Now().Add(ss.TTL())) {
			t.Fatalf("the deadline is %v away, the TTL %v", time.Until(d), ss.TTL())
		}
		last = d
		return d.After(first.Add(ss.TTL()))
	})
}

// The central promise: a process that can't reach the store knows that its
// session is over before any other process sees its keys go.
func deadlineBeforeExpiry(t *test) {
	observer := t.open()
	f := t.follow(observer, "d")
	type instance struct {
		*client
		ss store.Session
	}
	instances := map[string]instance{}
	for i := range 5 {
		c := t.open()
		ss := c.session(t.brief())
		key := fmt.Sprintf("d/%d", i)
		c.do(ss, store.CreateEphemeral(key, nil))
		instances[key] = instance{c, ss}
	}
	f.until("all keys are there", func() bool { return len(f.state) == len(instances) })
	for _, i := range instances {
		t.cut(i.client)
	}
	for len(f.state) > 0 {
		u, err := f.next(t.ctx())
		t.want("watch", err, nil)
		for _, key := range u.Deleted {
			ss := instances[key].ss
			select {
			case <-ss.Done():
			default:
				t.Fatalf("%s is gone and its session not done; its deadline is %v away", key, time.Until(ss.Deadline()))
			}
		}
	}
	for _, i := range instances {
		t.wantDone("cut off", i.ss, 0, store.ErrSessionLost)
	}
}

func expiryBound(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(t.brief())
	a.do(ss, store.CreateEphemeral("d/dies", nil), store.Create("d/stays", nil))
	t.cut(a)
	since := time.Now()
	t.wantDone("cut off", ss, ss.TTL()+slack, store.ErrSessionLost)
	if late := time.Since(ss.Deadline()); late > slack {
		t.Fatalf("done %v after the deadline", late)
	}
	gone := func() bool { return len(b.list("d")) == 1 }
	t.eventually(t.expired(ss)-time.Since(since), "the keys of a session that is cut off are gone", gone)
	b.wantKeys("d", "d/stays")
}

func closeRemoves(t *test) {
	a, b := t.open(), t.open()
	next := b.session(0)
	for i := range 10 {
		ss := a.session(0)
		a.do(ss, store.CreateEphemeral("d/k", nil))
		t.want("close session", ss.Close(t.ctx()), nil)
		b.wantAbsent("d/k")
		b.do(next, store.CreateEphemeral("d/k", nil)) // Consul delays a lock by 15 s unless told otherwise
		b.do(next, store.Delete("d/k"), store.Create(fmt.Sprintf("rounds/%d", i), nil))
	}
}

func closeSessionIdempotent(t *test) {
	c := t.open()
	ss := c.session(0)
	c.do(ss, store.CreateEphemeral("k", nil))
	t.all(8, func(int) error {
		if err := ss.Close(t.ctx()); err != nil {
			return err
		}
		if _, err := c.Get(t.ctx(), "k"); !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("get after Close: %v, want ErrNotFound", err)
		}
		return nil
	})
	t.want("once more", ss.Close(t.ctx()), nil)
	t.wantDone("closed", ss, 0, store.ErrClosed)
}

func closeEndsOne(t *test) {
	c := t.open()
	one, other := c.session(t.steady()), c.session(t.steady())
	c.do(one, store.CreateEphemeral("d/one", nil))
	c.do(other, store.CreateEphemeral("d/other", nil))
	t.want("close session", one.Close(t.ctx()), nil)
	t.outlive("the other session closed", other, other.TTL()*3/2)
	c.wantKeys("d", "d/other")
}

func closeWhileCut(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(t.brief())
	a.do(ss, store.CreateEphemeral("k", nil))
	t.cut(a)
	const bound = 200 * time.Millisecond
	since := time.Now()
	if err := ss.Close(t.within(bound)); err == nil {
		t.Fatal("close session: nil, though nothing gets through")
	}
	if took := time.Since(since); took > bound+slack {
		t.Fatalf("close session took %v, its ctx lasted %v", took, bound)
	}
	t.wantDone("close failed", ss, 0, store.ErrClosed)
	gone := func() bool { return len(b.list("")) == 0 }
	t.eventually(t.expired(ss), "the key of a session that can't be closed is gone", gone)
	since = time.Now()
	a.Close(t.within(bound))
	if took := time.Since(since); took > bound+slack {
		t.Fatalf("close store took %v, its ctx lasted %v", took, bound)
	}
}

func cutHealBeforeTTL(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(2 * t.steady())
	a.do(ss, store.CreateEphemeral("d/k", nil))
	f := t.follow(b, "d")
	f.reset()
	t.cut(a)
	t.outlive("cut off for a moment", ss, ss.TTL()/4)
	t.heal(a)
	before := ss.Deadline()
	t.eventually(ss.TTL(), "the session is renewed after Heal", func() bool { return ss.Deadline().After(before) })
	t.outlive("renewed again", ss, ss.TTL()*3/4)
	if u, err := f.next(t.within(50 * time.Millisecond)); err == nil && len(u.Entries)+len(u.Deleted) > 0 {
		t.Fatalf("others saw %s, though the session lived", show(u))
	}
	a.do(ss, store.Set("d/k", nil))
}

func cutHealAfterTTL(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(t.brief())
	a.do(ss, store.CreateEphemeral("d/old", nil))
	t.cut(a)
	t.wantDone("cut off", ss, ss.TTL()+slack, store.ErrSessionLost)
	t.eventually(t.expired(ss), "the key is gone", func() bool { return len(b.list("d")) == 0 })
	t.heal(a)
	_, err := a.Commit(t.ctx(), store.Txn{Session: ss, Do: []store.Op{store.Create("d/ghost", nil)}})
	t.want("commit after the heal", err, store.ErrSessionLost)
	t.wantDone("healed", ss, 0, store.ErrSessionLost)

	var next store.Session
	t.eventually(patience, "a new session can be had after Heal", func() bool {
		next, err = a.NewSession(t.within(3*time.Second), store.SessionOptions{})
		return err == nil
	})
	if next.Token() <= ss.Token() || next.ID() == ss.ID() {
		t.Fatalf("new session %q has token %d, the lost one %q had %d", next.ID(), next.Token(), ss.ID(), ss.Token())
	}
	a.do(next, store.CreateEphemeral("d/new", nil))
	b.wantKeys("d", "d/new")
}

func manySessions(t *test) {
	// A server that two hundred ask for a session at the same moment may be a
	// second late for all of them.
	const n, atOnce = 200, 20
	c := t.open()
	list := make([]store.Session, n)
	ttl := 4 * t.steady()
	t.all(atOnce, func(worker int) (err error) {
		for i := worker; i < n; i += atOnce {
			list[i], err = c.NewSession(t.ctx(), store.SessionOptions{TTL: ttl})
			if err != nil {
				return err
			}
			op := store.CreateEphemeral(fmt.Sprintf("d/%03d", i), nil)
			if _, err = c.Commit(t.ctx(), store.Txn{Session: list[i], Do: []store.Op{op}}); err != nil {
				return err
			}
		}
		return nil
	})
	t.outlive("one of many", list[n-1], list[n-1].TTL())
	if got := len(c.list("d")); got != n {
		t.Fatalf("%d of %d sessions live", got, n)
	}
	t.all(atOnce, func(worker int) error {
		for i := worker; i < n; i += atOnce {
			if err := list[i].Close(t.ctx()); err != nil {
				return err
			}
		}
		return nil
	})
	c.wantKeys("d")
}

func killedFromOutside(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(t.brief())
	a.do(ss, store.CreateEphemeral("d/k", nil))
	t.expire(ss)
	t.wantDone("ended by the server", ss, ss.TTL()+slack, store.ErrSessionLost)
	t.eventually(t.expired(ss), "its key is gone", func() bool { return len(b.list("d")) == 0 })
	t.want("close a lost session", ss.Close(t.ctx()), nil)
	t.wantDone("lost and closed", ss, 0, store.ErrSessionLost)
	a.do(a.session(0), store.CreateEphemeral("d/k", nil))
}

func storeCloseEndsSessions(t *test) {
	a, b := t.open(), t.open()
	var all []store.Session
	for i := range 5 {
		ss := a.session(0)
		a.do(ss, store.CreateEphemeral(fmt.Sprintf("d/%d", i), nil))
		all = append(all, ss)
	}
	t.all(3, func(int) error { return a.Close(t.ctx()) })
	for _, ss := range all {
		t.wantDone("store closed", ss, 0, store.ErrClosed)
	}
	b.wantKeys("d")
}
