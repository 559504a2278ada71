package etcd

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/store/internal/dial"
	"google.golang.org/grpc"
)

// silence is how long a connection must have owed us an answer before it is
// given up: less than anything of ours waits for, and more than a busy server
// takes, so that a caller in a hurry breaks nothing.
const silence = 500 * time.Millisecond

// conns are the connections of a store. A connection through which nothing
// comes any more is not closed by anyone: a router has forgotten it, or the
// server's machine is gone. gRPC would ask for a sign of life after 10 s at the
// earliest and wait for it, longer than a session lives. So the caller that
// gets no answer in time has the connections closed that have carried a request
// since, and nothing back; gRPC then makes new ones.
//
// A connection on which nothing has come yet is not given up in this way: a
// server that is busy takes its time for TLS, and a handshake that is given up
// is begun again from the start.
type conns struct {
	silence time.Duration // see silence
	dialer  *dial.Dialer
	secure  bool // TLS is used

	mu     sync.Mutex
	open   map[*line]bool
	faults map[string]*fault // of the hosts that have no connection, by address
}

// line is a connection that knows when it was last used. The times count from
// epoch.
type line struct {
	net.Conn
	conns       *conns
	addr        string
	used        atomic.Bool // something was read
	read, wrote atomic.Int64
}

var epoch = time.Now()

const (
	// dialTimeout bounds one attempt to connect to a host by TCP.
	dialTimeout = 3 * time.Second

	// greetingTimeout is how long a server may be silent on a new connection
	// without TLS. Its first message costs it nothing.
	greetingTimeout = 3 * time.Second

	// connectTimeout bounds all that it takes to make a connection. It is
	// longer than a busy server takes for TLS.
	connectTimeout = 10 * time.Second
)

func newConns(secure bool) *conns {
	return &conns{
		silence: silence,
		dialer:  &dial.Dialer{Timeout: dialTimeout},
		secure:  secure,
		open:    map[*line]bool{},
		faults:  map[string]*fault{},
	}
}

// note takes note of why there is no connection to a host, nil if there is one.
func (l *conns) note(addr string, f *fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f == nil {
		delete(l.faults, addr)
		return
	}
	l.faults[addr] = f
}

// fault returns why there is no connection to a host, nil if nothing is known.
func (l *conns) fault(addr string) *fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.faults[addr]
}

// dial makes a connection. gRPC calls it.
func (l *conns) dial(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := l.dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		if ctx.Err() == nil {
			l.note(addr, dialFault(err))
		}
		return nil, err
	}
	n := &line{Conn: conn, conns: l, addr: addr}
	n.read.Store(int64(time.Since(epoch)))
	if !l.secure {
		time.AfterFunc(greetingTimeout, func() {
			if !n.used.Load() {
				n.Close()
			}
		})
	}
	return n, nil
}

// greeted takes a connection in on which something has come.
func (l *conns) greeted(n *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[n] = true
	if !l.secure {
		delete(l.faults, n.addr)
	}
}

// giveUp closes the connections that have carried something since a time and
// have been silent since. It returns false if that is not long enough ago.
func (l *conns) giveUp(since time.Time) bool {
	if time.Since(since) < l.silence {
		return false
	}
	at := int64(since.Sub(epoch))
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := range l.open {
		if n.wrote.Load() >= at && n.read.Load() < at {
			delete(l.open, n)
			n.Conn.Close()
		}
	}
	return true
}

// overdue is an interceptor that gives connections up on which a call has
// waited for an answer until its deadline.
func (l *conns) overdue(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	start := time.Now()
	err := invoke(ctx, method, request, reply, conn, opts...)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		l.giveUp(start)
	}
	return err
}

func (n *line) Read(b []byte) (int, error) {
	got, err := n.Conn.Read(b)
	if got > 0 {
		n.read.Store(int64(time.Since(epoch)))
		if !n.used.Swap(true) {
			n.conns.greeted(n)
		}
	}
	if err != nil && !n.used.Load() && !n.conns.secure && endedEarly(err) {
		n.conns.note(n.addr, &fault{text: "the server ended the connection without an answer", cause: err})
	}
	return got, err
}

func (n *line) Write(b []byte) (int, error) {
	n.wrote.Store(int64(time.Since(epoch)))
	return n.Conn.Write(b)
}

func (n *line) Close() error {
	n.conns.mu.Lock()
	delete(n.conns.open, n)
	n.conns.mu.Unlock()
	return n.Conn.Close()
}
