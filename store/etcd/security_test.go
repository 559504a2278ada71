package etcd

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// cheap has the server spend less on passwords, of which it makes one look like
// ten requests.
var cheap = []string{"--bcrypt-cost", "4"}

// A token lives for a while only, of whichever kind; the driver takes a new one
// by itself.
func TestExpiredTokenIsRenewed(t *testing.T) {
	a := storetest.NewAuthority(t)
	a.Issue("signer")
	for name, args := range map[string][]string{
		"simple": {"--auth-token-ttl", "1"},
		"jwt":    {"--auth-token", "jwt,sign-method=ES256,ttl=1s,pub-key=" + a.Public("signer") + ",priv-key=" + a.Key("signer")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := server(t, append(args, cheap...)...)
			withUsers(t, e)
			s := storetest.MustOpen(t, "etcd://writer:p%40ss%2Fwriter@"+e.Addr()+"/mine?session_ttl=6s")
			n, err := s.NewSession(t.Context(), store.SessionOptions{})
			if err != nil {
				t.Fatal(err)
			}
			m := storetest.Follow(t, s, "")
			m.Next()
			conns := s.Driver().(*client).conns
			for i := range 2 {
				before := n.Deadline()
				storetest.Await(t, "renewals for longer than a token lives", func() bool { return n.Deadline().Sub(before) > 1500*time.Millisecond || n.Err() != nil })
				key := fmt.Sprint("k", i)
				storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.Create(key, []byte("1"))}})
				m.UntilHas(key, "1")
				conns.mu.Lock()
				for l := range conns.open {
					l.Conn.Close() // so that streams must be opened again, which needs a token
				}
				conns.mu.Unlock()
			}
		})
	}
}

// A password that is changed while the process runs is an error that says so,
// in everything that needs a new token.
func TestChangedPasswordIsNamed(t *testing.T) {
	t.Parallel()
	e := server(t, append([]string{"--auth-token-ttl", "1"}, cheap...)...)
	withUsers(t, e)
	s := storetest.MustOpen(t, "etcd://writer:p%40ss%2Fwriter@"+e.Addr()+"/mine")
	root, err := clientv3.New(clientv3.Config{Endpoints: []string{e.Addr()}, Username: "root", Password: "secret", DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := root.UserChangePassword(t.Context(), "writer", "another"); err != nil {
		t.Fatal(err)
	}
	storetest.Await(t, "the token to be refused", func() bool {
		_, err = s.Get(t.Context(), "k")
		return err != nil && !errors.Is(err, store.ErrNotFound)
	})
	storetest.WantError(t, err, store.ErrPermission)
	storetest.DontMention(t, err, "p@ss")
	_, err = s.Commit(t.Context(), storetest.Do(store.Create("k", nil)))
	storetest.WantError(t, err, store.ErrPermission)
}

// secure starts a server that takes TLS and wants a certificate of the same
// authority.
func secure(t *testing.T, a *storetest.Authority) *testservers.Etcd {
	a.Issue("server", storetest.Loopback)
	return server(t, "--cert-file", a.Cert("server"), "--key-file", a.Key("server"), "--trusted-ca-file", a.CA(), "--client-cert-auth", cheap[0], cheap[1])
}

func TestTLSOfTheServersOwn(t *testing.T) {
	t.Parallel()
	a := storetest.NewAuthority(t)
	e := secure(t, a)
	a.Issue("client")
	s := storetest.MustOpen(t, "etcd://"+e.SecureAddr()+"/ns?ca="+a.CA()+"&cert="+a.Cert("client")+"&key="+a.Key("client"))
	n, err := s.NewSession(t.Context(), store.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m := storetest.Follow(t, s, "")
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", []byte("1"))}})
	m.UntilHas("live/me", "1")
	for _, params := range []string{"?ca=" + a.CA(), ""} {
		_, err = storetest.Open(t, "etcd://"+e.SecureAddr()+"/ns"+params, 2*time.Second)
		storetest.WantError(t, err, store.ErrUnavailable)
	}
}

// With authentication on and no user in the URL, the name in the client's
// certificate is the user.
func TestCertificateIsAUser(t *testing.T) {
	t.Parallel()
	a := storetest.NewAuthority(t)
	e := secure(t, a)
	withUsers(t, e)
	a.Issue("writer")
	a.Issue("nobody")
	as := func(name, namespace string) string {
		return "etcd://" + e.SecureAddr() + "/" + namespace + "?ca=" + a.CA() + "&cert=" + a.Cert(name) + "&key=" + a.Key(name)
	}
	storetest.Commit(t, storetest.MustOpen(t, as("writer", "mine")), storetest.Do(store.Create("k", nil)))
	for _, u := range []string{as("writer", "other"), as("nobody", "mine")} {
		_, err := storetest.Open(t, u, 5*time.Second)
		storetest.WantError(t, err, store.ErrPermission)
	}
}

// A certificate that is renewed in its files is used by the next connection.
func TestCertificate_IsReadAgain(t *testing.T) {
	t.Parallel()
	a := storetest.NewAuthority(t)
	e := secure(t, a)
	storetest.RenewedCertificateIsUsed(t, "etcd", e.SecureAddr(), a)
}

func TestCertificatesThatAreNoGood(t *testing.T) {
	t.Parallel()
	e := server(t)
	a, stranger := storetest.NewAuthority(t), storetest.NewAuthority(t)
	a.Issue("server", storetest.Loopback, storetest.Named("etcd.example"))
	a.Issue("named", storetest.Named("etcd.example"))
	a.Issue("expired", storetest.Loopback, storetest.Expired)
	a.Issue("client")
	a.Issue("lapsed", storetest.Expired)
	stranger.Issue("client")
	good, named, expired := a.Front(e.Addr(), "server", "h2"), a.Front(e.Addr(), "named", "h2"), a.Front(e.Addr(), "expired", "h2")
	with := func(a *storetest.Authority, name string) string {
		return "&cert=" + a.Cert(name) + "&key=" + a.Key(name)
	}
	client := with(a, "client")

	for _, u := range []string{
		"etcd://" + good + "/ns?ca=" + a.CA() + client,
		"etcd://" + named + "/ns?ca=" + a.CA() + client + "&server_name=etcd.example",
	} {
		s := storetest.MustOpen(t, u)
		if _, err := s.List(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct{ url, says string }{
		"authority of the system": {good + "/ns?tls=true" + client, "unknown authority"},
		"wrong authority":         {good + "/ns?ca=" + stranger.CA() + client, "certificate"},
		"wrong name":              {named + "/ns?ca=" + a.CA() + client, "127.0.0.1"},
		"expired":                 {expired + "/ns?ca=" + a.CA() + client, "expired"},
		// With TLS 1.3 the server's reason may be drowned by the end of the
		// connection.
		"no certificate of ours":  {good + "/ns?ca=" + a.CA(), good},
		"expired one of ours":     {good + "/ns?ca=" + a.CA() + with(a, "lapsed"), good},
		"wrong one of ours":       {good + "/ns?ca=" + a.CA() + with(stranger, "client"), good},
		"no TLS":                  {good + "/ns", good},
		"TLS where there is none": {e.Addr() + "/ns?ca=" + a.CA(), "does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, err := storetest.Open(t, "etcd://"+c.url, 8*time.Second) // two handshakes on a machine that is busy
			storetest.WantError(t, err, store.ErrUnavailable)
			storetest.Mention(t, err, c.says)
			if took := time.Since(start); took > 13*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}
