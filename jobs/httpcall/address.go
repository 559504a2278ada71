package httpcall

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Private returns the addresses of private networks, for Request.Allow: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10
// and fc00::/7.
func Private() []netip.Prefix {
	return prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
}

// Loopback returns the addresses of this machine, for Request.Allow: 127.0.0.0/8 and ::1.
func Loopback() []netip.Prefix { return prefixes("127.0.0.0/8", "::1/128") }

// special are the parts of IPv4, and of 2000::/3 in IPv6, that are not public, beyond those that netip knows by method
// (IANA's registries of special-purpose addresses).
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

var (
	publicIPv6 = netip.MustParsePrefix("2000::/3")
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(all ...string) []netip.Prefix {
	ps := make([]netip.Prefix, len(all))
	for i, s := range all {
		ps[i] = netip.MustParsePrefix(s)
	}
	return ps
}

// public says whether an address is one that everybody can reach, and not somebody inside.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if nat64.Contains(a) { // the IPv4 address is in the last four bytes
		b := a.As16()
		return public(netip.AddrFrom4([4]byte(b[12:])))
	}
	if a.Is6() && !publicIPv6.Contains(a) || !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	return !contains(special, a)
}

func contains(all []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(a) })
}

// newClient returns a client that connects to addresses that are public or allowed, and stays with one host.
func newClient(timeout time.Duration, allow []netip.Prefix, config *tls.Config) *http.Client {
	dialer := &net.Dialer{
		Timeout: timeout,
		// It is called with the address that is about to be connected to. To check a name before would leave time in which it can become
		// another address.
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("address %q: %w", address, err)
			}
			if a := to.Addr().Unmap().WithZone(""); !public(a) && !contains(allow, a) {
				return fmt.Errorf("%s is not a public address: have Allow contain it if it may be called", a)
			}
			return nil
		},
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: config, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: timeout, IdleConnTimeout: 30 * time.Second, MaxIdleConns: 16, MaxIdleConnsPerHost: 16,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if req.URL.Scheme != via[0].URL.Scheme || req.URL.Host != via[0].URL.Host {
				return fmt.Errorf("the answer redirects to %s://%s, which is another host: call that one", req.URL.Scheme, req.URL.Host)
			}
			if len(via) >= 10 {
				return errors.New("the answer redirects for the tenth time")
			}
			return nil
		},
	}
}
