package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// ConflictNamesTheKeyAndTheReason whatever a transaction fails on, with a
// session and without. No key ever has the version wrong.
func ConflictNamesTheKeyAndTheReason(t *testing.T, s store.Store, n store.Session, wrong store.Version) {
	v := Commit(t, s, Do(store.Create("here", nil)))[0]
	for _, c := range []struct {
		name   string
		txn    store.Txn
		key    string
		reason store.ConflictReason
	}{
		{"create what is there", Do(store.Create("gone", nil), store.Create("here", nil)), "here", store.Present},
		{"set what is not there", Do(store.Set("gone", nil)), "gone", store.Absent},
		{"delete what is not there", Do(store.Delete("gone")), "gone", store.Absent},
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
				WantConflict(t, err, c.key, c.reason)
			})
		}
	}
	Equal(t, "gone", Read(t, s, "gone"), "-")
}

// DeadSessionCommitsNothing is about the guard: whatever a transaction writes,
// the store refuses it once it has ended the session, in any of some ways.
func DeadSessionCommitsNothing(t *testing.T, b Backend, ttl time.Duration, ends map[string]func(n store.Session) error) {
	for name, end := range ends {
		for _, op := range []store.Op{store.Set("lasting", []byte("late")), store.Create("new", nil), store.CreateEphemeral("eph", nil), store.Delete("lasting")} {
			t.Run(fmt.Sprintf("%s, op %d", name, op.Kind), func(t *testing.T) {
				s := b.Open(t, b.Server.Addr(), Namespace())
				n := Session(t, s, ttl)
				Commit(t, s, Do(store.Create("lasting", []byte("kept"))))
				if err := end(n); err != nil {
					t.Fatal(err)
				}
				// As a late copy would arrive, of a process that has not
				// noticed.
				_, err := s.Commit(t.Context(), In(n, op))
				WantError(t, err, store.ErrSessionLost)
				WantError(t, n.Err(), store.ErrSessionLost)
				<-n.Done()
				Equal(t, "lasting", Read(t, s, "lasting"), "kept")
				Equal(t, "new", Read(t, s, "new"), "-")
				Equal(t, "eph", Read(t, s, "eph"), "-")
			})
		}
	}
}

// NothingIsDoneByAnEndedContext, with a session and without.
func NothingIsDoneByAnEndedContext(t *testing.T, s store.Store, n store.Session) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, session := range []store.Session{nil, n} {
		_, err := s.Commit(ended, In(session, store.Create("k", nil)))
		WantError(t, err, store.ErrUnavailable)
	}
	_, err := s.Get(ended, "k")
	WantError(t, err, store.ErrUnavailable)
}

// NamespacesDontSeeEachOther, not even those whose names are alike.
func NamespacesDontSeeEachOther(t *testing.T, b Backend, names ...string) {
	all := map[string]store.Store{}
	watches := map[string]*Mirror{}
	for _, name := range names {
		all[name] = b.Open(t, b.Server.Addr(), strings.ReplaceAll(name, "%", "%25"))
		watches[name] = Follow(t, all[name], "")
		Session(t, all[name], b.TTL)
	}
	for _, name := range names {
		Commit(t, all[name], Do(store.Create("b/c/"+name, []byte(name)), store.Create("own", []byte(name))))
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
		Equal(t, "keys of "+name, strings.Join(got, " "), "b/c/"+name+"="+name+" own="+name)
		watches[name].UntilHas("own", name)
		Equal(t, "keys seen in "+name, len(watches[name].Content), 2)
	}
}
