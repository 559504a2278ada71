package etcd

import (
	"crypto/tls"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// A TLS handshake for which a busy server needs longer than the driver waits
// for anything else is waited for, and not begun again from the start: that
// would make the server busier. Calls that get no answer meanwhile don't end
// it.
func TestHandshake_IsNotBegunAgain(t *testing.T) {
	t.Parallel()
	e := server(t)
	a := storetest.NewAuthority(t)
	a.Issue("server", storetest.Loopback)
	config := a.ServerConfig("server")
	config.NextProtos = []string{"h2"}

	const slow = 4 * time.Second
	var begun atomic.Int32
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
			begun.Add(1)
			time.AfterFunc(slow, func() { storetest.Pipe(tls.Server(conn, config), e.Addr()) })
		}
	}()

	s := storetest.MustOpen(t, "etcd://"+l.Addr().String()+"/ns?ca="+a.CA()+"&session_ttl=20s&request_timeout=1s")
	storetest.Equal(t, "handshakes for opening", begun.Load(), 1)
	n, err := s.NewSession(t.Context(), store.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	conns := s.Driver().(*client).conns
	conns.mu.Lock()
	for l := range conns.open {
		l.Conn.Close()
	}
	conns.mu.Unlock()
	storetest.Await(t, "a commit", func() bool {
		_, err := s.Commit(t.Context(), store.Txn{Session: n, Do: []store.Op{store.Create("k", nil)}})
		return err == nil
	})
	storetest.Equal(t, "handshakes after the connection broke", begun.Load(), 2)
}
