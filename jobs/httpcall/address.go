package httpcall

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Private returns the addresses of private networks, for Request.Allow:
// 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 and fc00::/7.
// Metadata services within them, such as 100.100.100.200, are still refused.
func Private() []netip.Prefix {
	return prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
}

// Loopback returns the addresses of this machine, for Request.Allow:
// 127.0.0.0/8 and ::1.
func Loopback() []netip.Prefix { return prefixes("127.0.0.0/8", "::1/128") }

// special are the parts of IPv4, and of 2000::/3 in IPv6, that are not public,
// beside those that netip has methods for. They follow IANA's registries of
// special-purpose addresses.
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	"168.63.129.16/32", // Azure's platform, reachable from inside its machines only
)

// metadata are the addresses of the services from which machines in a cloud get
// their credentials. Some of them are within Private.
var metadata = prefixes(
	"169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", // AWS, Azure, Google and most others; AWS containers
	"168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32", // Azure, Alibaba, Oracle
	"fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128", // AWS, Google
	"fd00:c1::a9fe:a9fe/128", "fd00:42::42/128", // Oracle, Scaleway
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

// public reports whether an address is reachable from everywhere. An IPv6
// address that leads to an IPv4 address is judged by the latter.
func public(a netip.Addr) bool {
	a = a.Unmap()
	b := a.As16()
	if nat64.Contains(a) {
		return public(netip.AddrFrom4([4]byte(b[12:])))
	}
	if a.Is6() && !publicIPv6.Contains(a) || !a.IsGlobalUnicast() || a.IsPrivate() || contains(special, a) {
		return false
	}
	// ISATAP (RFC 5214) tunnels to the IPv4 address in the last four bytes.
	isatap := a.Is6() && b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
	return !isatap || public(netip.AddrFrom4([4]byte(b[12:])))
}

// allowed returns an error unless an address may be called.
func allowed(a netip.Addr, allow []netip.Prefix) error {
	a = a.Unmap().WithZone("")
	if contains(metadata, a) && !slices.Contains(allow, netip.PrefixFrom(a, a.BitLen())) {
		return fmt.Errorf("%s is not a public address but gives out the credentials of a machine; "+
			"add %s/%d to Allow if it may be called",
			a, a, a.BitLen())
	}
	if !public(a) && !contains(allow, a) {
		return fmt.Errorf("%s is not a public address; add it to Allow if it may be called", a)
	}
	return nil
}

func contains(all []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(a) })
}

// newClient returns a client that connects only to public or allowed addresses,
// and stays on one host.
func newClient(timeout time.Duration, allow []netip.Prefix, config *tls.Config) *http.Client {
	dialer := &net.Dialer{
		Timeout: timeout,
		// It is called with the address of the connection. A check of the name
		// before could see another address.
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("address %q: %w", address, err)
			}
			return allowed(to.Addr(), allow)
		},
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        config,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    timeout,
			MaxResponseHeaderBytes: 64 << 10,
			// Each call has its own connection. Runs are seconds or hours
			// apart, and a server could close a kept connection just when the
			// next request is sent. That fails a POST although the server is
			// well.
			DisableKeepAlives: true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			code := req.Response.StatusCode
			keepsMethod := code == http.StatusTemporaryRedirect || code == http.StatusPermanentRedirect
			if !keepsMethod {
				return http.ErrUseLastResponse // a GET of the other page would not be the same request
			}
			if !sameHost(req.URL, via[0].URL) {
				return fmt.Errorf("the answer redirects to %s://%s, which is another host; call that one",
					req.URL.Scheme, req.URL.Host)
			}
			if len(via) >= 10 {
				return errors.New("the answer redirects for the tenth time")
			}
			return nil
		},
	}
}

// sameHost reports whether two URLs have the same scheme, host and port.
func sameHost(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}
