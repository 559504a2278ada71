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

// A plain Put takes a key off its lease, and an ephemeral key would stay for ever. The test shows the trap, too.
func TestSetByAnotherClientKeepsTheLease(t *testing.T) {
	e := server(t)
	ns := storetest.Namespace()
	owner, other, raw := openAt(t, e.Addr(), ns), openAt(t, e.Addr(), ns), admin(t, e)
	n := newSession(t, owner)
	storetest.Commit(t, owner, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/set", nil), store.CreateEphemeral("live/put", nil)}})

	storetest.Commit(t, other, storetest.Do(store.Set("live/set", []byte("touched"))))
	if _, err := raw.Put(t.Context(), owner.layout.key("live/put"), "touched"); err != nil {
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

// The conditions, the guard, the writes and the reads of the else branch each have etcd's 128 for themselves.
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
	e := server(t)
	s := openAt(t, e.Addr(), storetest.Namespace())
	n := newSession(t, s)
	v := storetest.Commit(t, s, storetest.Do(store.Create("here", nil)))[0]
	const wrong = store.Version(1)
	for _, c := range []struct {
		name   string
		txn    store.Txn
		key    string
		reason store.ConflictReason
	}{
		{"create what is there", storetest.Do(store.Create("gone", nil), store.Create("here", nil)), "here", store.Present},
		{"set what is not there", storetest.Do(store.Set("gone", nil)), "gone", store.Absent},
		{"delete what is not there", storetest.Do(store.Delete("gone")), "gone", store.Absent},
		{"exists", store.Txn{If: []store.Cond{store.Exists("gone")}}, "gone", store.Absent},
		{"at, absent", store.Txn{If: []store.Cond{store.At("gone", v)}}, "gone", store.Absent},
		{"at, changed", store.Txn{If: []store.Cond{store.At("here", wrong)}}, "here", store.Changed},
		{"at zero", store.Txn{If: []store.Cond{store.At("here", 0)}}, "here", store.Changed},
		{"at and set", store.Txn{If: []store.Cond{store.At("here", wrong)}, Do: []store.Op{store.Set("here", nil)}}, "here", store.Changed},
		{"at and delete", store.Txn{If: []store.Cond{store.At("gone", v)}, Do: []store.Op{store.Delete("gone")}}, "gone", store.Absent},
		{"at and create", store.Txn{If: []store.Cond{store.At("here", v)}, Do: []store.Op{store.Create("here", nil)}}, "here", store.Present},
		{"exists and create", store.Txn{If: []store.Cond{store.Exists("gone")}, Do: []store.Op{store.Create("gone", nil)}}, "gone", store.Absent},
	} {
		for _, session := range []store.Session{nil, n} {
			c.txn.Session = session
			t.Run(fmt.Sprintf("%s, session %v", c.name, session != nil), func(t *testing.T) {
				_, err := s.Commit(t.Context(), c.txn)
				storetest.WantConflict(t, err, c.key, c.reason)
			})
		}
	}
	storetest.Equal(t, "keys", (storetest.Read(t, s, "gone") != "-"), false)
}

// The guard: whatever a transaction writes, the store refuses it once it has ended the session.
func TestDeadSessionCommitsNothing(t *testing.T) {
	e := server(t)
	raw := admin(t, e)
	for name, end := range map[string]func(s *driver, n *session) error{
		"lease revoked": func(_ *driver, n *session) error {
			_, err := raw.Revoke(t.Context(), clientv3.LeaseID(n.lease))
			return err
		},
		"marker deleted": func(_ *driver, n *session) error {
			_, err := raw.Delete(t.Context(), n.marker)
			return err
		},
	} {
		for _, op := range []store.Op{store.Set("lasting", []byte("late")), store.Create("new", nil), store.CreateEphemeral("eph", nil), store.Delete("lasting")} {
			t.Run(fmt.Sprintf("%s, op %d", name, op.Kind), func(t *testing.T) {
				s := openAt(t, e.Addr(), storetest.Namespace())
				n := newSession(t, s)
				storetest.Commit(t, s, storetest.Do(store.Create("lasting", []byte("kept"))))
				if err := end(s, n); err != nil {
					t.Fatal(err)
				}
				// As a late copy would arrive, of a process that has not noticed.
				_, err := s.Commit(t.Context(), store.Txn{Session: n, Do: []store.Op{op}})
				storetest.WantError(t, err, store.ErrSessionLost)
				storetest.WantError(t, n.Err(), store.ErrSessionLost)
				<-n.Done()
				storetest.Equal(t, "lasting", storetest.Read(t, s, "lasting"), "kept")
				storetest.Equal(t, "new", (storetest.Read(t, s, "new") != "-") || (storetest.Read(t, s, "eph") != "-"), false)
			})
		}
	}
}

// A session that the driver still believes in cannot put keys on a lease that is gone, even if the marker were there.
func TestLeaseNotFoundIsTheEndOfTheSession(t *testing.T) {
	e := server(t)
	s := openAt(t, e.Addr(), storetest.Namespace())
	n := newSession(t, s)
	v := storetest.Commit(t, s, storetest.Do(store.Create("lasting", nil)))[0]
	n.lease++ // nobody's
	n.marker = s.layout.key("lasting")
	n.guard.Store(int64(v))
	_, err := s.Commit(t.Context(), store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("eph", nil)}})
	storetest.WantError(t, err, store.ErrSessionLost)
	storetest.Equal(t, "eph", (storetest.Read(t, s, "eph") != "-"), false)
}

func TestNothingIsSentByAnEndedContext(t *testing.T) {
	e := server(t)
	s := openAt(t, e.Addr(), storetest.Namespace())
	n := newSession(t, s)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, session := range []store.Session{nil, n} {
		_, err := s.Commit(ended, store.Txn{Session: session, Do: []store.Op{store.Create("k", nil)}})
		storetest.WantError(t, err, store.ErrUnavailable)
	}
	storetest.Equal(t, "k", (storetest.Read(t, s, "k") != "-"), false)
	_, err := s.Get(ended, "k")
	storetest.WantError(t, err, store.ErrUnavailable)
}

func TestNamespacesDontSeeEachOther(t *testing.T) {
	e := server(t)
	names := []string{"a", "ab", "a/b", "a%2Fb", "a/b/c", "a/.sys"}
	all := map[string]*driver{}
	watches := map[string]*storetest.Mirror{}
	for _, name := range names {
		all[name] = openAt(t, e.Addr(), strings.NewReplacer("%", "%25").Replace(name))
		watches[name] = storetest.Follow(t, all[name], "")
		newSession(t, all[name])
	}
	for _, name := range names {
		storetest.Commit(t, all[name], storetest.Do(store.Create("b/c/"+name, []byte(name)), store.Create("own", []byte(name))))
	}
	for _, name := range names {
		entries, err := all[name].List(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Key+"="+string(e.Value))
		}
		storetest.Equal(t, "keys of "+name, strings.Join(got, " "), "b/c/"+name+"="+name+" own="+name)
		watches[name].UntilHas("own", name)
		storetest.Equal(t, "keys seen in "+name, len(watches[name].Content), 2)
	}
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
