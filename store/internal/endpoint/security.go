package endpoint

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"

	"github.com/elasticjob-go/elastic/store/internal/rotate"
)

// Security is the TLS configuration of one store. What it has from files is
// read again at each handshake, so a certificate, a key or an authority that
// is renewed in its file is used by the next connection. While the files can't
// be read, or the certificate and the key don't fit each other, the last good
// ones are used.
//
// A Security is safe for concurrent use.
type Security struct {
	serverName string
	roots      *rotate.Value[*x509.CertPool]   // nil: the authorities of the system
	pair       *rotate.Value[*tls.Certificate] // nil: no certificate of ours
}

// TLS makes a Security of the parameters of a URL:
//
//	tls=true          connect with TLS; any of the others means it, too
//	ca=FILE           the authorities that the servers' certificates must come from, PEM; default: the system's
//	cert=FILE         the client's certificate, PEM, with
//	key=FILE          its key
//	server_name=NAME  the name in the servers' certificates, if it is not the host of the URL
//
// It returns nil without any of them. Its errors name the parameter, and hold
// no secrets.
func TLS(params map[string]string) (*Security, error) {
	ca, cert, key, name := params["ca"], params["cert"], params["key"], params["server_name"]
	switch params["tls"] {
	case "true":
	case "", "false":
		if ca == "" && cert == "" && key == "" && name == "" {
			return nil, nil
		}
		if params["tls"] == "false" {
			return nil, errors.New("tls=false contradicts ca, cert, key and server_name")
		}
	default:
		return nil, fmt.Errorf("parameter tls=%q: want true or false", params["tls"])
	}
	if (cert == "") != (key == "") {
		return nil, errors.New("parameters cert and key: one without the other")
	}
	s := &Security{serverName: name}
	var err error
	if ca != "" {
		parse := func(texts [][]byte) (*x509.CertPool, error) { return parsePool(ca, texts[0]) }
		if s.roots, err = rotate.New(parse, ca); err != nil {
			return nil, fmt.Errorf("parameter ca: %w", err)
		}
	}
	if cert != "" {
		if s.pair, err = rotate.New(parsePair, cert, key); err != nil {
			return nil, fmt.Errorf("parameters cert and key: %w", err)
		}
	}
	return s, nil
}

// parsePool makes a pool of the certificates of a file. A file that ends in
// the middle of a certificate is still being written.
func parsePool(file string, text []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	if bytes.LastIndex(text, []byte("-----BEGIN ")) > bytes.LastIndex(text, []byte("-----END ")) {
		return nil, fmt.Errorf("%s ends in the middle of a certificate", file)
	}
	return pool, nil
}

func parsePair(texts [][]byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return nil, err
	}
	return &pair, nil
}

// Config returns the configuration for one connection to a host, of what the
// files hold now. protocols are offered with ALPN.
func (s *Security) Config(host string, protocols ...string) *tls.Config {
	c := &tls.Config{
		ServerName: s.ServerName(host),
		MinVersion: tls.VersionTLS12,
		NextProtos: protocols,
	}
	if s.roots != nil {
		c.RootCAs = s.roots.Get()
	}
	if s.pair != nil {
		c.Certificates = []tls.Certificate{*s.pair.Get()}
	}
	return c
}

// ServerName returns the name that a host's certificate must have.
func (s *Security) ServerName(host string) string {
	if s.serverName != "" {
		return s.serverName
	}
	return host
}

// Handshake begins TLS on a connection to addr (host:port). It closes the
// connection if the handshake fails. The error says, besides, which files
// could not be read again.
func (s *Security) Handshake(ctx context.Context, conn net.Conn, addr string, protocols ...string) (*tls.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	secure := tls.Client(conn, s.Config(host, protocols...))
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, s.Explain(err)
	}
	return secure, nil
}

// Explain adds to the error of a handshake why newer files are not in use.
func (s *Security) Explain(err error) error {
	if s.roots != nil && s.roots.Fault() != nil {
		err = fmt.Errorf("%w (the file of ca can't be read again, the old one is in use: %w)", err, s.roots.Fault())
	}
	if s.pair != nil && s.pair.Fault() != nil {
		err = fmt.Errorf("%w (the files of cert and key can't be read again, the old ones are in use: %w)", err, s.pair.Fault())
	}
	return err
}
