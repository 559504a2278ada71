//go:build unix

package storetest

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// BlackHole makes an address of this machine swallow connections: they are
// neither refused nor answered, because the queue of a listener is full.
func BlackHole(t testing.TB, addr string) {
	t.Helper()
	at := netip.MustParseAddrPort(addr)
	family := syscall.AF_INET6
	var name syscall.Sockaddr = &syscall.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	if at.Addr().Is4() {
		family, name = syscall.AF_INET, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(fd, name); err != nil {
		t.Fatal(addr, err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	const most = 16
	for range most {
		conn, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if err != nil {
			return
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatalf("%s still takes connections", addr)
}
