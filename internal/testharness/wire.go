package testharness

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
)

// wire is the network between a store and its servers: a proxy for each.
type wire struct {
	proxies []*testservers.Proxy
	sent    atomic.Int64 // messages to the servers
}

func (w *wire) addrs() string {
	var all []string
	for _, p := range w.proxies {
		all = append(all, p.Addr())
	}
	return strings.Join(all, ",")
}

func (w *wire) each(f func(p *testservers.Proxy)) {
	for _, p := range w.proxies {
		f(p)
	}
}

func (w *wire) DropRequests() { w.each(func(p *testservers.Proxy) { p.Drop(testservers.ToServer) }) }
func (w *wire) DropReplies()  { w.each(func(p *testservers.Proxy) { p.Drop(testservers.ToClient) }) }
func (w *wire) Delay(d time.Duration) {
	w.each(func(p *testservers.Proxy) { p.Delay(testservers.Both, d) })
}
func (w *wire) Trickle()      { w.each(func(p *testservers.Proxy) { p.Trickle(testservers.ToClient) }) }
func (w *wire) Reset()        { w.each((*testservers.Proxy).Reset) }
func (w *wire) Heal()         { w.each((*testservers.Proxy).Heal) }
func (w *wire) Hold()         { w.each(func(p *testservers.Proxy) { p.Hold(testservers.ToServer) }) }
func (w *wire) Orphan()       { w.each((*testservers.Proxy).Orphan) }
func (w *wire) Requests() int { return int(w.sent.Load()) }

// Release delivers the late requests, and gives the servers some time to handle
// them, because they do not report when they have.
func (w *wire) Release() {
	w.each((*testservers.Proxy).Release)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		held := 0
		w.each(func(p *testservers.Proxy) { held += p.Held(testservers.ToServer) })
		if held == 0 {
			break
		}
	}
	time.Sleep(100 * time.Millisecond)
}

// tap makes the observer of one connection. It gets the bytes of client and
// server, and calls message once for each message of the client.
type tap func(message func()) (up, down io.Writer)

// count observes every connection of a proxy.
func (w *wire) count(t tap) func() (up, down io.Writer) {
	return func() (io.Writer, io.Writer) { return t(func() { w.sent.Add(1) }) }
}

// frames cuts a stream into frames. next gets the bytes from the next frame on,
// and returns its length, or zero if it is not complete yet.
type frames struct {
	buf  []byte
	next func(buf []byte) int
}

func (f *frames) Write(b []byte) (int, error) {
	f.buf = append(f.buf, b...)
	for {
		n := f.next(f.buf)
		if n == 0 || n > len(f.buf) {
			return len(b), nil
		}
		f.buf = f.buf[n:]
	}
}

// ofHTTP counts requests.
func ofHTTP(message func()) (up, down io.Writer) {
	return &frames{next: func(buf []byte) int {
		head := bytes.Index(buf, []byte("\r\n\r\n"))
		if head < 0 {
			return 0
		}
		length := 0
		for line := range strings.Lines(string(buf[:head])) {
			if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Content-Length") {
				length, _ = strconv.Atoi(strings.TrimSpace(value))
			}
		}
		n := head + 4 + length
		if n <= len(buf) {
			message()
		}
		return n
	}}, io.Discard
}

// ofGRPC counts the frames of HTTP/2 that carry data: a message each, as long
// as messages are smaller than a frame.
func ofGRPC(message func()) (up, down io.Writer) {
	const preface, head, data = 24, 9, 0
	begun := false
	return &frames{next: func(buf []byte) int {
		if !begun {
			begun = len(buf) >= preface
			return preface
		}
		if len(buf) < head {
			return 0
		}
		length := int(buf[0])<<16 | int(buf[1])<<8 | int(buf[2])
		if head+length <= len(buf) && buf[3] == data && length > 0 {
			message()
		}
		return head + length
	}}, io.Discard
}
