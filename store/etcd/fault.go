package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// fault is why there is no connection to a host.
type fault struct {
	text  string
	cause error
	final bool // waiting does not help
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.cause }

// lateError is the end of a caller's time, with what was waited for.
type lateError struct {
	text  string
	cause error // of the context
}

func (e *lateError) Error() string { return e.text }
func (e *lateError) Unwrap() error { return e.cause }

const (
	wantsTLS = "the server speaks TLS; add tls=true, or ca=FILE with its authority"
	knowsTLS = "the server does not speak TLS on this port; leave out tls, ca, cert, key and server_name, or name its TLS port"
	noEtcd   = "the server is not etcd; name etcd's client port"
)

// dialFault is the fault of a host that can't be connected to.
func dialFault(err error) *fault {
	var dns *net.DNSError
	return &fault{text: err.Error(), cause: err, final: errors.As(err, &dns) && dns.IsNotFound}
}

// handshakeFault is the fault of a host that TLS can't be begun with.
func handshakeFault(err error) *fault {
	var (
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
	)
	f := &fault{text: "TLS handshake: " + plain(err), cause: err}
	switch {
	case errors.As(err, &record):
		f.text, f.final = knowsTLS, true
	case strings.Contains(err.Error(), "ALPN property"), strings.Contains(err.Error(), "no application protocol"):
		f.text, f.final = noEtcd+" ("+plain(err)+")", true
	case errors.As(err, &certificate), isAlert(err.Error()):
		f.final = true
	}
	return f
}

// isAlert reports whether the other end has refused TLS, or our certificate.
func isAlert(text string) bool { return strings.Contains(text, "remote error: tls: ") }

// answerFault is the fault of a server that answers and is not etcd, nil if the
// error says nothing of the kind.
func answerFault(err error) *fault {
	text := status.Convert(err).Message()
	switch {
	case strings.Contains(text, "looked like an HTTP/1.1 header"):
		return &fault{noEtcd + " (an answer of HTTP/1.1)", err, true}
	case isAlert(text):
		return &fault{"TLS handshake: " + plain(err), err, true}
	case status.Code(err) == codes.Unimplemented && strings.Contains(text, "HTTP status code"):
		first, _, _ := strings.Cut(plain(err), ";")
		return &fault{noEtcd + " (" + first + ")", err, true}
	}
	return nil
}

// probeTimeout bounds the look at a host that ended a connection without an
// answer.
const probeTimeout = 2 * time.Second

// probe looks whether a host that ended a connection without a word speaks TLS
// where the URL has none, or none where it has. It returns nil if neither
// shows.
func (l *conns) probe(ctx context.Context, addr string, secure bool) *fault {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := l.dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if !secure {
		err := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}).HandshakeContext(ctx) // nothing is sent
		if err == nil || isAlert(err.Error()) {
			return &fault{wantsTLS, err, true}
		}
		return nil
	}
	answer := make([]byte, len("HTTP/"))
	if _, err := io.WriteString(conn, "GET /version HTTP/1.0\r\n\r\n"); err != nil {
		return nil
	}
	if _, err := io.ReadFull(conn, answer); err == nil && string(answer) == "HTTP/" {
		return &fault{knowsTLS, nil, true}
	}
	return nil
}

// endedEarly reports whether the other end has closed the connection.
func endedEarly(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// plain returns the text of an error on one line, without the layers of gRPC
// around it.
func plain(err error) string {
	text := rpctypes.Error(err).Error()
	if s, ok := status.FromError(err); ok && s.Code() != codes.OK {
		text = s.Message()
	}
	for _, layer := range []string{`connection error: desc = "`, "transport: Error while dialing: ", "transport: authentication handshake failed: ", "error reading server preface: "} {
		if _, inner, ok := strings.Cut(text, layer); ok {
			text = strings.TrimSuffix(inner, `"`)
		}
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(text, context.DeadlineExceeded.Error(), "no answer in time")), " ")
}

// reason returns the text for an error of the client library: etcd's own text,
// what is wrong with the connection, or what was waited for when the caller's
// time ended.
func reason(ctx context.Context, err error) error {
	late := (*lateError)(nil)
	if err == nil || errors.As(err, &late) {
		return err
	}
	code := status.Code(err)
	if cause := ctx.Err(); cause != nil && (code == codes.Canceled || code == codes.DeadlineExceeded || code == codes.Unknown) {
		if !errors.Is(cause, context.DeadlineExceeded) {
			return cause
		}
		if strings.Contains(err.Error(), "connection error") {
			return &lateError{"no connection: " + plain(err), cause}
		}
		return &lateError{"no answer in time", cause}
	}
	if code == codes.Unavailable && strings.Contains(err.Error(), "connection error") || code == codes.DeadlineExceeded {
		return &fault{text: plain(err), cause: err}
	}
	return rpctypes.Error(err)
}
