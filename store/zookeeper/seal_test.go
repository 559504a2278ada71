package zookeeper

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

func TestLostReplyIsUnknownAndSealed(t *testing.T) {
	t.Parallel()
	storetest.LostReplyIsUnknownAndSealed(t, backend(server(t)), guardOf)
}

// A transaction that is given up while it is on its way may arrive after all,
// when somebody else has already gone on from its absence.
func TestSealedTransactionNeverCommitsLate(t *testing.T) {
	t.Parallel()
	z := server(t)
	p, s, rival := backend(z).BehindProxy(t)
	n := newSession(t, s)
	storetest.Commit(t, s, storetest.Do(store.Create("claim", nil)))
	p.Hold(testservers.ToServer)
	ctx, cancel := context.WithCancel(t.Context())
	failed := storetest.Background(ctx, s, store.Txn{Session: n, Do: []store.Op{store.Set("claim", storetest.Bulk), store.Create("ghost", nil)}})
	storetest.Await(t, "the request to be on its way", func() bool { return p.Held(testservers.ToServer) >= len(storetest.Bulk) })
	cancel()
	select {
	case err := <-failed:
		t.Fatalf("returned %v while the request may still arrive", err)
	case <-time.After(50 * time.Millisecond):
	}
	p.Orphan()
	storetest.WantError(t, <-failed, store.ErrUnknown)
	storetest.Commit(t, rival, storetest.Do(store.Set("claim", []byte("rival"))))
	p.Release()
	backoff.Sleep(t.Context(), 100*time.Millisecond) // for the late copy to be dealt with
	storetest.Equal(t, "claim", storetest.Read(t, rival, "claim"), "rival")
	storetest.Equal(t, "ghost", storetest.Read(t, rival, "ghost"), "-")
	storetest.Equal[error](t, "the session", n.Err(), nil)
}

// ZooKeeper closes the old connection of a session that has a new one, which
// keeps late copies out by itself. The guard does not depend on it.
func TestGuardRefusesWhatWasSentBeforeTheSeal(t *testing.T) {
	t.Parallel()
	z := server(t)
	s := openAt(t, z.Addr(), storetest.Namespace())
	n := newSession(t, s)
	late := s.plan(storetest.Do(store.Create("ghost", nil)), n)
	before := n.guard.Load()
	late.guard(before)
	if _, err := n.guard.Seal(n.Life, n.Granted, before, n.moveMarker); err != nil {
		t.Fatal(err)
	}
	answers, class, why := n.link.submit(t.Context(), late)
	if f, _, _ := late.fault(answers); class != nil || f != guardMoved {
		t.Fatalf("the late copy: fault %v, class %v, %v", f, class, why)
	}
	storetest.Equal(t, "ghost", storetest.Read(t, s, "ghost"), "-")

	// What fails for the seal of another only is sent again.
	n.guard.Store(before)
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.Create("k", nil)}})

	// An operator evicts a process by deleting its marker.
	if err := n.link.conn.Delete(n.marker, -1); err != nil {
		t.Fatal(err)
	}
	_, err := s.Commit(t.Context(), store.Txn{Session: n, Do: []store.Op{store.Create("evicted", nil)}})
	storetest.WantError(t, err, store.ErrSessionLost)
	storetest.WantError(t, n.Err(), store.ErrSessionLost)
}

// A stranger who writes the marker all the time, which nobody should, keeps
// transactions from being committed, and must not have them reported as if they
// were.
func TestTransactionIsNotReportedThatTheGuardNeverLetThrough(t *testing.T) {
	t.Parallel()
	z := server(t)
	ns := storetest.Namespace()
	s, stranger := openAt(t, z.Addr(), ns), openAt(t, z.Addr(), ns)
	n := newSession(t, s)
	l, _, err := stranger.connection(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for ctx.Err() == nil {
				l.conn.Set(n.marker, nil, -1)
			}
		})
	}
	_, err = s.Commit(storetest.Bounded(t, storetest.Patience), store.Txn{Session: n, Do: []store.Op{store.Create("k", nil)}})
	cancel()
	writers.Wait()
	if err != nil {
		storetest.WantError(t, err, store.ErrUnavailable)
	} else {
		storetest.Equal(t, "k", storetest.Read(t, s, "k"), "")
	}
}
