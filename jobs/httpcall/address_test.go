package httpcall

import (
	"net/netip"
	"testing"
)

// Special addresses are not public, also where IPv6 wraps them.
func TestPublic_KnowsSpecialAddresses(t *testing.T) {
	for _, a := range []string{"8.8.8.8", "1.1.1.1", "100.63.255.255", "172.32.0.1",
		"192.0.1.1", "2606:4700::1111", "2a00::1", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8",
		"168.63.129.15", "2a00::5efe:808:808", "2a00::5eff:a00:1"} {
		if !public(netip.MustParseAddr(a)) {
			t.Errorf("%s is taken for one inside", a)
		}
	}
	for _, a := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.0.1",
		"169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1",
		"192.168.1.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:10.0.0.1", "::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe",
		"64:ff9b:1::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
		"2001::1", "2001:db8::1", "2002:7f00:1::", "100::1", "5f00::1",
		// Platforms of clouds, and other spellings of addresses that are not
		// public.
		"168.63.129.16", "100.100.100.200", "192.0.0.192", "169.254.170.2",
		"fd00:ec2::254", "fd20:ce::254", "::ffff:168.63.129.16", "64:ff9b::168.63.129.16",
		"2002:a83f:8110::1", "::ffff:0:10.0.0.1", "::10.0.0.1", "2a00::5efe:a00:1",
		"2a00::200:5efe:7f00:1", "2001:0:a83f:8110::1",
	} {
		if public(netip.MustParseAddr(a)) {
			t.Errorf("%s is taken for public", a)
		}
	}
}

// Private and Loopback contain no public address.
func TestPublic_ExcludesPrivateAndLoopback(t *testing.T) {
	for _, p := range append(Private(), Loopback()...) {
		if public(p.Addr()) {
			t.Errorf("%s is public", p)
		}
	}
}

// A network in Allow does not allow the metadata services within it: Allow must
// contain their very address.
func TestAllowed_MetadataNeedsItsAddress(t *testing.T) {
	wide := append(Private(), prefixes("0.0.0.0/0", "::/0", "169.254.0.0/16", "168.63.0.0/16")...)
	for _, s := range []string{
		"169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "::ffff:169.254.169.254",
	} {
		a := netip.MustParseAddr(s)
		if err := allowed(a, wide); err == nil {
			t.Errorf("%s is called", s)
		}
		exact := netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		if err := allowed(a, append(wide, exact)); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{"10.0.0.1", "169.254.1.1", "fd12::1"} {
		if err := allowed(netip.MustParseAddr(s), wide); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}
