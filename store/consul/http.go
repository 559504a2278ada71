package consul

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/store/internal/dial"
	"github.com/elasticjob-go/elastic/store/internal/endpoint"
)

// wire is the way to one agent, below the client library. The library throws
// away what is needed to tell whether something was done: it has no word for
// "not sent", and drops the status of a failed transaction and the text of a
// failed renewal. So every answer that is not one becomes an error here. And
// the library fills its configuration from the environment of the process,
// where the URL alone is meant to say what is used.
type wire struct {
	*http.Transport
	dialer     *dial.Dialer
	token      *token
	secure     bool // the URL asks for TLS
	namespaces bool // the URL names a namespace or a partition of Consul Enterprise
}

// silentFor is how long the kernel lets a connection be silent before it asks
// the other end, how often, and at which intervals. A router that has forgotten
// a connection says nothing; a query that waits for a change would wait in vain
// until its own deadline.
var silentFor = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}

// dialTimeout bounds one attempt to connect to a host, whatever the number of
// its addresses. Another host, or the next attempt, may do.
const dialTimeout = 2 * time.Second

// handshakeTimeout bounds one TLS handshake. It is longer than a busy server
// needs: a handshake that is given up is begun again from the start. A request
// that can't wait for it leaves the connection to the next one.
const handshakeTimeout = 15 * time.Second

func newWire(security *endpoint.Security, t *token, namespaces bool) *wire {
	dialer := &dial.Dialer{Timeout: dialTimeout, KeepAlive: silentFor}
	secure := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		return security.Handshake(ctx, conn, addr)
	}
	// kept makes the connections of a dialer those that lose no answer.
	kept := func(connect func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := connect(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &conn{Conn: c}, nil
		}
	}
	return &wire{token: t, secure: security != nil, namespaces: namespaces, dialer: dialer, Transport: &http.Transport{
		DialContext: kept(dialer.DialContext), DialTLSContext: kept(secure),
		// HTTP/1.1 only, which is the default with a configuration of one's
		// own: a call that is given up then takes its connection with it, and
		// the next one does not wait on a line that may be dead.
		MaxIdleConnsPerHost: 32, IdleConnTimeout: 30 * time.Second,
	}}
}

// sending follows one request.
type sending struct {
	sent     bool   // it may have reached the agent
	answered func() // called when the answer begins, if set
}

type sendingKey struct{}

// trace follows a request in net/http.
func (s *sending) trace() *httptrace.ClientTrace {
	var on *conn
	return &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			s.sent = true
			if on, _ = info.Conn.(*conn); on != nil {
				on.use()
			}
		},
		// Another request may have the connection by now. It is counted, too.
		PutIdleConn: func(error) {
			if on != nil {
				on.requests.Add(-1)
			}
		},
		GotFirstResponseByte: s.answered,
	}
}

// RoundTrip sends a request once. The library calls it.
//
// http.Transport sends a request again by itself only if none of its bytes was
// written, or if it is a GET; see shouldRetryRequest in net/http/transport.go.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	s, ok := ctx.Value(sendingKey{}).(*sending)
	if !ok {
		s = &sending{}
	}
	ctx = httptrace.WithClientTrace(ctx, s.trace())
	r = r.Clone(ctx)
	r.Header.Del(tokenHeader)
	if secret := w.token.get(); secret != "" {
		r.Header.Set(tokenHeader, secret)
	}
	if !w.namespaces {
		if q := r.URL.Query(); q.Has("ns") || q.Has("partition") {
			q.Del("ns")
			q.Del("partition")
			r.URL.RawQuery = q.Encode()
		}
	}
	answer, err := w.Transport.RoundTrip(r)
	if err != nil {
		if ctx.Err() == nil {
			w.dialer.Avoid(r.URL.Host)
		}
		return nil, err
	}
	if err := unusable(r, answer); err != nil {
		answer.Body.Close()
		return nil, err
	}
	return answer, nil
}

const tokenHeader = "X-Consul-Token"

// statusError is an answer that is none.
type statusError struct {
	code int
	text string // the agent's reason
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d: %s", e.code, e.text) }

// unusable returns an error unless the answer is one that the library
// understands.
func unusable(r *http.Request, answer *http.Response) error {
	// What a server has read that knows of no leader may be old. Nothing else
	// reports whether it does.
	if r.Method == http.MethodGet && answer.Header.Get("X-Consul-KnownLeader") == "false" {
		return &statusError{http.StatusInternalServerError, noLeader}
	}
	switch answer.StatusCode {
	case http.StatusOK, http.StatusConflict: // a transaction that was not applied tells why
		return nil
	case http.StatusNotFound:
		absent := answer.Header.Get("X-Consul-Index") != "" // a key, and not the whole interface
		if absent || strings.Contains(r.URL.Path, "/v1/session/renew/") {
			return nil
		}
	}
	const most = 2000
	text, err := io.ReadAll(io.LimitReader(answer.Body, most))
	if err != nil {
		return err
	}
	return &statusError{answer.StatusCode, strings.TrimSpace(string(text))}
}

// noLeader is Consul's text for a cluster without a leader (ErrNoLeader in
// agent/structs/errors.go).
const noLeader = "No cluster leader"
