package zookeeper

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/dial"
	"github.com/elasticjob-go/elastic/store/internal/endpoint"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	"github.com/go-zookeeper/zk"
)

// secure starts a server that takes TLS besides, with the certificate of a
// name, and wants one of the same authority from its clients. It returns the
// address for TLS.
func secure(t *testing.T, a *storetest.Authority, name string) (z *testservers.ZooKeeper, addr string) {
	t.Helper()
	// The server wants its certificate and its key in one file.
	cert, err := os.ReadFile(a.Cert(name))
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(a.Key(name))
	if err != nil {
		t.Fatal(err)
	}
	both := filepath.Join(t.TempDir(), "both.pem")
	if err := os.WriteFile(both, append(key, cert...), 0o600); err != nil {
		t.Fatal(err)
	}
	addr = storetest.Refusing(t)
	_, port, _ := net.SplitHostPort(addr)
	z = server(t, "secureClientPort="+port, "secureClientPortAddress=127.0.0.1", "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
		"ssl.keyStore.location="+both, "ssl.keyStore.type=PEM", "ssl.trustStore.location="+a.CA(), "ssl.trustStore.type=PEM", "ssl.clientAuth=need",
		"ssl.hostnameVerification=false") // of clients, whose certificates name no address
	storetest.Await(t, "the server to take TLS", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return z, addr
}

func TestTLSOfTheServersOwn(t *testing.T) {
	t.Parallel()
	a := storetest.NewAuthority(t)
	a.Issue("server", storetest.Loopback)
	a.Issue("client")
	_, addr := secure(t, a, "server")
	ns := storetest.Namespace()
	s := storetest.MustOpen(t, "zookeeper://"+addr+"/"+ns+"?ca="+a.CA()+"&cert="+a.Cert("client")+"&key="+a.Key("client"))
	n, err := s.NewSession(t.Context(), store.SessionOptions{TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	m := storetest.Follow(t, s, "")
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", []byte("1"))}})
	m.UntilHas("live/me", "1")

	_, err = storetest.Open(t, "zookeeper://"+addr+"/"+ns+"?ca="+a.CA(), 2*time.Second)
	storetest.WantError(t, err, store.ErrUnavailable) // without a certificate of ours
	storetest.Mention(t, err, "tls", addr)
	_, err = storetest.Open(t, "zookeeper://"+addr+"/"+ns, 2*time.Second)
	storetest.WantError(t, err, store.ErrUnavailable)
	storetest.Mention(t, err, addr)
}

// A certificate that is renewed in its files is used by the next connection.
func TestCertificate_IsReadAgain(t *testing.T) {
	t.Parallel()
	a := storetest.NewAuthority(t)
	a.Issue("server", storetest.Loopback)
	_, addr := secure(t, a, "server")
	storetest.RenewedCertificateIsUsed(t, "zookeeper", addr, a)
}

// A server that is slow with the handshake of TLS costs no session.
func TestHandshake_MayBeSlow(t *testing.T) {
	t.Parallel()
	z := server(t)
	a := storetest.NewAuthority(t)
	a.Issue("server", storetest.Loopback)
	a.Issue("client")
	p := testservers.StartProxy(t, a.Front(z.Addr(), "server"))
	s := storetest.MustOpen(t, "zookeeper://"+p.Addr()+"/"+storetest.Namespace()+
		"?ca="+a.CA()+"&cert="+a.Cert("client")+"&key="+a.Key("client"))
	n := storetest.Session(t, s, 10*time.Second)
	storetest.Commit(t, s, storetest.In(n, store.CreateEphemeral("live", nil)))
	before := n.Deadline()
	p.Delay(testservers.ToClient, 1200*time.Millisecond)
	p.Reset()
	storetest.Await(t, "a renewal", func() bool { return n.Deadline().After(before.Add(5*time.Second)) || n.Err() != nil })
	storetest.Equal[error](t, "the session", n.Err(), nil)
}

func TestCertificatesThatAreNoGood(t *testing.T) {
	t.Parallel()
	z := server(t)
	a, stranger := storetest.NewAuthority(t), storetest.NewAuthority(t)
	a.Issue("server", storetest.Loopback)
	a.Issue("named", storetest.Named("zookeeper.example"))
	a.Issue("expired", storetest.Loopback, storetest.Expired)
	a.Issue("client")
	a.Issue("lapsed", storetest.Expired)
	stranger.Issue("client")
	good, named, expired := a.Front(z.Addr(), "server"), a.Front(z.Addr(), "named"), a.Front(z.Addr(), "expired")
	with := func(a *storetest.Authority, name string) string {
		return "&cert=" + a.Cert(name) + "&key=" + a.Key(name)
	}
	ns := storetest.Namespace()
	for _, u := range []string{
		good + "/" + ns + "?ca=" + a.CA() + with(a, "client"),
		named + "/" + ns + "?ca=" + a.CA() + with(a, "client") + "&server_name=zookeeper.example",
	} {
		storetest.MustOpen(t, "zookeeper://"+u)
	}
	for name, c := range map[string]struct{ url, says string }{
		"authority of the system": {good + "/ns?tls=true" + with(a, "client"), "unknown authority"},
		"wrong authority":         {good + "/ns?ca=" + stranger.CA() + with(a, "client"), "certificate"},
		"wrong name":              {named + "/ns?ca=" + a.CA() + with(a, "client"), "127.0.0.1"},
		"expired":                 {expired + "/ns?ca=" + a.CA() + with(a, "client"), "expired"},
		"no certificate of ours":  {good + "/ns?ca=" + a.CA(), "tls"},
		"expired one of ours":     {good + "/ns?ca=" + a.CA() + with(a, "lapsed"), "tls"},
		"wrong one of ours":       {good + "/ns?ca=" + a.CA() + with(stranger, "client"), "tls"},
		"no TLS":                  {good + "/ns", "speaks TLS"},
		"TLS where there is none": {z.Addr() + "/ns?ca=" + a.CA(), z.Addr()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, err := storetest.Open(t, "zookeeper://"+c.url, 5*time.Second)
			storetest.WantError(t, err, store.ErrUnavailable)
			storetest.Mention(t, err, c.says)
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// admin connects to a server past the driver, as a user or as nobody.
func admin(t *testing.T, addr, auth string) *zk.Conn {
	t.Helper()
	conn, events, err := zk.Connect([]string{addr}, 10*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range events {
		}
	}()
	t.Cleanup(conn.Close)
	if auth != "" {
		if err := conn.AddAuth("digest", []byte(auth)); err != nil {
			t.Fatal(err)
		}
	}
	return conn
}

// All nodes of a user's namespace are his alone: directories, keys, ephemeral
// ones, and markers. Nobody else can so much as read what they are called.
func TestEveryNodeIsItsUsersAlone(t *testing.T) {
	t.Parallel()
	z := server(t)
	ns := storetest.Namespace()
	s := storetest.MustOpen(t, "zookeeper://owner:secret@"+z.Addr()+"/"+ns)
	n, err := s.NewSession(t.Context(), store.SessionOptions{TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", nil), store.Create("jobs/a/b", nil)}})
	n.(*session).link.current().Close() // the next connection must say who it is, too
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.Create("jobs/a/c", nil)}})

	owner, stranger := admin(t, z.Addr(), "owner:secret"), admin(t, z.Addr(), "")
	nodes := 0
	var look func(path string)
	look = func(path string) {
		nodes++
		acl, _, err := owner.GetACL(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(acl) != 1 || acl[0].Scheme != "digest" || !strings.HasPrefix(acl[0].ID, "owner:") || acl[0].Perms != zk.PermAll {
			t.Errorf("%s: %+v", path, acl)
		}
		if _, _, err := stranger.Children(path); err != zk.ErrNoAuth {
			t.Errorf("a stranger lists %s: %v", path, err)
		}
		names, _, err := owner.Children(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			look(path + "/" + name)
		}
	}
	look("/" + ns)
	storetest.Equal(t, "nodes", nodes, 10) // root, live, me, jobs, a, b, c, .sys, sessions, marker
}

// rights sets the rights of everybody on a namespace's nodes that are there,
// all but an owner's.
func rights(t *testing.T, owner *zk.Conn, path string, everybody int32) {
	t.Helper()
	acl := zk.AuthACL(zk.PermAll)
	if everybody != 0 {
		acl = append(acl, zk.WorldACL(everybody)...)
	}
	if _, err := owner.SetACL(path, acl, -1); err != nil {
		t.Fatal(err)
	}
	names, _, err := owner.Children(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		rights(t, owner, path+"/"+name, everybody)
	}
}

func TestMissingRightsAreNamedAndNeverLookLikeAnEmptyStore(t *testing.T) {
	t.Parallel()
	z := server(t)
	ns := storetest.Namespace()
	owner := storetest.MustOpen(t, "zookeeper://owner:secret@"+z.Addr()+"/"+ns)
	newOne, err := owner.NewSession(t.Context(), store.SessionOptions{TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Commit(t, owner, store.Txn{Session: newOne, Do: []store.Op{store.Create("d/k", []byte("1")), store.Create("d/l", []byte("1"))}})
	conn := admin(t, z.Addr(), "owner:secret")

	rights(t, conn, "/"+ns, zk.PermRead)
	reader := storetest.MustOpen(t, z.URL(ns))
	classic := storetest.MustOpen(t, z.URL(ns)+"?watch=classic")
	m, c := storetest.Follow(t, reader, "d"), storetest.Follow(t, classic, "d")
	m.UntilHas("d/k", "1")
	c.UntilHas("d/k", "1")
	for name, txn := range map[string]store.Txn{
		"set":                       storetest.Do(store.Set("d/k", nil)),
		"create":                    storetest.Do(store.Create("d/n", nil)),
		"create in a new directory": storetest.Do(store.Create("e/n", nil)),
		"delete":                    storetest.Do(store.Delete("d/k")),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := reader.Commit(t.Context(), txn)
			storetest.WantError(t, err, store.ErrPermission)
		})
	}
	_, err = reader.NewSession(t.Context(), store.SessionOptions{TTL: ttl})
	storetest.WantError(t, err, store.ErrPermission)
	storetest.Equal(t, "d/k", storetest.Read(t, owner, "d/k"), "1")

	// The right to read one key is taken away, and then it changes.
	rights(t, conn, "/"+ns+"/d/k=", 0)
	_, err = reader.Get(t.Context(), "d/k")
	storetest.WantError(t, err, store.ErrPermission)
	_, err = reader.List(t.Context(), "d")
	storetest.WantError(t, err, store.ErrPermission)
	_, err = reader.Watch(t.Context(), "d")
	storetest.WantError(t, err, store.ErrPermission)
	storetest.Equal(t, "d/l", storetest.Read(t, reader, "d/l"), "1")
	storetest.Commit(t, owner, storetest.Do(store.Set("d/k", []byte("2"))))
	storetest.Commit(t, owner, storetest.Do(store.Set("d/l", []byte("2"))))
	for name, of := range map[string]struct {
		s *store.Portable
		m *storetest.Mirror
	}{"persistent": {reader, m}, "classic": {classic, c}} {
		t.Run(name, func(t *testing.T) {
			// Servers since 3.8.4 say nothing of what may not be read; others
			// say that it has changed. When everything is read again there is
			// no doubt.
			_, w, err := of.s.Driver().(*client).connection(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for {
				u, err := of.m.Watch.Next(storetest.Bounded(t, storetest.Patience))
				if err != nil {
					storetest.WantError(t, err, store.ErrPermission)
					return
				}
				for _, e := range u.Entries {
					if e.Key == "d/k" {
						t.Errorf("told of %s=%s without the right to read it", e.Key, e.Value)
					}
					w.Close()
				}
			}
		})
	}
}

// The whole namespace belongs to somebody else.
func TestNamespaceOfAnotherUserIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	z := server(t)
	ns := storetest.Namespace()
	storetest.Commit(t, storetest.MustOpen(t, "zookeeper://owner:secret@"+z.Addr()+"/"+ns), storetest.Do(store.Create("k", nil)))
	for _, who := range []string{"", "owner:hunter2@", "other:secret@"} {
		start := time.Now()
		_, err := storetest.Open(t, fmt.Sprintf("zookeeper://%s%s/%s", who, z.Addr(), ns), storetest.Patience)
		storetest.WantError(t, err, store.ErrPermission)
		storetest.DontMention(t, err, "hunter2", "secret")
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
	}
}

// A password that is replaced in its file is shown on the connections that are
// there: the session lives on, and has the rights of both passwords.
func TestPasswordFile_IsReadAgain(t *testing.T) {
	t.Parallel()
	z := server(t)
	ns := storetest.Namespace()
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	s := storetest.MustOpen(t, "zookeeper://u@"+z.Addr()+"/"+ns+"?password_file="+file)
	n, err := s.NewSession(t.Context(), store.SessionOptions{TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.Create("k", []byte("1"))}})

	conn := admin(t, z.Addr(), "u:old")
	if err := conn.AddAuth("digest", []byte("u:new")); err != nil {
		t.Fatal(err)
	}
	path := s.Driver().(*client).keys.key("k")
	if _, err := conn.SetACL(path, zk.DigestACL(zk.PermAll, "u", "new"), -1); err != nil {
		t.Fatal(err)
	}
	_, err = s.Get(t.Context(), "k")
	storetest.WantError(t, err, store.ErrPermission)
	write("new")
	storetest.Await(t, "the new password to be shown", func() bool {
		_, getErr := s.Get(t.Context(), "k")
		_, setErr := s.Commit(t.Context(), store.Txn{Session: n, Do: []store.Op{store.Set("k", []byte("2"))}})
		return getErr == nil && setErr == nil
	})
	if n.Err() != nil {
		t.Errorf("the session has ended: %v", n.Err())
	}
}

// The handshake of TLS is bounded like any other wait.
func TestSilenceWhereTLSIsExpectedIsBounded(t *testing.T) {
	h := ensemble{hosts: []string{storetest.Silent(t)}, dialer: &dial.Dialer{}, security: &endpoint.Security{}}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := h.dial(ctx, h.hosts[0]); err == nil || ctx.Err() == nil {
		t.Errorf("got %v", err)
	}
}
