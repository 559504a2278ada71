package conformance

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// ephemerals returns the cases for ephemeral keys: a key belongs to its
// session, even when others write it, and it ends with the session for good.
func ephemerals() []testCase {
	return []testCase{
		{name: "EPH/OwnerReported", run: ownerReported},
		{name: "EPH/SetKeepsOwner", run: setKeepsOwner},
		{name: "EPH/LastingStaysLasting", run: lastingStaysLasting},
		{name: "EPH/DeleteByOther", run: deleteByOther},
		{name: "EPH/RecreatedIsAnother", run: recreatedIsAnother},
		{name: "EPH/Thousands", run: thousandsOfEphemerals},
		{name: "EPH/Takeover", run: takeover},
		{name: "EPH/NoResurrection", run: noResurrection, needs: []Fault{Expire}},
	}
}

func ownerReported(t *test) {
	a, b := t.open(), t.open()
	before := t.follow(b, "d")
	before.reset()
	ss := a.session(0)
	a.do(ss, store.CreateEphemeral("d/mine", nil), store.Create("d/lasting", nil))
	for _, c := range []*client{a, b} {
		if mine, lasting := c.get("d/mine").Owner, c.get("d/lasting").Owner; mine != ss.ID() || lasting != "" {
			t.Fatalf("get: owners %q and %q, want %q and none", mine, lasting, ss.ID())
		}
		if l := c.list("d"); l[1].Owner != ss.ID() || l[0].Owner != "" {
			t.Fatalf("list: owners %q and %q, want %q and none", l[1].Owner, l[0].Owner, ss.ID())
		}
	}
	after := t.follow(b, "d")
	for _, f := range []*follower{before, after} {
		f.untilEqual(a.list("d"))
	}
}

// A plain Put to etcd takes a key off its lease, and it stays for ever.
func setKeepsOwner(t *test) {
	a, b := t.open(), t.open()
	mine, other := a.session(0), b.session(0)
	a.do(mine, store.CreateEphemeral("d/k", []byte("created")))
	created := a.get("d/k").Created
	for i, write := range []func(value []byte){
		func(value []byte) { a.do(mine, store.Set("d/k", value)) },
		func(value []byte) { a.do(nil, store.Set("d/k", value)) },
		func(value []byte) { b.do(nil, store.Set("d/k", value)) },
		func(value []byte) { b.do(other, store.Set("d/k", value)) },
	} {
		value := fmt.Sprint(i)
		write([]byte(value))
		if e := a.get("d/k"); e.Owner != mine.ID() || e.Created != created || string(e.Value) != value {
			t.Fatalf("write %d: got %+v, want value %s, owner %s, created %d", i, e, value, mine.ID(), created)
		}
	}
	t.want("close another session that wrote", other.Close(t.ctx()), nil)
	a.wantValue("d/k", "3")
	t.want("close the owner's session", mine.Close(t.ctx()), nil)
	b.wantAbsent("d/k")
}

func lastingStaysLasting(t *test) {
	c := t.open()
	ss := c.session(0)
	c.do(nil, store.Create("d/before", nil))
	c.do(ss, store.Create("d/in", nil), store.Set("d/before", []byte("v")))
	t.want("close session", ss.Close(t.ctx()), nil)
	c.wantKeys("d", "d/before", "d/in")
}

func deleteByOther(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(0)
	a.do(ss, store.CreateEphemeral("d/1", nil), store.CreateEphemeral("d/2", nil))
	f := t.follow(a, "d")
	f.reset()
	b.do(nil, store.Delete("d/1"))
	f.until("the owner sees that its key is gone", func() bool { return len(f.state) == 1 })
	t.wantAlive("its key was deleted", ss)
	a.do(ss, store.CreateEphemeral("d/1", nil))
	if got := b.get("d/1").Owner; got != ss.ID() {
		t.Fatalf("created again: owner %q, want %q", got, ss.ID())
	}
	t.want("close session", ss.Close(t.ctx()), nil)
	b.wantKeys("d")
}

func recreatedIsAnother(t *test) {
	a, b := t.open(), t.open()
	mine, other := a.session(0), b.session(0)
	a.do(mine, store.CreateEphemeral("d/1", nil), store.CreateEphemeral("d/2", nil))
	b.do(nil, store.Delete("d/1"), store.Delete("d/2"))
	b.do(other, store.Create("d/1", nil), store.CreateEphemeral("d/2", nil))
	t.want("close session", mine.Close(t.ctx()), nil)
	b.wantKeys("d", "d/1", "d/2") // neither was the closed session's any more
	t.want("close session", other.Close(t.ctx()), nil)
	a.wantKeys("d", "d/1")
}

func thousandsOfEphemerals(t *test) {
	const n = 2000
	a, b := t.open(), t.open()
	ss := a.session(0)
	for i := 0; i < n; {
		var ops []store.Op
		for ; len(ops) < min(t.caps.MaxOps, 100) && i < n; i++ {
			ops = append(ops, store.CreateEphemeral(fmt.Sprintf("d/%04d", i), nil))
		}
		a.do(ss, ops...)
	}
	f := t.follow(b, "d")
	if got := len(f.reset().Entries); got != n {
		t.Fatalf("got %d keys, want %d", got, n)
	}
	t.want("close session", ss.Close(t.ctx()), nil)
	b.wantKeys("d")
	f.until("the watch has seen every key go", func() bool { return len(f.state) == 0 })
}

// takeover uses a leader's key: each candidate waits until the key is gone and
// then creates it.
func takeover(t *test) {
	const rounds, candidates = 3, 4
	var holders, terms atomic.Int32
	clients := make([]*client, candidates)
	followers := make([]*follower, candidates)
	for i := range clients {
		clients[i] = t.open()
		followers[i] = t.follow(clients[i], "d")
	}
	t.all(candidates, func(i int) error {
		c, f := clients[i], followers[i]
		for won := 0; won < rounds; {
			ss, err := c.NewSession(t.ctx(), store.SessionOptions{})
			if err != nil {
				return err
			}
			for {
				_, err := c.Commit(t.ctx(), store.Txn{
					Session: ss,
					Do:      []store.Op{store.CreateEphemeral("d/leader", nil)},
				})
				if err == nil {
					break
				}
				if !errors.Is(err, store.ErrConflict) {
					return err
				}
				// A candidate that waits here must see the key go. A watch need
				// not show a holder that comes and goes at once, so only a
				// holder that the watch shows is waited for.
				for _, held := f.state["d/leader"]; held; _, held = f.state["d/leader"] {
					if _, err := f.next(t.ctx()); err != nil {
						return err
					}
				}
			}
			if n := holders.Add(1); n != 1 {
				return fmt.Errorf("%d hold the key", n)
			}
			terms.Add(1)
			won++
			holders.Add(-1)
			if err := ss.Close(t.ctx()); err != nil {
				return err
			}
		}
		return nil
	})
	if got := terms.Load(); got != rounds*candidates {
		t.Fatalf("%d terms, want %d", got, rounds*candidates)
	}
	clients[0].wantKeys("d")
}

// Requests that were queued or in flight when the session ended must not bring
// one of its keys back.
func noResurrection(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(0)
	var started atomic.Int32
	ready := make(chan struct{})
	expired := make(chan struct{})
	go func() {
		defer close(expired)
		<-ready
		t.expire(ss)
	}()
	t.all(8, func(i int) error {
		for n := 0; ; n++ {
			op := store.CreateEphemeral(fmt.Sprintf("d/%d/%d", i, n), nil)
			_, err := a.Commit(t.ctx(), store.Txn{Session: ss, Do: []store.Op{op}})
			switch {
			case errors.Is(err, store.ErrSessionLost):
				return nil
			case err != nil && !errors.Is(err, store.ErrUnknown):
				return err
			case n == 5 && started.Add(1) == 8:
				close(ready)
			}
		}
	})
	<-expired
	f := t.follow(b, "d")
	f.until("the keys are gone", func() bool { return len(f.state) == 0 })
	b.wantKeys("d")
	if u, err := f.next(t.within(200 * time.Millisecond)); err == nil && len(u.Entries) > 0 {
		t.Fatalf("a key came back: %s", show(u))
	}
	b.wantKeys("d")
}
