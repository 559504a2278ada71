package zookeeper

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/endpoint"
)

// greetPatience is the time that the first attempt to greet a server has. One
// that takes the connection and never answers is left for another of the host's
// addresses; each attempt has twice the time of the one before, for those that
// are slow.
const (
	greetPatience = time.Second
	mostPatience  = time.Minute
)

// finalError is an answer that waiting does not change.
type finalError struct{ why error }

func (e finalError) Error() string { return e.why.Error() }
func (e finalError) Unwrap() error { return e.why }

// ttlBounds are the shortest and the longest TTL that a server grants.
type ttlBounds struct{ shortest, longest time.Duration }

// bounds returns the TTLs that the servers grant, by asking for shorter and
// longer ones. It asks all hosts at once, again and again, until one has
// answered, ctx ends, or no host can be expected to answer.
func bounds(ctx context.Context, h ensemble) (ttlBounds, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		ttlBounds
		err error
	}
	answers := make(chan answer, len(h.hosts))
	for _, host := range h.hosts {
		go func() {
			b, err := h.greet(ctx, host)
			answers <- answer{b, err}
		}()
	}
	var faults []error
	for range h.hosts {
		a := <-answers
		if a.err == nil {
			return a.ttlBounds, nil
		}
		faults = append(faults, a.err)
	}
	return ttlBounds{}, endpoint.Join(faults...)
}

// greet asks one host until it answers. A host may have several addresses: an
// answer that waiting does not change must have come from as many.
func (h ensemble) greet(ctx context.Context, host string) (b ttlBounds, err error) {
	patience := greetPatience
	failures, finals := 0, 0
	for pause := (&backoff.Backoff{Next: 20 * time.Millisecond, Most: 500 * time.Millisecond}); ; pause.Wait(ctx) {
		var fault error
		if b.shortest, fault = h.tryTTL(ctx, host, time.Millisecond, patience); fault == nil {
			b.longest, fault = h.tryTTL(ctx, host, math.MaxInt32*time.Millisecond, patience)
		}
		if fault == nil {
			return b, nil
		}
		failures++
		isPowerOfTwo := failures&(failures-1) == 0 // a server that is not ready yet is not asked each time
		var mute muteError
		if isPowerOfTwo && ctx.Err() == nil && errors.As(fault, &mute) && !isFinal(fault) {
			if other := identify(ctx, mute.addr, h.security != nil, patience); other != nil {
				fault = finalError{other}
			}
		}
		patience = min(2*patience, mostPatience)
		if ctx.Err() == nil || err == nil {
			err = fault
			if len(h.hosts) > 1 {
				err = fmt.Errorf("%s: %w", host, fault)
			}
		}
		if isFinal(fault) {
			finals++
		}
		if ctx.Err() != nil || finals > 0 && finals >= h.dialer.Addresses(host) {
			return b, err
		}
		h.dialer.Avoid(host)
	}
}

// tryTTL begins a session with a server, ends it, and returns the TTL that it
// would have had.
func (h ensemble) tryTTL(ctx context.Context, host string, ttl, patience time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := h.dial(ctx, host)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	auth := ""
	if h.auth != nil {
		auth = h.auth()
	}
	g, err := shake(conn, auth, 0, "", ttl)
	switch {
	case refusal(err) == store.ErrPermission:
		return 0, finalError{err}
	case errors.Is(err, errNoServer), errors.Is(err, errSpeaksTLS):
		return 0, finalError{err}
	case err != nil:
		return 0, muteError{conn.RemoteAddr().String(), fmt.Errorf("no answer to the handshake: %w", err)}
	case g.ttl <= 0:
		return 0, finalError{fmt.Errorf("a TTL of %v is offered: %w", g.ttl, errNoServer)}
	}
	return g.ttl, nil
}

// muteError is that of a server which takes the connection and does not answer
// the handshake.
type muteError struct {
	addr string // the IP address and the port
	why  error
}

func (e muteError) Error() string {
	var timeout net.Error
	switch {
	case errors.As(e.why, &timeout) && timeout.Timeout():
		return "the connection is taken, and the handshake not answered"
	case errors.Is(e.why, io.EOF):
		return "no answer to the handshake: the server ended the connection; it has no majority yet, or too many connections of this address (maxClientCnxns)"
	}
	return e.why.Error()
}

func (e muteError) Unwrap() error { return e.why }

// isFinal reports whether waiting does not change an answer.
func isFinal(err error) bool {
	var (
		final       finalError
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		record      tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &name):
		return name.IsNotFound
	case errors.As(err, &final), errors.As(err, &certificate), errors.As(err, &authority), errors.As(err, &record):
		return true
	}
	return isAlert(err)
}

// isAlert reports whether a server has ended TLS with a reason other than a
// fault of its own.
func isAlert(err error) bool {
	var remote *net.OpError
	return errors.As(err, &remote) && remote.Op == "remote error" && !strings.Contains(err.Error(), "internal error")
}

// identify finds out what is at an address that takes connections and does not
// answer the handshake, with TLS or without. It returns nil if that cannot be
// told. It shows no credentials.
func identify(ctx context.Context, addr string, secure bool, patience time.Duration) error {
	p := probe{addr, patience}
	if secure && p.speaksZooKeeper(ctx) {
		return errors.New("the server speaks no TLS at this port; name its secureClientPort, or leave out tls, ca, cert, key and server_name")
	}
	if !secure && p.speaksTLS(ctx) {
		return errSpeaksTLS
	}
	if text := p.speaksText(ctx); text != "" {
		return fmt.Errorf("a request of HTTP is answered by %.40q: %w", text, errNoServer)
	}
	return nil
}

// probe asks questions to an IP address, each on a connection of its own.
type probe struct {
	addr     string
	patience time.Duration
}

// ask runs f on a connection.
func (p probe) ask(ctx context.Context, f func(ctx context.Context, conn net.Conn)) {
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	f(ctx, conn)
}

// speaksZooKeeper reports whether a handshake is answered without TLS.
func (p probe) speaksZooKeeper(ctx context.Context) (yes bool) {
	p.ask(ctx, func(_ context.Context, conn net.Conn) {
		_, err := shake(conn, "", 0, "", time.Second)
		yes = err == nil || refusal(err) != nil
	})
	return yes
}

// speaksTLS reports whether a TLS handshake is answered.
func (p probe) speaksTLS(ctx context.Context) (yes bool) {
	p.ask(ctx, func(ctx context.Context, conn net.Conn) {
		// Nothing is said to the server, so it does not matter who it is.
		err := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx)
		yes = err == nil || isAlert(err)
	})
	return yes
}

// speaksText returns the answer to a request of HTTP. A ZooKeeper server ends
// the connection without an answer.
func (p probe) speaksText(ctx context.Context) (text string) {
	p.ask(ctx, func(_ context.Context, conn net.Conn) {
		if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
			return
		}
		const most = 40
		answer := make([]byte, most)
		n, _ := io.ReadAtLeast(conn, answer, 1)
		line, _, _ := bytes.Cut(answer[:n], []byte("\r\n"))
		text = string(line)
	})
	return text
}
