package adminhttp

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// Loopback are the names of this machine for Options.Hosts.
func Loopback() []string { return []string{"localhost", "127.0.0.1", "::1"} }

// Listen listens on an address for the API. Without identification it refuses
// an address that other machines can reach.
func Listen(address string, identified bool) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %.80q: want an address such as 127.0.0.1:7080", address)
	}
	if !identified && !isLoopback(host) {
		return nil, fmt.Errorf("listen on %s: other machines can reach that address, and callers are not identified; "+
			"give a file of tokens, or listen on 127.0.0.1", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

// isLoopback reports whether a host can be reached from this machine only. A
// name other than localhost can be given another address at any time.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// NewServer returns an http.Server with limits for slow clients.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       maxTime,
		WriteTimeout:      2 * maxTime,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}
