package zookeeper

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// tap is a proxy that understands what clients ask a server, counts it, and may
// refuse it as a server would that does not know it.
type tap struct {
	target string
	l      net.Listener

	mu     sync.Mutex
	counts map[int32]int
	refuse map[int32]bool
	forget bool            // have the server take every session for a new one
	codes  map[int32]int32 // of operations that are answered with an error, and not passed on
}

var names = map[int32]string{1: "create", 2: "delete", opExists: "exists", opGetData: "data", 5: "set", opGetChildren: "children", opSync: "sync", opPing: "ping",
	14: "multi", opRemoveWatches: "disarm", opCreateContainer: "directory", opAuth: "auth", opAddWatch: "arm", opClose: "close", 0: "connect"}

// startTap puts a tap before a server. It refuses operations if it is told so.
func startTap(t testing.TB, target string, refuse ...int32) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{target: target, l: l, counts: map[int32]int{}, refuse: map[int32]bool{}}
	for _, op := range refuse {
		p.refuse[op] = true
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(in)
		}
	}()
	return p
}

func (p *tap) addr() string { return p.l.Addr().String() }

// serve carries one connection.
func (p *tap) serve(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer out.Close()
	go func() { io.Copy(in, out); in.Close() }()
	for first := true; ; first = false {
		length := make([]byte, 4)
		if _, err := io.ReadFull(in, length); err != nil {
			return
		}
		frame := make([]byte, 4+binary.BigEndian.Uint32(length))
		copy(frame, length)
		if _, err := io.ReadFull(in, frame[4:]); err != nil {
			return
		}
		op := int32(0)
		if !first {
			op = int32(binary.BigEndian.Uint32(frame[8:]))
		}
		p.mu.Lock()
		p.counts[op]++
		refuse := p.refuse[op]
		code := p.codes[op]
		if first && p.forget {
			clear(frame[20:28]) // after the length, the protocol, the last zxid and the TTL
		}
		p.mu.Unlock()
		if refuse {
			unimplemented := int32(-6)
			answer := (&packet{make([]byte, 4)}).int(int32(binary.BigEndian.Uint32(frame[4:]))).long(0).int(unimplemented)
			in.Write(answer.frame()) // and hangs up
			return
		}
		if code != 0 {
			answer := (&packet{make([]byte, 4)}).int(int32(binary.BigEndian.Uint32(frame[4:]))).long(0).int(code)
			in.Write(answer.frame())
			continue
		}
		if _, err := out.Write(frame); err != nil {
			return
		}
	}
}

// take returns what was asked since the last call, such as "data:1 sync:1",
// without pings.
func (p *tap) take() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, op := range slices.Sorted(maps.Keys(p.counts)) {
		if op != opPing {
			all = append(all, fmt.Sprintf("%s:%d", names[op], p.counts[op]))
		}
	}
	clear(p.counts)
	slices.Sort(all)
	return strings.Join(all, " ")
}

// sum is how many requests of any kind were made.
func (p *tap) sum() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, count := range p.counts {
		n += count
	}
	return n
}
