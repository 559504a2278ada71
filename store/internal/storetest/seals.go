package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
)

// LostReplyIsUnknownAndSealed, for drivers that don't find out that the
// transaction was applied. guard tells where a session's marker is.
func LostReplyIsUnknownAndSealed(t *testing.T, b Backend, guard func(n store.Session) int64) {
	p, s, other := b.BehindProxy(t)
	n := Session(t, s, b.TTL)
	Commit(t, s, Do(store.Create("k", nil)))
	before := guard(n)

	p.Drop(testservers.ToClient)
	failed := Background(t.Context(), s, In(n, store.Set("k", []byte("applied"))))
	Await(t, "the transaction to be applied", func() bool { return Read(t, other, "k") == "applied" })
	Await(t, "the reply to be lost", func() bool { return p.Dropped() > 0 })
	p.Heal() // which breaks the connection
	WantError(t, <-failed, store.ErrUnknown)
	if guard(n) <= before {
		t.Error("reported before it was sealed")
	}
	Equal(t, "k", Read(t, s, "k"), "applied")
	Commit(t, s, In(n, store.Set("k", []byte("the session goes on"))))
}

// LostRequestIsSeenNotToHaveBeenApplied by what it would have changed.
func LostRequestIsSeenNotToHaveBeenApplied(t *testing.T, b Backend, ttl time.Duration) {
	p, s, _ := b.BehindProxy(t)
	n := Session(t, s, ttl)
	Commit(t, s, Do(store.Create("k", []byte("before"))))
	for name, c := range map[string]struct {
		op   store.Op
		want error
	}{
		"set":    {store.Set("k", Bulk), store.ErrUnavailable},
		"create": {store.Create("new", Bulk), store.ErrUnknown}, // may have been created, and deleted since
	} {
		p.Hold(testservers.ToServer)
		failed := Background(t.Context(), s, In(n, c.op))
		AwaitBulk(t, p)
		p.Reset()
		p.Heal()
		err := <-failed
		t.Log(name, err)
		WantError(t, err, c.want)
	}
	Equal(t, "k", Read(t, s, "k"), "before")
	Equal(t, "new", Read(t, s, "new"), "-")
}

// SealedTransactionNeverCommitsLate is about the ghost: a transaction that was
// given up while it was on its way arrives after all, when another client has
// already gone on from its absence. Without a session it does commit, which
// shows that the test can see a ghost. dealtWith is how many transactions the
// server has dealt with.
func SealedTransactionNeverCommitsLate(t *testing.T, b Backend, ttl time.Duration, dealtWith func() float64) {
	for _, guarded := range []bool{true, false} {
		t.Run(fmt.Sprintf("guarded %v", guarded), func(t *testing.T) {
			p, s, rival := b.BehindProxy(t)
			var txn store.Txn
			if guarded {
				txn.Session = Session(t, s, ttl)
			}
			Commit(t, s, Do(store.Create("claim", nil)))
			txn.Do = []store.Op{store.Set("claim", Bulk), store.Create("ghost", nil)}

			p.Hold(testservers.ToServer)
			failed := Background(t.Context(), s, txn)
			AwaitBulk(t, p)
			p.Orphan()
			err := <-failed
			Commit(t, rival, Do(store.Set("claim", []byte("rival"))))
			before := dealtWith()
			p.Release()
			Await(t, "the server to have seen the late copy", func() bool { return dealtWith() > before })
			if guarded {
				WantError(t, err, store.ErrUnavailable)
				Equal(t, "claim", Read(t, rival, "claim"), "rival")
				Equal(t, "ghost", Read(t, rival, "ghost"), "-")
				return
			}
			WantError(t, err, store.ErrUnknown)
			Equal(t, "ghost", Read(t, rival, "ghost"), "")
		})
	}
}

// CancelledCommitIsSettledBeforeItReturns although it is the caller who gives
// up and not the network. guard tells where a session's marker is; applied is
// how it is told if it was applied.
func CancelledCommitIsSettledBeforeItReturns(t *testing.T, b Backend, ttl time.Duration, guard func(n store.Session) int64, applied error) {
	p, s, _ := b.BehindProxy(t)
	n := Session(t, s, ttl)
	Commit(t, s, Do(store.Create("k", []byte("before"))))
	ctx, cancel := context.WithCancel(context.Background())
	p.Hold(testservers.ToServer)
	failed := Background(ctx, s, In(n, store.Set("k", Bulk)))
	AwaitBulk(t, p)
	cancel()
	before := guard(n)
	select {
	case err := <-failed:
		t.Fatalf("returned %v while the request may still arrive", err)
	case <-time.After(50 * time.Millisecond):
	}
	p.Heal()
	err := <-failed
	if guard(n) == before {
		t.Fatal("not sealed")
	}
	switch {
	case Read(t, s, "k") == "before":
		WantError(t, err, store.ErrUnavailable)
	case applied != nil:
		WantError(t, err, applied)
	case err != nil:
		t.Fatalf("it was applied, and told as %v", err)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it to say that the context was cancelled", err)
	}
}

// CommitThatCannotBeSealedEndsTheSession at its deadline. gone reports whether
// a session's marker is gone, as the other store sees it.
func CommitThatCannotBeSealedEndsTheSession(t *testing.T, b Backend, gone func(other store.Store, n store.Session) bool) {
	p, s, other := b.BehindProxy(t)
	n := Session(t, s, b.TTL)
	Commit(t, s, Do(store.Create("k", []byte("before"))))
	p.Hold(testservers.ToServer)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	err := <-Background(ctx, s, In(n, store.Set("k", Bulk)))
	WantError(t, err, store.ErrSessionLost)
	WantError(t, n.Err(), store.ErrSessionLost)
	if late := time.Since(n.Deadline()); late > time.Second {
		t.Errorf("returned %v after the deadline", late)
	}
	Await(t, "the store to end the session", func() bool { return gone(other, n) })
	p.Heal()
	Equal(t, "k", Read(t, s, "k"), "before")
}

// SealIsInvisibleToOtherTransactionsInFlight of the same session. The reply to
// each transaction with a bulky value is lost, which wantLost looks at the
// error of.
func SealIsInvisibleToOtherTransactionsInFlight(t *testing.T, s store.Store, n store.Session, wantLost func(err error)) {
	const writers, rounds = 8, 60
	errs := make([][]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				value := []byte("small")
				if w == 0 {
					value = Bulk // its reply is lost
				}
				_, err := s.Commit(context.Background(), In(n, store.Create(fmt.Sprintf("w/%d/%d", w, i), value)))
				errs[w] = append(errs[w], err)
			}
		})
	}
	wg.Wait()
	for w := range errs {
		for i, err := range errs[w] {
			if w == 0 {
				wantLost(err)
			} else if err != nil {
				t.Fatalf("writer %d, round %d: %v", w, i, err)
			}
		}
	}
	entries, err := s.List(t.Context(), "w")
	if err != nil {
		t.Fatal(err)
	}
	Equal(t, "keys", len(entries), writers*rounds)
}
