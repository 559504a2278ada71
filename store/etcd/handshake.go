package etcd

import (
	"context"
	"net"

	"github.com/elasticjob-go/elastic/store/internal/endpoint"
	"google.golang.org/grpc/credentials"
)

// handshaker does the TLS handshakes of gRPC's connections. Each has a
// configuration of its own, so that files which have changed are in use.
type handshaker struct {
	security *endpoint.Security
	conns    *conns
}

// ClientHandshake begins TLS. The server must have a certificate for the name
// of the URL, or for the host of authority.
func (h *handshaker) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secure, info, err := credentials.NewTLS(h.security.Config(hostOf(authority))).ClientHandshake(ctx, authority, conn)
	n, ours := conn.(*line)
	switch {
	case err != nil:
		err = h.security.Explain(err)
		if ours && ctx.Err() == nil {
			h.conns.note(n.addr, handshakeFault(err))
		}
		return nil, nil, err
	case ours:
		h.conns.note(n.addr, nil)
	}
	return secure, info, nil
}

// ServerHandshake is for servers, which this package has none of.
func (h *handshaker) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return credentials.NewTLS(nil).ServerHandshake(conn)
}

// Info tells gRPC that connections are secure.
func (h *handshaker) Info() credentials.ProtocolInfo { return credentials.NewTLS(nil).Info() }

// Clone returns h, which has no state of its own.
func (h *handshaker) Clone() credentials.TransportCredentials { return h }

// OverrideServerName is deprecated in gRPC, which never calls it.
func (h *handshaker) OverrideServerName(string) error { return nil }

// hostOf returns the host of host:port.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}
