package etcd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// passwordChecks returns how many passwords a server has checked.
func passwordChecks(e *testservers.Etcd) float64 {
	return e.Metric("grpc_server_handled_total", `grpc_method="Authenticate"`)
}

// rootOf is a client that may do everything.
func rootOf(t *testing.T, e *testservers.Etcd) *clientv3.Client {
	t.Helper()
	root, err := clientv3.New(
		clientv3.Config{
			Endpoints:   []string{e.Addr()},
			Username:    "root",
			Password:    "secret",
			DialTimeout: storetest.Patience,
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// A process has its password checked once for all its stores; not at all when
// connections break; and once more when the server refuses the tokens, however
// many calls, renewals and watches it refuses at the same time.
func TestPassword_IsCheckedOnceForEachEvent(t *testing.T) {
	a := storetest.NewAuthority(t)
	a.Issue("signer")
	jwt := "jwt,sign-method=ES256,ttl=1h,pub-key=" + a.Public("signer") + ",priv-key=" + a.Key("signer")
	for name, args := range map[string][]string{"simple": nil, "jwt": {"--auth-token", jwt}} {
		t.Run(name, func(t *testing.T) {
			e := server(t, args...) // with the cost of a password as it is in production
			withUsers(t, e)
			root := rootOf(t, e)
			p := testservers.StartProxy(t, e.Addr())
			before := passwordChecks(e)
			const stores = 12
			var (
				sessions [stores]store.Session
				all      [stores]*store.Portable
				opening  sync.WaitGroup
			)
			for i := range stores {
				opening.Go(func() {
					s, err := storetest.Open(
						t,
						"etcd://writer:p%40ss%2Fwriter@"+p.Addr()+"/mine?session_ttl=10s",
						storetest.Patience,
					)
					if err == nil {
						sessions[i], err = s.NewSession(t.Context(), store.SessionOptions{})
					}
					if err != nil {
						t.Error(err)
					}
					all[i] = s
				})
			}
			opening.Wait()
			if t.Failed() {
				t.FailNow()
			}
			storetest.Equal(t, "checks for opening all stores", passwordChecks(e)-before, 1)
			for _, s := range all {
				storetest.Follow(t, s, "").Next()
			}

			// use has all stores renew, commit and begin a watch.
			use := func(what string, key string) {
				t.Helper()
				renewed := make([]time.Time, stores)
				for i, n := range sessions {
					renewed[i] = n.Deadline()
				}
				var working sync.WaitGroup
				for i, s := range all {
					working.Go(func() {
						storetest.Await(t, "a commit "+what, func() bool {
							_, err := s.Commit(
								t.Context(),
								store.Txn{
									Session: sessions[i],
									Do:      []store.Op{store.Create(fmt.Sprintf("%s/%d", key, i), nil)},
								},
							)
							return err == nil || errors.Is(err, store.ErrConflict)
						})
						storetest.Follow(t, s, key).Next()
					})
				}
				working.Wait()
				for i, n := range sessions {
					storetest.Await(
						t,
						"a renewal "+what,
						func() bool { return n.Deadline().After(renewed[i]) || n.Err() != nil },
					)
					if n.Err() != nil {
						t.Errorf("%s: a session was lost", what)
					}
				}
			}
			before = passwordChecks(e)
			p.Reset()
			use("after connections broke", "a")
			storetest.Equal(t, "checks after connections broke", passwordChecks(e)-before, 0)

			if _, err := root.RoleAdd(t.Context(), "another"); err != nil {
				t.Fatal(err)
			}
			before = passwordChecks(e)
			use("after a role was added", "b")
			want := 0.0 // simple tokens outlive it
			if name == "jwt" {
				want = 1
			}
			storetest.Equal(t, "checks after a role was added", passwordChecks(e)-before, want)
		})
	}
}

// A watch that begins with a new token is not put on the stream of an old one,
// which the server would refuse for ever.
func TestWatch_BeginsWithANewToken(t *testing.T) {
	t.Parallel()
	a := storetest.NewAuthority(t)
	a.Issue("signer")
	e := server(
		t,
		append(
			[]string{
				"--auth-token",
				"jwt,sign-method=ES256,ttl=1h,pub-key=" + a.Public("signer") + ",priv-key=" + a.Key("signer"),
			},
			cheap...)...)
	withUsers(t, e)
	s := storetest.MustOpen(t, "etcd://writer:p%40ss%2Fwriter@"+e.Addr()+"/mine")
	old := storetest.Follow(t, s, "old")
	old.Next()
	storetest.Commit(t, s, storetest.Do(store.Create("old/k", []byte("1"))))
	old.UntilHas("old/k", "1")
	if _, err := rootOf(t, e).RoleAdd(t.Context(), "another"); err != nil {
		t.Fatal(err)
	}
	next := storetest.Follow(t, s, "next")
	next.Next()
	storetest.Commit(t, s, storetest.Do(store.Create("next/k", []byte("1"))))
	for i := range 20 {
		storetest.Commit(t, s, storetest.Do(store.Set("next/k", fmt.Append(nil, i))))
		next.UntilHas("next/k", fmt.Sprint(i))
	}
	storetest.Equal(t, "contents told to the new watch", next.Resets, 1)
	storetest.Commit(t, s, storetest.Do(store.Set("old/k", []byte("2"))))
	old.UntilHas("old/k", "2")
}

// A password that is changed in the server and in its file is used, in
// whichever order it was changed. The session lives on.
func TestPasswordFile_IsReadAgain(t *testing.T) {
	for name, fileFirst := range map[string]bool{"file first": true, "server first": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := server(t, cheap...)
			withUsers(t, e)
			root := rootOf(t, e)
			file := filepath.Join(t.TempDir(), "password")
			write := func(password string) {
				t.Helper()
				if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("p@ss/writer\n")
			s := storetest.MustOpen(t, "etcd://writer@"+e.Addr()+"/mine?session_ttl=10s&password_file="+file)
			n, err := s.NewSession(t.Context(), store.SessionOptions{})
			if err != nil {
				t.Fatal(err)
			}
			get := func() error {
				_, err := s.Get(t.Context(), "k")
				if errors.Is(err, store.ErrNotFound) {
					return nil
				}
				return err
			}
			if fileFirst {
				write("another\n")
			}
			if err := get(); err != nil {
				t.Error("the old token does not serve:", err)
			}
			if _, err := root.UserChangePassword(t.Context(), "writer", "another"); err != nil {
				t.Fatal(err)
			}
			if !fileFirst {
				before := passwordChecks(e)
				for range 50 {
					err := get()
					storetest.WantError(t, err, store.ErrPermission)
					storetest.DontMention(t, err, "p@ss")
				}
				if got := passwordChecks(e) - before; got > 5 {
					t.Errorf("a password that the server has refused was checked %v times for 50 calls", got)
				}
				write("another\n")
			}
			storetest.Await(t, "the new password to be used", func() bool { return get() == nil })
			storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.Create("k", nil)}})
			if n.Err() != nil {
				t.Errorf("the session has ended: %v", n.Err())
			}
		})
	}
}
