package consul

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// explain says in one line why a request of Open failed, and reports whether
// waiting does not change it.
func explain(err error) (reason error, certain bool) {
	if asked := (*url.Error)(nil); errors.As(err, &asked) {
		err = asked.Err // the URL is the driver's own
	}
	var (
		status      *statusError
		name        *net.DNSError
		dial        *net.OpError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		record      tls.RecordHeaderError
	)
	switch {
	case err == nil:
		return nil, false
	case errors.As(err, &status):
		switch {
		case strings.Contains(status.text, "No path to datacenter"):
			return fmt.Errorf("%w; the servers know no datacenter of the name that dc gives", err), true
		case strings.Contains(status.text, "HTTP request to an HTTPS server"):
			return errSpeaksTLS, true
		}
		return err, false
	case errors.As(err, &name) && name.IsNotFound:
		return err, true
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return errors.New("the server speaks no TLS at this port; name its HTTPS port, or leave out tls, ca, cert, key and server_name"), true
	case errors.As(err, &certificate), errors.As(err, &authority):
		return err, true
	case errors.As(err, &dial) && dial.Op == "remote error":
		return err, !strings.Contains(err.Error(), "internal error")
	case errors.Is(err, errUnasked), strings.Contains(err.Error(), "malformed HTTP"):
		return fmt.Errorf("this is no Consul: %w", err), true
	case isTime(err):
		return errNotAnswered, false
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the server ended the connection without an answer; is it a Consul agent? (%w)", err), false
	}
	return err, false
}

// errSpeaksTLS is the reason of a request without TLS to a server that wants
// it. Such a server answers status 400 with another text, which can be lost.
var errSpeaksTLS = &statusError{http.StatusBadRequest, "the server speaks TLS at this port; add tls=true, or ca=FILE"}

// speaksTLS reports whether a server that ended a connection without TLS
// answers a handshake. Nothing is shown to it.
func (w *wire) speaksTLS(ctx context.Context, addr string, ended error) bool {
	var status *statusError
	if w.secure || isTime(ended) || errors.As(ended, &status) || errors.Is(ended, syscall.ECONNREFUSED) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := w.dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	// Only whether there is TLS is asked, so it does not matter whose.
	err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx)
	var refused *net.OpError
	return err == nil || errors.As(err, &refused) && refused.Op == "remote error"
}

// errNotAnswered is the reason of a request that nothing came of in its time.
var errNotAnswered = errors.New("the connection is taken, and the request not answered")

// weight orders reasons by how much they say: an answer of the server, a fault
// of TLS, any other, silence.
func weight(reason error) int {
	var status *statusError
	switch {
	case errors.As(reason, &status):
		return 3
	case strings.Contains(reason.Error(), "tls: "):
		return 2
	case !errors.Is(reason, errNotAnswered):
		return 1
	}
	return 0
}
