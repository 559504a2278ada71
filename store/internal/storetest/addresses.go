package storetest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Silent returns an address that takes connections and says nothing.
func Silent(t testing.TB) string { return Listen(t, "127.0.0.1:0").Addr().String() }

// Listen takes connections at an address until the test ends.
func Listen(t testing.TB, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// Refusing returns an address that refuses connections.
func Refusing(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return l.Addr().String()
}

// Free returns a port that no loopback address uses.
func Free(t testing.TB) string {
	t.Helper()
	_, port, err := net.SplitHostPort(Refusing(t))
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Forward passes the connections of an address on to another, until the test
// ends or the returned function is called, which breaks them all.
func Forward(t testing.TB, addr, to string) (stop func()) {
	t.Helper()
	l := Listen(t, addr)
	var mu sync.Mutex
	var conns []net.Conn
	stopped := false
	stop = func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		l.Close()
		for _, c := range conns {
			c.Close()
		}
	}
	t.Cleanup(stop)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			mu.Lock()
			conns = append(conns, in, out)
			if stopped {
				in.Close()
				out.Close()
			}
			mu.Unlock()
			go func() { io.Copy(out, in); out.Close() }()
			go func() { io.Copy(in, out); in.Close() }()
		}
	}()
	return stop
}
