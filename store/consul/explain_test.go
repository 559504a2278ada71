package consul

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// talking is a server of another protocol: it sends a text to each connection,
// and ends it.
func talking(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, text)
			c.Close()
		}
	}()
	return l.Addr().String()
}

// Open says on one line why it fails, and at once where waiting does not help.
// A deadline is never the reason.
func TestOpen_SaysWhy(t *testing.T) {
	t.Parallel()
	a, stranger := storetest.NewAuthority(t), storetest.NewAuthority(t)
	a.Issue("server", storetest.Loopback)
	a.Issue("client")
	plain, secure := server(t), server(t, testservers.ConsulOptions{CA: a.CA(), Cert: a.Cert("server"), Key: a.Key("server")})
	closed := server(t, testservers.ConsulOptions{ACLs: true})
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("11111111-2222-3333-4444-555555555555\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	client := "&cert=" + a.Cert("client") + "&key=" + a.Key("client")
	for _, row := range []struct {
		name, url string
		class     error
		says      string
		waits     bool
	}{
		{"no such host", "no.such.host.invalid:8500/ns", store.ErrUnavailable, "no such host", false},
		{"no such host among two", "no.such.host.invalid:8500,other.invalid/ns", store.ErrUnavailable, "no such host", false},
		{"nothing listens", storetest.Refusing(t) + "/ns", store.ErrUnavailable, "connection refused", true},
		{"nothing answers", storetest.Silent(t) + "/ns", store.ErrUnavailable, "not answered", true},
		{"no such datacenter", plain.Addr() + "/ns?dc=mars", store.ErrUnavailable, "no datacenter", false},
		{"TLS against plain", plain.Addr() + "/ns?tls=true", store.ErrUnavailable, "speaks no TLS", false},
		{"an authority against plain", plain.Addr() + "/ns?ca=" + a.CA(), store.ErrUnavailable, "speaks no TLS", false},
		{"plain against TLS", secure.TLSAddr() + "/ns", store.ErrInvalid, "speaks TLS", false},
		{"another authority", secure.TLSAddr() + "/ns?ca=" + stranger.CA() + client, store.ErrUnavailable, "certificate", false},
		{"no certificate", secure.TLSAddr() + "/ns?ca=" + a.CA(), store.ErrUnavailable, "certificate", false},
		{"no token", closed.Addr() + "/ns", store.ErrPermission, "lacks permission", false},
		{"a wrong token", closed.Addr() + "/ns?token_file=" + token, store.ErrPermission, "ACL", false},
		{"another protocol", talking(t, "220 mail.example ESMTP\r\n") + "/ns", store.ErrUnavailable, "no Consul", false},
		{"a server that hangs up", talking(t, "") + "/ns", store.ErrUnavailable, "", true},
		{"another web server", fake(t, http.StatusNotFound, "404 page not found") + "/ns", store.ErrInvalid, "no Consul", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			patience := 8 * time.Second
			if row.waits {
				patience = time.Second
			}
			start := time.Now()
			_, err := storetest.Open(t, "consul://"+row.url, patience)
			t.Log(err)
			storetest.WantError(t, err, row.class)
			storetest.Mention(t, err, row.says)
			storetest.DontMention(t, err, "\n", "deadline exceeded", "context canceled", "11111111-2222")
			if took := time.Since(start); !row.waits && took > patience/2 {
				t.Errorf("it took %v to say so", took)
			}
		})
	}
}

// A limit of connections is named whichever way the connection ends, and
// net/http says nothing of it in the program's own log.
func TestOpen_NamesConnectionLimit(t *testing.T) {
	var mu sync.Mutex
	var logged bytes.Buffer
	log.SetOutput(writer(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return logged.Write(b)
	}))
	defer log.SetOutput(os.Stderr)

	const limit = 3
	c := server(t, testservers.ConsulOptions{Args: []string{"-hcl", fmt.Sprintf("limits { http_max_conns_per_client = %d }", limit)}})
	// All that the agent takes are held: those that were there at first end.
	var held []net.Conn
	storetest.Await(t, "the agent to take no more connections", func() bool {
		conn, err := net.Dial("tcp", c.Addr())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "GET /v1/status/leader HTTP/1.1\r\nHost: agent\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil && answer.StatusCode == http.StatusOK {
			held = append(held, conn)
			return len(held) == limit
		}
		conn.Close()
		return false
	})
	var all sync.WaitGroup
	for i := range 24 {
		all.Go(func() {
			_, err := storetest.Open(t, fmt.Sprintf("consul://%s/ns%d", c.Addr(), i), 700*time.Millisecond)
			storetest.WantError(t, err, store.ErrUnavailable)
			storetest.Mention(t, err, "429", "too many")
		})
	}
	all.Wait()
	for _, conn := range held {
		conn.Close()
	}
	mu.Lock()
	defer mu.Unlock()
	if text := logged.String(); strings.TrimSpace(text) != "" {
		t.Errorf("the program's log has %d lines of the driver's, such as %.200s", strings.Count(text, "\n"), text)
	}
}

// An answer that comes on an idle connection ends it, and is not written to the
// program's own log.
func TestConn_IdleAnswerIsNotLogged(t *testing.T) {
	var mu sync.Mutex
	var logged bytes.Buffer
	log.SetOutput(writer(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return logged.Write(b)
	}))
	defer log.SetOutput(os.Stderr)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer c.Close()
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			ended <- err
			return
		}
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		fmt.Fprint(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
		_, err = c.Read(make([]byte, 1)) // until the client ends the connection
		ended <- err
	}()
	w := newWire(nil, &token{}, false)
	answer, err := (&http.Client{Transport: w}).Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	<-ended
	w.CloseIdleConnections()
	mu.Lock()
	defer mu.Unlock()
	if logged.Len() > 0 {
		t.Errorf("the program's log has %q", logged.String())
	}
}

// An answer that comes after a request has taken its connection, and before it
// is sent, is the error of that connection. net/http would log it.
func TestConn_AnswerBeforeRequestIsError(t *testing.T) {
	agent, client := net.Pipe()
	defer agent.Close()
	go fmt.Fprint(agent, "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n")
	c := &conn{Conn: client}
	c.use()
	n, err := c.Read(make([]byte, 100))
	if s := (*statusError)(nil); n != 0 || !errors.As(err, &s) || s.code != http.StatusTooManyRequests {
		t.Errorf("got %d bytes, %v, want the agent's refusal", n, err)
	}
}

type writer func(b []byte) (int, error)

func (f writer) Write(b []byte) (int, error) { return f(b) }
