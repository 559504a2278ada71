package zookeeper

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// says is a server that begins each connection with a text.
func says(t *testing.T, text string) (addr string) {
	l := storetest.Listen(t, "127.0.0.1:0")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.WriteString(c, text)
				io.Copy(io.Discard, c)
				c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// Open says why it fails, on one line, and at once if waiting can't help.
func TestOpen_SaysWhy(t *testing.T) {
	t.Parallel()
	z := server(t)
	etcd := testservers.StartEtcd(t)
	web := &http.Server{}
	l := storetest.Listen(t, "127.0.0.1:0")
	go web.Serve(l)
	t.Cleanup(func() { web.Close() })

	a, stranger := storetest.NewAuthority(t), storetest.NewAuthority(t)
	a.Issue("server", storetest.Loopback)
	a.Issue("named", storetest.Named("zookeeper.example"))
	a.Issue("expired", storetest.Loopback, storetest.Expired)
	a.Issue("client")
	stranger.Issue("client")
	_, netty := secure(t, a, "server")
	front, named, expired := a.Front(z.Addr(), "server"), a.Front(z.Addr(), "named"), a.Front(z.Addr(), "expired")
	ours := "&cert=" + a.Cert("client") + "&key=" + a.Key("client")

	taken := storetest.Namespace()
	owner := storetest.MustOpen(t, "zookeeper://owner:secret@"+z.Addr()+"/"+taken)
	storetest.Commit(t, owner, storetest.Do(store.Create("k", nil)))

	for name, c := range map[string]struct {
		url, says string
		class     error
	}{
		"no such host":                {"no.such.host.invalid:2181/ns", "no such host", store.ErrUnavailable},
		"no such host among several":  {"no.such.host.invalid,neither.this.invalid/ns", "neither.this.invalid", store.ErrUnavailable},
		"etcd":                        {etcd.Addr() + "/ns", "no ZooKeeper", store.ErrUnavailable},
		"etcd with TLS":               {etcd.Addr() + "/ns?tls=true", "no ZooKeeper", store.ErrUnavailable},
		"a web server":                {l.Addr().String() + "/ns", "no ZooKeeper", store.ErrUnavailable},
		"a web server with TLS":       {l.Addr().String() + "/ns?tls=true", "TLS", store.ErrUnavailable},
		"a server of SSH":             {says(t, "SSH-2.0-OpenSSH_9.2\r\n") + "/ns", "SSH-", store.ErrUnavailable},
		"a server of SMTP with TLS":   {says(t, "220 mail.example ESMTP\r\n") + "/ns?tls=true", "tls: first record", store.ErrUnavailable},
		"TLS against plain":           {z.Addr() + "/ns?tls=true", "speaks no TLS", store.ErrUnavailable},
		"plain against TLS":           {front + "/ns", "speaks TLS", store.ErrUnavailable},
		"plain against its own TLS":   {netty + "/ns", "speaks TLS", store.ErrUnavailable},
		"authority of the system":     {front + "/ns?tls=true" + ours, "unknown authority", store.ErrUnavailable},
		"wrong authority":             {front + "/ns?ca=" + stranger.CA() + ours, "certificate", store.ErrUnavailable},
		"wrong authority, own TLS":    {netty + "/ns?ca=" + stranger.CA() + ours, "certificate", store.ErrUnavailable},
		"wrong name":                  {named + "/ns?ca=" + a.CA() + ours, "127.0.0.1", store.ErrUnavailable},
		"expired":                     {expired + "/ns?ca=" + a.CA() + ours, "expired", store.ErrUnavailable},
		"no certificate of ours":      {front + "/ns?ca=" + a.CA(), "tls", store.ErrUnavailable},
		"no certificate, own TLS":     {netty + "/ns?ca=" + a.CA(), "tls", store.ErrUnavailable},
		"wrong password":              {"owner:hunter2@" + z.Addr() + "/" + taken, "not authenticated", store.ErrPermission},
		"no user":                     {z.Addr() + "/" + taken, "not authenticated", store.ErrPermission},
		"another user":                {"other:hunter2@" + z.Addr() + "/" + taken, "not authenticated", store.ErrPermission},
		"unknown kind of watches":     {z.Addr() + "/ns?watch=old", "classic", store.ErrInvalid},
		"a certificate without a key": {z.Addr() + "/ns?cert=" + a.Cert("client"), "key", store.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := storetest.Open(t, "zookeeper://"+c.url, storetest.Patience)
			storetest.WantError(t, err, c.class)
			storetest.Mention(t, err, c.says)
			storetest.DontMention(t, err, "hunter2", "secret", "deadline", "\n")
			if errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the answer came at the deadline: %v", err)
			}
		})
	}
	// Waiting may help.
	for name, c := range map[string]struct{ url, says string }{
		"refused":                   {storetest.Refusing(t) + "/ns", "connection refused"},
		"silent":                    {storetest.Silent(t) + "/ns", "not answered"},
		"no such host, and another": {"no.such.host.invalid:2181," + storetest.Refusing(t) + "/ns", "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := storetest.Open(t, "zookeeper://"+c.url, time.Second)
			storetest.WantError(t, err, store.ErrUnavailable)
			storetest.Mention(t, err, c.says)
			storetest.DontMention(t, err, "deadline", "\n")
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("given up before the deadline: %v", err)
			}
		})
	}
	// One good host is enough.
	storetest.MustOpen(t, "zookeeper://no.such.host.invalid:2181,"+net.JoinHostPort("127.0.0.1", "1")+","+z.Addr()+"/ns")
}
