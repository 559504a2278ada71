package zookeeper

import (
	"fmt"
	"testing"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	"github.com/go-zookeeper/zk"
)

// A directory has been left behind when the last key in it is gone. It is no
// key to anybody, whatever is asked, and in nobody's way.
func TestEmptyDirectoriesAreNoKeys(t *testing.T) {
	t.Parallel()
	z := server(t)
	s := openAt(t, z.Addr(), storetest.Namespace())
	leave := func(dir string) {
		t.Helper()
		l, _, err := s.connection(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := l.makeDirectories(t.Context(), []string{s.keys.directory(dir)}); err != nil {
			t.Fatal(err)
		}
	}
	leave("d/e")
	for _, dir := range []string{"d", "d/e"} {
		storetest.Equal(t, dir, storetest.Read(t, s, dir), "-")
		for name, txn := range map[string]store.Txn{
			"exists": {If: []store.Cond{store.Exists(dir)}},
			"at":     {If: []store.Cond{store.At(dir, version(0))}},
			"set":    storetest.Do(store.Set(dir, []byte("x"))),
			"delete": storetest.Do(store.Delete(dir)),
		} {
			t.Run(name+" "+dir, func(t *testing.T) {
				_, err := s.Commit(t.Context(), txn)
				storetest.WantConflict(t, err, dir, store.Absent)
			})
		}
	}
	entries, err := s.List(t.Context(), "")
	storetest.Equal(t, "list", fmt.Sprint(entries, err), "[] <nil>")

	v := storetest.Commit(t, s, storetest.Do(store.Create("d/e", []byte("beside the directory"))))
	_, err = s.Commit(t.Context(), storetest.Do(store.Create("d/e", nil)))
	storetest.WantConflict(t, err, "d/e", store.Present)
	storetest.Commit(t, s, storetest.Do(store.Create("d/e/k", []byte("below the key"))))
	storetest.Commit(t, s, store.Txn{If: []store.Cond{store.At("d/e", v[0])}, Do: []store.Op{store.Delete("d/e")}})
	storetest.Equal(t, "d/e/k", storetest.Read(t, s, "d/e/k"), "below the key")
}

// An ephemeral key may have keys below it, ephemeral or not, as in any other
// store.
func TestEphemeralKeysMayHaveKeysBelow(t *testing.T) {
	t.Parallel()
	z := server(t)
	s := openAt(t, z.Addr(), storetest.Namespace())
	n := newSession(t, s)
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", []byte("1")), store.CreateEphemeral("live/me/now", []byte("2"))}})
	storetest.Commit(t, s, storetest.Do(store.Create("live/me/ever", []byte("3"))))
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"live/me": "-", "live/me/now": "-", "live/me/ever": "3"} {
		storetest.Equal(t, key, storetest.Read(t, s, key), want)
	}
}

// Nothing is left of keys that are gone, by the server's own doing; and a
// directory that it removes while a key is being created in it is made again.
func TestServerRemovesEmptyDirectories(t *testing.T) {
	t.Parallel()
	z := server(t)
	s := openAt(t, z.Addr(), storetest.Namespace())
	storetest.Commit(t, s, storetest.Do(store.Create("d/e/k", nil)))
	storetest.Commit(t, s, storetest.Do(store.Delete("d/e/k")))
	l, _, err := s.connection(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	storetest.Await(t, "the server to remove the directories", func() bool {
		there, _, err := l.conn.Exists(s.keys.directory("d"))
		return err == nil && !there
	})
	storetest.Commit(t, s, storetest.Do(store.Create("d/e/k", nil)))
}

// What others put beside the keys is not taken for keys, and not walked
// through.
func TestNodesOfOthersAreIgnored(t *testing.T) {
	t.Parallel()
	z := server(t)
	s := openAt(t, z.Addr(), storetest.Namespace())
	storetest.Commit(t, s, storetest.Do(store.Create("d/k", []byte("v"))))
	m := storetest.Follow(t, s, "")
	l, _, err := s.connection(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/d/not escaped", "/d/not escaped/k=", "/d/directory", "/d/==", "/.sys/k="} {
		if _, err := l.conn.Create(s.keys.root+path, []byte("x"), 0, zk.WorldACL(zk.PermAll)); err != nil {
			t.Logf("%s: %v", path, err) // the driver's own may not be there yet
		}
	}
	storetest.Commit(t, s, storetest.Do(store.Create("d/last", []byte("v"))))
	m.UntilHas("d/last", "v")
	storetest.Equal(t, "told", fmt.Sprint(m.Content), "map[d/k:v d/last:v]")
	m.SameAsList(s, "")
}
