package consul

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	"github.com/hashicorp/consul/api"
)

// Consul does nothing for a write that changes nothing: of two who compare and
// set the same value both win, and nobody who waits for a change is told. The
// test shows the trap, too.
func TestEqualValueIsAWriteLikeAnyOther(t *testing.T) {
	t.Parallel()
	c := server(t)
	s, raw := openAt(t, c.Addr(), storetest.Namespace()), admin(t, c)

	if _, err := raw.KV().Put(&api.KVPair{Key: "raw", Value: []byte("same")}, nil); err != nil {
		t.Fatal(err)
	}
	there, _, err := raw.KV().Get("raw", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		won, _, err := raw.KV().CAS(&api.KVPair{Key: "raw", Value: []byte("same"), ModifyIndex: there.ModifyIndex}, nil)
		if err != nil || !won {
			t.Fatalf("Consul has changed: a compare-and-set of the same value fails: %v, %v", won, err)
		}
	}

	v := storetest.Commit(t, s, storetest.Do(store.Create("k", []byte("same"))))[0]
	m := storetest.Follow(t, s, "")
	m.UntilHas("k", "same")
	told := m.Last.Entries[0].Version
	txn := store.Txn{If: []store.Cond{store.At("k", v)}, Do: []store.Op{store.Set("k", []byte("same"))}}
	storetest.Commit(t, s, txn)
	_, err = s.Commit(t.Context(), txn)
	storetest.WantConflict(t, err, "k", store.Changed)
	m.Until("the write is told", func() bool { return len(m.Last.Entries) > 0 && m.Last.Entries[0].Version != told })
}

// A key that a session had locked can't be locked for 15 s after it, unless the
// session says otherwise; and that it should be 0 is not sent.
func TestNobodyWaitsForTheLockDelay(t *testing.T) {
	t.Parallel()
	c := server(t)
	s, raw := openAt(t, c.Addr(), storetest.Namespace()), admin(t, c)
	usual, _, err := raw.Session().CreateNoChecks(&api.SessionEntry{LockDelay: 0}, nil)
	if err != nil {
		t.Fatal(err)
	}
	delays := map[string]time.Duration{
		usual:                     15 * time.Second,
		newSession(t, s).Identity: time.Millisecond,
	}
	for id, want := range delays {
		info, _, err := raw.Session().Info(id, nil)
		if err != nil {
			t.Fatal(err)
		}
		storetest.Equal(t, "lock delay", info.LockDelay, want)
	}
	next := newSession(t, s)
	for range 20 {
		n := newSession(t, s)
		storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", nil)}})
		if err := n.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		storetest.Commit(t, s, store.Txn{Session: next, Do: []store.Op{store.CreateEphemeral("live/me", nil)}})
		if took := time.Since(start); took > time.Second {
			t.Fatalf("took %v", took)
		}
		storetest.Commit(t, s, storetest.Do(store.Delete("live/me")))
	}
}

// A stranger's session may delay us, for as long as it says. That is no
// conflict.
func TestLockDelayOfAStrangerIsWaitedFor(t *testing.T) {
	t.Parallel()
	c := server(t)
	s, raw := openAt(t, c.Addr(), storetest.Namespace()), admin(t, c)
	n := newSession(t, s)
	const delay = 300 * time.Millisecond
	lock := func(d time.Duration) {
		t.Helper()
		entry := &api.SessionEntry{LockDelay: d, Behavior: api.SessionBehaviorDelete}
		id, _, err := raw.Session().CreateNoChecks(entry, nil)
		if err != nil {
			t.Fatal(err)
		}
		if ok, _, err := raw.KV().Acquire(&api.KVPair{Key: s.keys.key("k"), Session: id}, nil); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if _, err := raw.Session().Destroy(id, nil); err != nil {
			t.Fatal(err)
		}
	}
	lock(delay)
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("k", nil)}})
	storetest.Commit(t, s, storetest.Do(store.Delete("k")))
	lock(10 * time.Second)
	_, err := s.Commit(storetest.Bounded(t, delay), store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("k", nil)}})
	if !errors.Is(err, store.ErrUnknown) { // whose last attempt was under way when time was up
		storetest.WantError(t, err, store.ErrUnavailable)
		storetest.Mention(t, err, "lock delay", "deadline exceeded")
	}
	storetest.Equal(t, "k", storetest.Read(t, s, "k"), "-")
}

// A plain lock of a key that is there and free takes it over, and a
// compare-and-delete of one that is not there succeeds.
func TestPreconditionsHoldWhereConsulHasNone(t *testing.T) {
	t.Parallel()
	c := server(t)
	s, raw := openAt(t, c.Addr(), storetest.Namespace()), admin(t, c)
	n := newSession(t, s)
	storetest.Commit(t, s, storetest.Do(store.Create("lasting", []byte("mine"))))
	ok, _, _, err := raw.KV().Txn(api.KVTxnOps{{Verb: api.KVDeleteCAS, Key: "nothing/here", Index: 12345}}, nil)
	if err != nil || !ok {
		t.Fatalf("Consul has changed: delete-cas of a missing key: %v, %v", ok, err)
	}
	_, err = s.Commit(t.Context(), store.Txn{If: []store.Cond{store.At("gone", 12345)}, Do: []store.Op{store.Delete("gone")}})
	storetest.WantConflict(t, err, "gone", store.Absent)
	_, err = s.Commit(t.Context(), store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("lasting", []byte("taken"))}})
	storetest.WantConflict(t, err, "lasting", store.Present)
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", []byte("1"))}})
	_, err = s.Commit(t.Context(), store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", []byte("2"))}})
	storetest.WantConflict(t, err, "live/me", store.Present)
	storetest.Equal(t, "lasting", storetest.Read(t, s, "lasting"), "mine")
}

// The longest names, twice each, with the longest namespace and as many bytes
// of values as Caps allow.
func TestLargestTransactionPasses(t *testing.T) {
	t.Parallel()
	c := server(t)
	s := openAt(t, c.Addr(), strings.Repeat("n", maxNamespace-1))
	n := newSession(t, s)
	var create, set store.Txn
	create.Session, set.Session = n, n
	free := maxTxn
	for i := range maxOps {
		key := fmt.Sprintf("%0200d/%0200d/%0200d/%0200d/%096d", i, i, i, i, i)
		create.Do = append(create.Do, store.CreateEphemeral(key, nil))
		set.If = append(set.If, store.Exists(key))
		set.Do = append(set.Do, store.Set(key, nil))
		free -= len(key) * 2
	}
	for i := range set.Do {
		set.Do[i].Value = make([]byte, free/len(set.Do))
	}
	if bytes := set.Bytes(); bytes < maxTxn-maxOps {
		t.Fatalf("the transaction has %d bytes, want %d", bytes, maxTxn)
	}
	storetest.Commit(t, s, create)
	set.If[0] = store.At(set.If[0].Key, 1)
	_, err := s.Commit(t.Context(), set)
	storetest.WantConflict(t, err, set.If[0].Key, store.Changed)
	set.If[0] = store.Exists(set.If[0].Key)
	storetest.Commit(t, s, set)
	if err := n.Err(); err != nil {
		t.Fatalf("the session ended with %v", err)
	}
}

// What Consul would refuse is not sent, and what it refuses because its own
// limits are lower is told as what it is.
func TestTooLargeIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	c := server(t)
	var r requests
	s := openAt(t, c.Addr(), storetest.Namespace(), r.tap)
	r.take()
	long := strings.Repeat("ß", 450) // six bytes for each of its two
	var txn store.Txn
	for i := range maxOps {
		txn.Do = append(txn.Do, store.Create(fmt.Sprintf("%03d", i)+long[:890], make([]byte, 4<<10)))
	}
	_, err := s.Commit(t.Context(), txn)
	storetest.WantError(t, err, store.ErrTooLarge)
	storetest.Mention(t, err, "bytes", fmt.Sprint(maxBody))
	storetest.Equal(t, "requests", r.take(), "")

	storetest.Commit(t, s, storetest.Do(store.Create("k", make([]byte, maxValue))))
	storetest.Equal(t, "bytes read", len(storetest.Read(t, s, "k")), maxValue)
}

func TestConflictNamesTheKeyAndTheReason(t *testing.T) {
	t.Parallel()
	s := openAt(t, server(t).Addr(), storetest.Namespace())
	storetest.ConflictNamesTheKeyAndTheReason(t, s, newSession(t, s), 2)
}

func TestDeadSessionCommitsNothing(t *testing.T) {
	t.Parallel()
	c := server(t)
	raw := admin(t, c)
	marker := func(n store.Session) string { return n.(*session).marker }
	storetest.DeadSessionCommitsNothing(t, backend(c), storetest.Lasting, map[string]func(n store.Session) error{
		"session destroyed": func(n store.Session) error { _, err := raw.Session().Destroy(n.ID(), nil); return err },
		"marker deleted":    func(n store.Session) error { _, err := raw.KV().Delete(marker(n), nil); return err },
		"marker released": func(n store.Session) error {
			_, _, err := raw.KV().Release(&api.KVPair{Key: marker(n), Session: n.ID()}, nil)
			return err
		},
		"marker made anew": func(n store.Session) error {
			raw.KV().Delete(marker(n), nil)
			_, err := raw.KV().Put(&api.KVPair{Key: marker(n)}, nil)
			return err
		},
	})
}

// A session that the driver still believes in cannot lock keys when it is gone,
// even if the marker were there.
func TestUnknownSessionIsTheEndOfTheSession(t *testing.T) {
	t.Parallel()
	c := server(t)
	s := openAt(t, c.Addr(), storetest.Namespace())
	n := newSession(t, s)
	v := storetest.Commit(t, s, storetest.Do(store.Create("lasting", nil)))[0]
	n.Identity = "11111111-1111-1111-1111-111111111111" // nobody's
	n.marker = s.keys.key("lasting")
	n.guard.Store(uint64(v))
	_, err := s.Commit(t.Context(), store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("eph", nil)}})
	storetest.WantError(t, err, store.ErrSessionLost)
	storetest.Equal(t, "eph", storetest.Read(t, s, "eph"), "-")
}

func TestNothingIsSentByAnEndedContext(t *testing.T) {
	t.Parallel()
	var r requests
	s := openAt(t, server(t).Addr(), storetest.Namespace(), r.tap)
	n := newSession(t, s)
	r.take()
	storetest.NothingIsDoneByAnEndedContext(t, s, n)
	if sent := r.take(); strings.Contains(sent, "txn") || strings.Contains(sent, "kv") {
		t.Errorf("sent %s", sent)
	}
	storetest.Equal(t, "k", storetest.Read(t, s, "k"), "-")
}

func TestNamespacesDontSeeEachOther(t *testing.T) {
	t.Parallel()
	storetest.NamespacesDontSeeEachOther(t, backend(server(t)), "a", "ab", "a/b", "a%2Fb", "a/b/c", "a/.sys", "a=2Fb")
}

// Keys that people and other programs leave in a namespace, such as the user
// interface's directories, are nobody's.
func TestForeignKeysAreNotSeen(t *testing.T) {
	t.Parallel()
	c := server(t)
	s, raw := openAt(t, c.Addr(), "ns"), admin(t, c)
	storetest.Commit(t, s, storetest.Do(store.Create("d/k", nil)))
	for _, key := range []string{"ns/d/", "ns/d/a b", "ns/d/=zz", "ns/d/=61", "ns/d//k", "ns", "nsx/d/k", "ns/.sys/x"} {
		if ok, _, _, err := raw.KV().Txn(api.KVTxnOps{{Verb: api.KVSet, Key: key, Value: []byte("x")}}, nil); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	entries, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "keys", fmt.Sprint(len(entries), " ", entries[0].Key), "1 d/k")
}
