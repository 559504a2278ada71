package storetest

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
)

// NameServer is a server of names on a loopback address. It gives each name
// the same answer. Its methods are safe for concurrent use.
type NameServer struct {
	addr string

	mu     sync.Mutex
	addrs  []netip.Addr
	silent bool
	broken bool
}

// StartNameServer starts a name server whose answer is these addresses. None
// mean that there is no such name.
func StartNameServer(t testing.TB, addrs ...string) *NameServer {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	n := &NameServer{addr: pc.LocalAddr().String()}
	n.Answer(addrs...)
	go func() {
		buf := make([]byte, 1500)
		for {
			size, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := n.answer(buf[:size]); answer != nil {
				pc.WriteTo(answer, from)
			}
		}
	}()
	return n
}

// Answer changes the answer.
func (n *NameServer) Answer(addrs ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addrs, n.silent, n.broken = nil, false, false
	for _, a := range addrs {
		n.addrs = append(n.addrs, netip.MustParseAddr(a))
	}
}

// Silence makes the name server swallow questions, until the next Answer.
func (n *NameServer) Silence() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent = true
}

// Break makes the name server answer that it has failed, until the next Answer.
func (n *NameServer) Break() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.broken = true
}

// Resolver returns a resolver that asks this server alone.
func (n *NameServer) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: n.dial}
}

// inUse is the name server that the resolver of the process asks, nil for the
// one of the system.
var inUse atomic.Pointer[NameServer]

// Use makes the resolver of the process ask this server until the test ends.
// The package's tests must run under Main, and this one not beside others that
// look names up.
func (n *NameServer) Use(t testing.TB) {
	t.Helper()
	if net.DefaultResolver.Dial == nil {
		t.Fatal("the tests of this package don't run under storetest.Main")
	}
	inUse.Store(n)
	t.Cleanup(func() { inUse.Store(nil) })
}

// divert makes the resolver of the process ask the server that is in use.
func divert() {
	net.DefaultResolver.PreferGo = true
	net.DefaultResolver.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if n := inUse.Load(); n != nil {
			return n.dial(ctx, network, addr)
		}
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}
}

func (n *NameServer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "udp", n.addr)
}

// answer returns the answer to a question, nil for none. See RFC 1035, 4.1.
func (n *NameServer) answer(question []byte) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	const header, a, aaaa = 12, 1, 28
	end := header
	for end < len(question) && question[end] != 0 {
		end += 1 + int(question[end])
	}
	end += 1 + 2*2 // the root, the type, the class
	if n.silent || end > len(question) {
		return nil
	}
	kind := binary.BigEndian.Uint16(question[end-4:])
	answer := append([]byte{}, question[:end]...)
	answer[2], answer[3] = 0x84, 0 // an authoritative answer
	clear(answer[6:header])
	count := 0
	for _, addr := range n.addrs {
		if kind == a && addr.Is4() || kind == aaaa && addr.Is6() {
			count++
			answer = append(answer, 0xC0, header) // the name of the question
			answer = binary.BigEndian.AppendUint16(answer, kind)
			answer = append(answer, 0, 1, 0, 0, 0, 0) // class and time to live
			answer = binary.BigEndian.AppendUint16(answer, uint16(addr.BitLen()/8))
			answer = append(answer, addr.AsSlice()...)
		}
	}
	binary.BigEndian.PutUint16(answer[6:], uint16(count))
	switch {
	case n.broken:
		answer[3] = 2 // SERVFAIL
	case len(n.addrs) == 0:
		answer[3] = 3 // NXDOMAIN
	}
	return answer
}
