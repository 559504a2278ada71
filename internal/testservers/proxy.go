package testservers

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Direction is a way that bytes take through a Proxy.
type Direction uint8

// The two directions, and both.
const (
	ToServer Direction = 1 << iota
	ToClient
	Both = ToServer | ToClient
)

// Proxy is a TCP proxy on 127.0.0.1 with faults. It knows nothing of the
// protocol that it carries. All its methods are safe for concurrent use.
//
//   - Cut breaks connections and refuses new ones, until Heal.
//   - Reset breaks connections, and accepts new ones.
//   - Hold(d) keeps bytes back, as a network does that loses packets and sends
//     them again. Nothing is lost.
//   - Drop(d) loses bytes. Heal then breaks the connections that lost some.
//   - Mute silences the present connections for ever. New ones work.
//   - Delay(d, time) delays bytes by a time.
//   - Trickle(d) delivers bytes a few at a time.
//   - Heal ends all faults, and delivers what was held.
//   - Orphan breaks the connections of clients, while the bytes that they sent
//     stay in flight until Release: the late copy of a request that its sender
//     has given up.
type Proxy struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu      sync.Mutex
	cond    sync.Cond // anything below, or in a pipe, has changed
	closed  bool
	refuse  bool
	hold    Direction
	drop    Direction
	dropped int
	delay   map[Direction]time.Duration
	trickle Direction
	tap     func() (up, down io.Writer) // set before the first connection
	links   map[*link]bool
	orphans map[*link]bool
}

// link is a client's connection and the one to the server that belongs to it.
type link struct {
	client, server net.Conn
	up, down       *pipe
	lossy          bool // bytes were dropped
}

// pipe is one direction of a link. Its reader takes all that comes, so that a
// sender's bytes are in the proxy even when they are held.
type pipe struct {
	way    Direction
	chunks []chunk
	held   bool // keeps its bytes whatever the proxy does: an orphan's, or a muted link's
	ended  bool // nothing more will come
}

type chunk struct {
	bytes []byte
	due   time.Time
}

// StartProxy starts a proxy to an address. It ends with the test.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		listener: l,
		target:   target,
		delay:    map[Direction]time.Duration{},
		links:    map[*link]bool{},
		orphans:  map[*link]bool{},
	}
	p.cond.L = &p.mu
	p.wg.Go(p.serve)
	t.Cleanup(p.close)
	return p
}

// Addr returns host:port for clients.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut breaks all connections and refuses new ones until Heal.
func (p *Proxy) Cut() {
	p.change(func() {
		p.refuse = true
		p.breakLinks(func(*link) bool { return true })
	})
}

// Reset breaks all connections. New ones are welcome.
func (p *Proxy) Reset() {
	p.change(func() { p.breakLinks(func(*link) bool { return true }) })
}

// Hold keeps bytes that go in a direction until Heal.
func (p *Proxy) Hold(d Direction) { p.change(func() { p.hold |= d }) }

// Drop loses bytes that go in a direction, until Heal.
func (p *Proxy) Drop(d Direction) { p.change(func() { p.drop |= d }) }

// Mute has the connections that there are carry nothing any more, not even the
// news of their end: what a router does that has forgotten them. New ones work.
func (p *Proxy) Mute() {
	p.change(func() {
		for l := range p.links {
			l.up.held, l.down.held = true, true
		}
	})
}

// Delay has bytes that go in a direction arrive later by a time. The zero time
// ends it.
func (p *Proxy) Delay(d Direction, by time.Duration) {
	p.change(func() {
		for _, way := range []Direction{ToServer, ToClient} {
			if d&way != 0 {
				p.delay[way] = by
			}
		}
	})
}

// Trickle has bytes that go in a direction arrive 64 at a time, one millisecond
// after the other, until Heal.
func (p *Proxy) Trickle(d Direction) { p.change(func() { p.trickle |= d }) }

const (
	trickleBytes = 64
	tricklePause = time.Millisecond
)

// Tap has tap called for each connection from now on, and what it returns
// written to with all that the client and the server send, whatever becomes of
// it. A write must not block.
func (p *Proxy) Tap(tap func() (up, down io.Writer)) { p.change(func() { p.tap = tap }) }

// Heal ends Cut, Hold, Drop, Delay and Trickle. Orphans stay until Release.
func (p *Proxy) Heal() {
	p.change(func() {
		p.refuse = false
		p.hold = 0
		p.drop = 0
		p.trickle = 0
		clear(p.delay)
		p.breakLinks(func(l *link) bool { return l.lossy })
	})
}

// Orphan breaks the clients' side of all connections and keeps what they sent
// and the server has not got. It ends Hold.
func (p *Proxy) Orphan() {
	p.change(func() {
		p.hold = 0
		for l := range p.links {
			delete(p.links, l)
			p.orphans[l] = true
			l.up.held = true
			l.client.Close()
		}
	})
}

// Release delivers to the server what Orphan has kept.
func (p *Proxy) Release() {
	p.change(func() {
		for l := range p.orphans {
			l.up.held = false
		}
	})
}

// Held returns how many bytes wait in a direction, orphans' included.
func (p *Proxy) Held(d Direction) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, links := range []map[*link]bool{p.links, p.orphans} {
		for l := range links {
			for _, pipe := range []*pipe{l.up, l.down} {
				if pipe.way&d == 0 {
					continue
				}
				for _, c := range pipe.chunks {
					n += len(c.bytes)
				}
			}
		}
	}
	return n
}

// Dropped returns how many bytes Drop has lost since the start.
func (p *Proxy) Dropped() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped
}

// Connections returns how many connections of clients there are.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

func (p *Proxy) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	p.cond.Broadcast()
}

// breakLinks closes connections so that the peers see them reset, not ended in
// good order.
func (p *Proxy) breakLinks(which func(*link) bool) {
	for l := range p.links {
		if which(l) {
			delete(p.links, l)
			l.kill()
		}
	}
}

func (l *link) kill() {
	for _, c := range []net.Conn{l.client, l.server} {
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		c.Close()
	}
}

func (p *Proxy) close() {
	p.listener.Close()
	p.change(func() {
		p.closed = true
		p.breakLinks(func(*link) bool { return true })
		for l := range p.orphans {
			l.kill()
		}
	})
	p.wg.Wait()
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.connect(client) })
	}
}

func (p *Proxy) connect(client net.Conn) {
	p.mu.Lock()
	refused := p.refuse || p.closed
	p.mu.Unlock()
	if refused {
		client.Close()
		return
	}
	server, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		client.Close()
		return
	}
	l := &link{client: client, server: server, up: &pipe{way: ToServer}, down: &pipe{way: ToClient}}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse || p.closed {
		l.kill()
		return
	}
	p.links[l] = true
	up, down := io.Discard, io.Discard
	if p.tap != nil {
		up, down = p.tap()
	}
	p.wg.Go(func() { p.read(l, l.up, client, up) })
	p.wg.Go(func() { p.write(l, l.up, server) })
	p.wg.Go(func() { p.read(l, l.down, server, down) })
	p.wg.Go(func() { p.write(l, l.down, client) })
}

func (p *Proxy) read(l *link, q *pipe, from net.Conn, tap io.Writer) {
	for {
		buf := make([]byte, 32<<10)
		n, err := from.Read(buf)
		tap.Write(buf[:n])
		p.change(func() {
			if n > 0 && p.drop&q.way != 0 {
				l.lossy = true
				p.dropped += n
			} else if n > 0 {
				q.chunks = append(q.chunks, chunk{buf[:n], time.Now().Add(p.delay[q.way])})
			}
			q.ended = err != nil
		})
		if err != nil {
			return
		}
	}
}

func (p *Proxy) write(l *link, q *pipe, to net.Conn) {
	for {
		bytes, err := p.next(l, q)
		if err == nil {
			_, err = to.Write(bytes)
		}
		if err != nil {
			p.end(l)
			return
		}
	}
}

// next waits until bytes may leave the pipe.
func (p *Proxy) next(l *link, q *pipe) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		orphan := p.orphans[l]
		switch {
		case p.closed || !orphan && !p.links[l]:
			return nil, io.ErrClosedPipe
		case q.held || p.hold&q.way != 0 && !orphan:
		case len(q.chunks) == 0 && q.ended && !orphan:
			return nil, io.EOF
		case len(q.chunks) > 0:
			c := q.chunks[0]
			if wait := time.Until(c.due); wait > 0 {
				time.AfterFunc(wait, func() { p.change(func() {}) })
				break
			}
			if p.trickle&q.way != 0 && len(c.bytes) > trickleBytes {
				q.chunks[0] = chunk{c.bytes[trickleBytes:], time.Now().Add(tricklePause)}
				return c.bytes[:trickleBytes], nil
			}
			q.chunks = q.chunks[1:]
			return c.bytes, nil
		}
		p.cond.Wait()
	}
}

// end closes a link one side of which has ended. The server's side of an orphan
// stays open: a server that sees its client leave may well forget what the
// client had asked for, and then nothing would come late.
func (p *Proxy) end(l *link) {
	p.change(func() {
		if p.orphans[l] && !p.closed {
			return
		}
		delete(p.links, l)
		l.client.Close()
		l.server.Close()
	})
}
