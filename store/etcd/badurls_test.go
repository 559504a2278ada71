package etcd

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// closing returns the address of a server that reads something and ends the
// connection, as servers of other protocols do.
func closing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			bufio.NewReader(conn).ReadByte()
			conn.Close()
		}
	}()
	return l.Addr().String()
}

// Open says on one line why it can't, and at once where waiting does not help.
func TestOpen_SaysWhy(t *testing.T) {
	t.Parallel()
	a, stranger := storetest.NewAuthority(t), storetest.NewAuthority(t)
	secureServer := secure(t, a)
	withUsers(t, secureServer)
	a.Issue("client")
	stranger.Issue("client")
	withAuth := server(t, cheap...)
	withUsers(t, withAuth)
	plainServer := server(t)
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	secureWeb := httptest.NewUnstartedServer(http.NotFoundHandler())
	secureWeb.EnableHTTP2 = true
	a.Issue("web", storetest.Loopback)
	secureWeb.TLS = a.ServerConfig("web")
	secureWeb.StartTLS()
	defer secureWeb.Close()
	webAddr, secureWebAddr := web.Listener.Addr().String(), secureWeb.Listener.Addr().String()

	ours := "?ca=" + a.CA() + "&cert=" + a.Cert("client") + "&key=" + a.Key("client")
	const atOnce, never = true, false
	for name, c := range map[string]struct {
		url   string
		class error
		says  string
		soon  bool
	}{
		"no such host":               {"no.such.host.invalid/mine", store.ErrUnavailable, "no such host", atOnce},
		"no such host, user":         {"u:hunter2@no.such.host.invalid/mine", store.ErrUnavailable, "no such host", atOnce},
		"closed port":                {storetest.Refusing(t) + "/mine", store.ErrUnavailable, "connection refused", never},
		"closed port, user":          {"u:hunter2@" + storetest.Refusing(t) + "/mine", store.ErrUnavailable, "connection refused", never},
		"silent port":                {storetest.Silent(t) + "/mine", store.ErrUnavailable, "no answer", never},
		"silent port, user":          {"u:hunter2@" + storetest.Silent(t) + "/mine", store.ErrUnavailable, "no answer", never},
		"silent port, TLS":           {storetest.Silent(t) + "/mine?tls=true", store.ErrUnavailable, "no answer", never},
		"another protocol":           {closing(t) + "/mine", store.ErrUnavailable, "ended the connection without an answer", never},
		"web server":                 {webAddr + "/mine", store.ErrUnavailable, "the server is not etcd", atOnce},
		"web server, user":           {"u:hunter2@" + webAddr + "/mine", store.ErrUnavailable, "the server is not etcd", atOnce},
		"web server, TLS":            {secureWebAddr + "/mine?ca=" + a.CA(), store.ErrUnavailable, "the server is not etcd", atOnce},
		"web server, TLS, user":      {"u:hunter2@" + secureWebAddr + "/mine?ca=" + a.CA(), store.ErrUnavailable, "the server is not etcd", atOnce},
		"TLS asked of a web server":  {webAddr + "/mine?tls=true", store.ErrUnavailable, "does not speak TLS", atOnce},
		"TLS asked of a plain port":  {plainServer.Addr() + "/mine?ca=" + a.CA(), store.ErrUnavailable, "does not speak TLS", atOnce},
		"TLS, user, plain port":      {"u:hunter2@" + plainServer.Addr() + "/mine?tls=true", store.ErrUnavailable, "does not speak TLS", atOnce},
		"no TLS asked of a TLS port": {secureServer.SecureAddr() + "/mine", store.ErrUnavailable, "the server speaks TLS", atOnce},
		"no TLS, user, TLS port":     {"u:hunter2@" + secureServer.SecureAddr() + "/mine", store.ErrUnavailable, "the server speaks TLS", atOnce},
		"another authority":          {secureServer.SecureAddr() + "/mine" + strings.Replace(ours, a.CA(), stranger.CA(), 1), store.ErrUnavailable, "unknown authority", atOnce},
		"authorities of the system":  {secureServer.SecureAddr() + "/mine?tls=true", store.ErrUnavailable, "unknown authority", atOnce},
		"another name":               {secureServer.SecureAddr() + "/mine" + ours + "&server_name=other.example", store.ErrUnavailable, "other.example", atOnce},
		"wrong password":             {"writer:hunter2@" + withAuth.Addr() + "/mine", store.ErrPermission, `user "writer"`, atOnce},
		"no such user":               {"absent:hunter2@" + withAuth.Addr() + "/mine", store.ErrPermission, `user "absent"`, atOnce},
		"no user":                    {withAuth.Addr() + "/mine", store.ErrPermission, "the server wants a user", atOnce},
		"user without a password":    {"writer@" + withAuth.Addr() + "/mine", store.ErrInvalid, "has no password", atOnce},
		"no rights":                  {"writer:p%40ss%2Fwriter@" + withAuth.Addr() + "/other", store.ErrPermission, "grant-permission", atOnce},
		"certificate of no user":     {secureServer.SecureAddr() + "/mine" + ours, store.ErrPermission, "etcdserver", atOnce},
	} {
		t.Run(name, func(t *testing.T) {
			within := 2 * time.Second
			if c.soon {
				within = 15 * time.Second // and a machine that is busy
			}
			start := time.Now()
			_, err := storetest.Open(t, "etcd://"+c.url, within)
			if err == nil {
				t.Fatal("opened")
			}
			storetest.WantError(t, err, c.class)
			storetest.Mention(t, err, c.says)
			storetest.DontMention(t, err, "hunter2", "context deadline exceeded", "\n", "rpc error", "desc =")
			if took := time.Since(start); c.soon && took >= within {
				t.Errorf("took %v: %v", took, err)
			}
		})
	}
	// The same URLs as they are right.
	for _, u := range []string{
		plainServer.Addr() + "/mine",
		"writer:p%40ss%2Fwriter@" + plainServer.Addr() + "/mine", // where authentication is off
		"writer:p%40ss%2Fwriter@" + withAuth.Addr() + "/mine",
		"writer:p%40ss%2Fwriter@" + secureServer.SecureAddr() + "/mine" + ours,
		storetest.Refusing(t) + "," + plainServer.Addr() + ",no.such.host.invalid/mine",
	} {
		storetest.MustOpen(t, "etcd://"+u)
	}
}
