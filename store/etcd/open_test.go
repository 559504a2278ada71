package etcd

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestOpenNamesTheHostsThatDontAnswer(t *testing.T) {
	storetest.NoGoroutineLeft(t)
	storetest.OpenNamesTheHostsThatDontAnswer(t, map[string]string{
		"etcd://SILENT/ns":                "no answer",
		"etcd://REFUSING/ns":              "connection refused",
		"etcd://REFUSING,SILENT/ns":       "",
		"etcd://user:hunter2@REFUSING/ns": "",
	})
}

// One of three servers is enough, whatever the other two do.
func TestOpenFindsTheOneServerThatAnswers(t *testing.T) {
	e := server(t)
	start := time.Now()
	s := storetest.MustOpen(t, "etcd://127.0.0.1:1,"+storetest.Silent(t)+","+e.Addr()+"/ns")
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
	if _, err := s.Commit(t.Context(), storetest.Do(store.Create("k", nil))); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesWhatMakesNoSense(t *testing.T) {
	storetest.OpenRefusesWhatMakesNoSense(t, map[string]string{
		"etcd:///ns":                                 "no host",
		"etcd://h/ns?colour=red":                     "colour",
		"etcd://h/ns?tls=maybe":                      "tls",
		"etcd://h/ns?tls=false&ca=x":                 "contradicts",
		"etcd://h/ns?cert=x":                         "without the other",
		"etcd://h/ns?ca=/nowhere/ca.pem":             "ca.pem",
		"etcd://h/ns?cert=/nowhere/a&key=/nowhere/b": "cert and key",
		"etcd://h/" + strings.Repeat("n", 200) + "/" + strings.Repeat("n", 200) + "/n": "namespace",
	})
}

// withUsers turns authentication on: root, a user who may do everything below
// the namespace "mine", and one who may only read there.
func withUsers(t *testing.T, e *testservers.Etcd) {
	t.Helper()
	c := admin(t, e)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.UserAdd(t.Context(), "root", "secret"))
	must(c.UserGrantRole(t.Context(), "root", "root"))
	for user, kind := range map[string]clientv3.PermissionType{"writer": clientv3.PermissionType(clientv3.PermReadWrite), "reader": clientv3.PermissionType(clientv3.PermRead)} {
		must(c.RoleAdd(t.Context(), user))
		must(c.RoleGrantPermission(t.Context(), user, "/mine/", "/mine0", kind))
		must(c.UserAdd(t.Context(), user, "p@ss/"+user))
		must(c.UserGrantRole(t.Context(), user, user))
	}
	must(c.AuthEnable(t.Context()))
}

func TestUsersHaveTheRightsOfTheirNamespace(t *testing.T) {
	t.Parallel()
	e := server(t, cheap...)
	withUsers(t, e)
	as := func(user, password, namespace string) string {
		return "etcd://" + user + ":" + url.QueryEscape(password) + "@" + e.Addr() + "/" + namespace
	}
	for _, u := range []string{e.URL("mine"), as("writer", "wrong", "mine"), as("nobody", "x", "mine"), as("writer", "p@ss/writer", "other")} {
		_, err := storetest.Open(t, u, 5*time.Second)
		storetest.WantError(t, err, store.ErrPermission)
		storetest.DontMention(t, err, "p@ss", "wrong")
	}

	writer := storetest.MustOpen(t, as("writer", "p@ss/writer", "mine"))
	n, err := writer.NewSession(t.Context(), store.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Commit(t.Context(), store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", []byte("1"))}}); err != nil {
		t.Fatal(err)
	}
	w, err := writer.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	m := storetest.NewMirror(t, w)
	m.UntilHas("live/me", "1")

	reader := storetest.MustOpen(t, as("reader", "p@ss/reader", "mine"))
	if _, err := reader.Get(t.Context(), "live/me"); err != nil {
		t.Fatal(err)
	}
	_, err = reader.Commit(t.Context(), storetest.Do(store.Create("k", nil)))
	storetest.WantError(t, err, store.ErrPermission)
	_, err = reader.NewSession(t.Context(), store.SessionOptions{})
	storetest.WantError(t, err, store.ErrPermission)

	// Rights that are taken away are missed at once by reads, and never look
	// like an empty store.
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{e.Addr()}, Username: "root", Password: "secret", DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.RoleRevokePermission(t.Context(), "reader", "/mine/", "/mine0"); err != nil {
		t.Fatal(err)
	}
	_, err = reader.List(t.Context(), "")
	storetest.WantError(t, err, store.ErrPermission)
	_, err = reader.Watch(t.Context(), "")
	storetest.WantError(t, err, store.ErrPermission)
}
