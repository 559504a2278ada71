package etcd

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// A plain Put takes a key off its lease, and an ephemeral key would stay for
// ever. The test shows the trap, too.
func TestSetByAnotherClientKeepsTheLease(t *testing.T) {
	e := server(t)
	ns := storetest.Namespace()
	owner, other, raw := openAt(t, e.Addr(), ns), openAt(t, e.Addr(), ns), admin(t, e)
	n := newSession(t, owner)
	storetest.Commit(t, owner, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/set", nil), store.CreateEphemeral("live/put", nil)}})

	storetest.Commit(t, other, storetest.Do(store.Set("live/set", []byte("touched"))))
	if _, err := raw.Put(t.Context(), owner.keys.key("live/put"), "touched"); err != nil {
		t.Fatal(err)
	}
	got, err := other.Get(t.Context(), "live/set")
	if err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "owner of a key that another client has set", got.Owner, n.ID())
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "a key that was set outlives its session", (storetest.Read(t, other, "live/set") != "-"), false)
	storetest.Equal(t, "a key that was put outlives its session", (storetest.Read(t, other, "live/put") != "-"), true)
}

// The conditions, the guard, the writes and the reads of the else branch each
// have etcd's 128 for themselves.
func TestLargestTransactionPasses(t *testing.T) {
	e := server(t)
	s := openAt(t, e.Addr(), strings.Repeat("n", 200)+"/"+strings.Repeat("m", maxNamespace-200-len("//%2F")))
	n := newSession(t, s)

	var create, set store.Txn
	create.Session, set.Session = n, n
	free := caps.MaxTxn
	for i := range caps.MaxOps {
		key := fmt.Sprintf("%0200d/%0200d/%0200d/%0200d/%092d", i, i, i, i, i)
		create.Do = append(create.Do, store.Create(key, nil))
		set.If = append(set.If, store.Exists(key))
		set.Do = append(set.Do, store.Set(key, nil))
		free -= 2 * len(key)
	}
	for i := range set.Do {
		set.Do[i].Value = make([]byte, free/len(set.Do))
	}
	storetest.Commit(t, s, create)
	set.If[0] = store.At(set.If[0].Key, 1)
	_, err := s.Commit(t.Context(), set)
	storetest.WantConflict(t, err, set.If[0].Key, store.Changed)
	set.If[0] = store.Exists(set.If[0].Key)
	storetest.Commit(t, s, set)

	more := set
	more.Do = append(more.Do, store.Create("one/too/many", nil))
	_, err = s.Commit(t.Context(), more)
	storetest.WantError(t, err, store.ErrTooLarge)
	if err := n.Err(); err != nil {
		t.Fatalf("the session ended with %v", err)
	}
}

func TestLargestValuePasses(t *testing.T) {
	e := server(t)
	s := openAt(t, e.Addr(), storetest.Namespace())
	storetest.Commit(t, s, storetest.Do(store.Create("k", make([]byte, caps.MaxValue))))
	storetest.Equal(t, "bytes read", len(storetest.Read(t, s, "k")), caps.MaxValue)
	for _, bytes := range []int{1600 << 10, 3 << 20} { // refused by the server, and by the client library
		_, err := s.Commit(t.Context(), storetest.Do(store.Set("k", make([]byte, bytes))))
		storetest.WantError(t, err, store.ErrTooLarge)
	}
}

func TestConflictNamesTheKeyAndTheReason(t *testing.T) {
	s := openAt(t, server(t).Addr(), storetest.Namespace())
	storetest.ConflictNamesTheKeyAndTheReason(t, s, newSession(t, s), 1)
}

func TestDeadSessionCommitsNothing(t *testing.T) {
	e := server(t)
	raw := admin(t, e)
	storetest.DeadSessionCommitsNothing(t, backend(e), ttl, map[string]func(n store.Session) error{
		"lease revoked": func(n store.Session) error {
			_, err := raw.Revoke(t.Context(), clientv3.LeaseID(n.(*session).lease))
			return err
		},
		"marker deleted": func(n store.Session) error {
			_, err := raw.Delete(t.Context(), n.(*session).marker)
			return err
		},
	})
}

// A session that the driver still believes in cannot put keys on a lease that
// is gone, even if the marker were there.
func TestLeaseNotFoundIsTheEndOfTheSession(t *testing.T) {
	e := server(t)
	s := openAt(t, e.Addr(), storetest.Namespace())
	n := newSession(t, s)
	v := storetest.Commit(t, s, storetest.Do(store.Create("lasting", nil)))[0]
	n.lease++ // nobody's
	n.marker = s.keys.key("lasting")
	n.guard.Store(int64(v))
	_, err := s.Commit(t.Context(), store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("eph", nil)}})
	storetest.WantError(t, err, store.ErrSessionLost)
	storetest.Equal(t, "eph", (storetest.Read(t, s, "eph") != "-"), false)
}

func TestNothingIsSentByAnEndedContext(t *testing.T) {
	s := openAt(t, server(t).Addr(), storetest.Namespace())
	storetest.NothingIsDoneByAnEndedContext(t, s, newSession(t, s))
	storetest.Equal(t, "k", storetest.Read(t, s, "k"), "-")
}

func TestNamespacesDontSeeEachOther(t *testing.T) {
	storetest.NamespacesDontSeeEachOther(t, backend(server(t)), "a", "ab", "a/b", "a%2Fb", "a/b/c", "a/.sys")
}

func TestListReadsPagesAtOneRevision(t *testing.T) {
	e := server(t)
	ns := storetest.Namespace()
	s, other := openAt(t, e.Addr(), ns), openAt(t, e.Addr(), ns)
	s.page = 7
	const n = 100
	for i := 0; i < n; i += 50 {
		var txn store.Txn
		for j := range 50 {
			txn.Do = append(txn.Do, store.Create(fmt.Sprintf("k/%03d", i+j), []byte("0")))
		}
		storetest.Commit(t, s, txn)
	}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // sets the first and the last key together
		defer close(done)
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			v := fmt.Appendf(nil, "%d", i)
			other.Commit(context.Background(), storetest.Do(store.Set("k/000", v), store.Set("k/099", v)))
		}
	}()
	for range 50 {
		entries, err := s.List(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != n {
			t.Fatalf("got %d entries, want %d", len(entries), n)
		}
		storetest.Equal(t, "the last key as old as the first", string(entries[n-1].Value), string(entries[0].Value))
	}
	close(stop)
	<-done
}
