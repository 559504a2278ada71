package endpoint

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// copyFile puts the content of one file into another, in place.
func copyFile(t *testing.T, to, from string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// listen returns the address of a server with a certificate of a file. It
// tells the name in the certificate of each client whose certificate an
// authority has signed.
func listen(t *testing.T, cert, key, ca string) (addr string, clients <-chan string) {
	t.Helper()
	pool := x509.NewCertPool()
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool.AppendCertsFromPEM(text)
	pair := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(cert, key)
		return &c, err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: pair, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	names := make(chan string, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			secure := conn.(*tls.Conn)
			if err := secure.Handshake(); err == nil {
				names <- secure.ConnectionState().PeerCertificates[0].Subject.CommonName
			}
			conn.Close()
		}
	}()
	return l.Addr().String(), names
}

func connect(t *testing.T, s *Security, addr string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), storetest.Patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	secure, err := s.Handshake(ctx, conn, addr)
	if err == nil {
		secure.Close()
	}
	return err
}

// The next handshake uses the certificate and the key that the files hold now,
// and the old ones as long as the two don't fit each other.
func TestSecurity_ReadsThePairAgain(t *testing.T) {
	a := storetest.NewAuthority(t)
	a.Issue("server", storetest.Loopback)
	a.Issue("first")
	a.Issue("second")
	a.Issue("mine")
	copyFile(t, a.Cert("mine"), a.Cert("first"))
	copyFile(t, a.Key("mine"), a.Key("first"))
	addr, clients := listen(t, a.Cert("server"), a.Key("server"), a.CA())
	s, err := TLS(map[string]string{"ca": a.CA(), "cert": a.Cert("mine"), "key": a.Key("mine")})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"nothing", func() {}, "first"},
		{"the certificate written", func() { copyFile(t, a.Cert("mine"), a.Cert("second")) }, "first"},
		{"the key, too", func() { copyFile(t, a.Key("mine"), a.Key("second")) }, "second"},
		{"both emptied", func() { os.Truncate(a.Cert("mine"), 0); os.Truncate(a.Key("mine"), 0) }, "second"},
		{"the certificate half written", func() { copyFile(t, a.Cert("mine"), a.Cert("first")); os.Truncate(a.Cert("mine"), 100) }, "second"},
		{"both removed", func() { os.Remove(a.Cert("mine")); os.Remove(a.Key("mine")) }, "second"},
		{"both back", func() { copyFile(t, a.Cert("mine"), a.Cert("first")); copyFile(t, a.Key("mine"), a.Key("first")) }, "first"},
	} {
		step.do()
		if err := connect(t, s, addr); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if got := <-clients; got != step.want {
			t.Errorf("%s: the client shows %s, want %s", step.what, got, step.want)
		}
	}
}

// The next handshake trusts the authorities that the file holds now, and no
// others. The name of the server is checked as before.
func TestSecurity_ReadsTheAuthoritiesAgain(t *testing.T) {
	old, renewed := storetest.NewAuthority(t), storetest.NewAuthority(t)
	old.Issue("server", storetest.Loopback)
	renewed.Issue("server", storetest.Loopback)
	renewed.Issue("named", storetest.Named("store.example"))
	old.Issue("client")
	with := func(a *storetest.Authority, name string) string {
		addr, _ := listen(t, a.Cert(name), a.Key(name), old.CA())
		return addr
	}
	oldServer, newServer, named := with(old, "server"), with(renewed, "server"), with(renewed, "named")
	ca := t.TempDir() + "/ca.pem"
	copyFile(t, ca, old.CA())
	params := map[string]string{"ca": ca, "cert": old.Cert("client"), "key": old.Key("client")}
	s, err := TLS(params)
	if err != nil {
		t.Fatal(err)
	}
	params["server_name"] = "store.example"
	byName, err := TLS(params)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, s *Security, addr, says string) {
		t.Helper()
		switch err := connect(t, s, addr); {
		case says == "" && err != nil:
			t.Errorf("%s: %v", what, err)
		case says != "" && (err == nil || !strings.Contains(err.Error(), says)):
			t.Errorf("%s: got the error %v, want %q", what, err, says)
		}
	}
	check("old server, old authority", s, oldServer, "")
	check("new server, old authority", s, newServer, "unknown authority")

	both, err := os.ReadFile(old.CA())
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(renewed.CA())
	if err != nil {
		t.Fatal(err)
	}
	half := append(both[:len(both):len(both)], second[:len(second)/2]...)
	if err := os.WriteFile(ca, half, 0o600); err != nil {
		t.Fatal(err)
	}
	check("old server, a bundle half written", s, oldServer, "")
	check("new server, a bundle half written", s, newServer, "in the middle of a certificate")

	copyFile(t, ca, renewed.CA())
	check("new server, new authority", s, newServer, "")
	check("old server, new authority", s, oldServer, "unknown authority")
	check("another name", s, named, "127.0.0.1")
	check("the name of the URL", byName, named, "")
	check("not the name of the URL", byName, newServer, "store.example")
}
