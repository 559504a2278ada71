package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// wires returns the cases for bad networks: what a commit reports about its
// effect is true and stays true.
func wires() []testCase {
	need := []Fault{Wires}
	return []testCase{
		{name: "FLT/LostReplies", run: func(t *test) { lost(t, Wire.DropReplies) }, needs: need},
		{name: "FLT/LostRequests", run: func(t *test) { lost(t, Wire.DropRequests) }, needs: need},
		{name: "FLT/AppliedIsNotDenied", run: appliedIsNotDenied, needs: need},
		{name: "FLT/NoGhost", run: noGhost, needs: need},
		{name: "FLT/Slow", run: slow, needs: need},
		{name: "FLT/Trickle", run: trickle, needs: need},
		{name: "FLT/BrokenConnections", run: brokenConnections, needs: need},
	}
}

func (t *test) wire(c *client) Wire {
	w := t.ns.(Wirer).Wire(t.TB, c.opened)
	t.Cleanup(w.Heal)
	return w
}

// lost has one direction lose everything, for a moment, while transactions are
// under way.
func lost(t *test, drop func(Wire)) {
	a, b := t.open(), t.open()
	ss := a.session(0)
	a.do(ss, store.Create("d/before", nil))
	w, rand := t.wire(a), t.rand(0)
	const rounds, each = 6, 4
	outcomes := make([]outcome, rounds*each)
	for r := range rounds {
		// Long enough for requests that are sent meanwhile to be lost, short
		// enough for the session.
		moment := time.Duration(20+rand.IntN(200)) * time.Millisecond
		drop(w)
		healed := make(chan struct{})
		time.AfterFunc(moment, func() { w.Heal(); close(healed) })
		t.all(each, func(i int) error {
			key := fmt.Sprintf("d/%d-%d", r, i)
			ctx, cancel := context.WithTimeout(t.ctx(), 2*moment)
			defer cancel()
			_, err := a.Commit(ctx, store.Txn{Session: ss, Do: []store.Op{store.Create(key, nil)}})
			_, missing := b.Get(t.ctx(), key)
			outcomes[r*each+i] = outcome{key, err, missing == nil}
			return nil
		})
		<-healed
		t.wantTrue(b, "d", outcomes[:(r+1)*each])
	}
	t.wantAlive("after moments without a network", ss)
	t.eventually(patience, "the session commits again", func() bool {
		_, err := a.Commit(t.within(time.Second), store.Txn{Session: ss, Do: []store.Op{store.Set("d/before", nil)}})
		return err == nil
	})
	t.wantTrue(b, "d", outcomes)
}

// The reply of a transaction is lost after it was applied, as its rivals can
// see. It may say that it does not know, but not that it was not.
func appliedIsNotDenied(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(0)
	w := t.wire(a)
	a.do(nil, store.Create("d/k", []byte("0")))
	for i := range 5 {
		before := b.get("d/k")
		mine := fmt.Sprintf("mine %d", i)
		w.DropReplies()
		said := make(chan error, 1)
		go func() {
			_, err := a.Commit(t.ctx(), store.Txn{
				Session: ss,
				If:      []store.Cond{store.At("d/k", before.Version)},
				Do:      []store.Op{store.Set("d/k", []byte(mine))},
			})
			said <- err
		}()
		t.eventually(patience, "the transaction is applied", func() bool {
			e, err := b.Get(t.ctx(), "d/k")
			return err == nil && string(e.Value) == mine
		})
		w.Heal() // which breaks the connection
		if err := <-said; err != nil && !errors.Is(err, store.ErrUnknown) {
			t.Fatalf("a transaction that was applied says %v", err)
		}
		b.wantValue("d/k", mine)
	}
	t.wantAlive("after lost replies", ss)
}

// A transaction is given up in flight, and settled. A rival continues from
// there, and then the late copy arrives. Without a session it may be applied.
// With one it must not be, because the result of Commit is final.
func noGhost(t *test) {
	a, rival := t.open(), t.open()
	ss := a.session(0)
	a.do(ss, store.Create("d/claim", []byte("free")))
	w := t.wire(a)
	w.Hold()
	said := make(chan error, 1)
	go func() {
		_, err := a.Commit(t.within(patience), store.Txn{Session: ss, Do: []store.Op{
			store.Set("d/claim", []byte("ghost")), store.Create("d/ghost", []byte(strings.Repeat("g", 1000))),
		}})
		said <- err
	}()
	time.Sleep(100 * time.Millisecond) // for the request to be on its way: there is nothing to see of it from here
	w.Orphan()
	w.Heal()
	err := <-said
	t.want("a commit that was cut off on its way", err, nil, store.ErrUnknown, store.ErrUnavailable)
	applied := string(rival.get("d/claim").Value) == "ghost"
	if err == nil && !applied || errors.Is(err, store.ErrUnavailable) && applied {
		t.Fatalf("it says %v, and it is applied: %v", err, applied)
	}
	rival.do(nil, store.Set("d/claim", []byte("rival")))
	before := rival.list("d")
	w.Release()
	rival.wantValue("d/claim", "rival")
	if after := rival.list("d"); !sameEntries(before, after) {
		t.Fatalf(
			"the late copy of a transaction that was settled (%v) was applied: %v, and later %v", err, before, after,
		)
	}
	t.wantAlive("after a late copy", ss)
	a.do(ss, store.Set("d/claim", []byte("the session goes on")))
}

// slow adds a tenth of a second each way, as between continents. Everything
// works, and sessions live.
func slow(t *test) {
	const by = 100 * time.Millisecond
	a, b := t.open(), t.open()
	ttl := max(t.steady(), 4*time.Second)
	ss := a.session(ttl)
	w := t.wire(a)
	w.Delay(by)
	f := t.follow(a, "d")
	f.reset()
	a.do(ss, store.CreateEphemeral("d/eph", nil), store.Create("d/k", []byte("v")))
	b.do(nil, store.Set("d/k", []byte("w")))
	a.wantValue("d/k", "w")
	f.untilEqual(b.list("d"))
	t.outlive("with a slow network", ss, ss.TTL()*5/4)
}

// trickle has replies arrive in pieces: no driver may take one for the whole.
func trickle(t *test) {
	a, b := t.open(), t.open()
	for i := range 20 {
		b.do(nil, store.Create(fmt.Sprintf("d/%02d", i), []byte(strings.Repeat(fmt.Sprint(i%10), 500))))
	}
	want := b.list("d")
	w := t.wire(a)
	w.Trickle()
	if got := a.list("d"); !sameEntries(got, want) {
		t.Fatalf("list in pieces: got %v, want %v", got, want)
	}
	f := t.follow(a, "d")
	f.untilEqual(want)
	b.do(nil, store.Set("d/07", []byte("changed")), store.Delete("d/08"))
	f.untilEqual(b.list("d"))
	a.wantValue("d/07", "changed")
}

// brokenConnections breaks all connections again and again while transactions
// run and a watch follows.
func brokenConnections(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(0)
	w, rand := t.wire(a), t.rand(0)
	f := t.follow(a, "d")
	f.reset()
	const n = 60
	outcomes := make([]outcome, n)
	ended := make(chan struct{})
	broken := make(chan struct{})
	go func() {
		defer close(broken)
		for {
			select {
			case <-ended:
				return
			case <-time.After(time.Duration(10+rand.IntN(60)) * time.Millisecond):
				w.Reset()
			}
		}
	}()
	for i := range n {
		key := fmt.Sprintf("d/%d", i)
		_, err := a.Commit(t.ctx(), store.Txn{Session: ss, Do: []store.Op{store.Create(key, nil)}})
		_, missing := b.Get(t.ctx(), key)
		outcomes[i] = outcome{key, err, missing == nil}
	}
	close(ended)
	<-broken
	t.wantTrue(b, "d", outcomes)
	f.untilEqual(b.list("d"))
	t.wantAlive("after connections that broke", ss)
	t.eventually(patience, "the session commits again", func() bool {
		_, err := a.Commit(t.within(time.Second), store.Txn{Session: ss, Do: []store.Op{store.Create("after", nil)}})
		return err == nil || errors.Is(err, store.ErrConflict)
	})
}

func sameEntries(a, b []store.Entry) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Key != b[i].Key || a[i].Version != b[i].Version || string(a[i].Value) != string(b[i].Value) {
			return false
		}
	}
	return true
}
