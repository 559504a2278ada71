package etcd

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

// silence is how long a connection must have owed us an answer before it is given up: less than anything of ours waits
// for, and more than a busy server takes, so that a caller in a hurry breaks nothing.
const silence = 500 * time.Millisecond

// lines are the connections of a store. A connection through which nothing comes any more is not closed by anyone: a
// router has forgotten it, or the server's machine is gone. gRPC would ask for a sign of life after 10 s at
// the earliest and wait for it, longer than a session lives. So whoever of us gets no answer in time has the
// connections closed that have carried a request since, and nothing back; gRPC then makes new ones.
type lines struct {
	silence time.Duration // see silence
	mu      sync.Mutex
	open    map[*line]bool
}

// line is a connection that knows when it was last used. The times count from epoch.
type line struct {
	net.Conn
	lines       *lines
	read, wrote atomic.Int64
}

var epoch = time.Now()

func newLines() *lines { return &lines{silence: silence, open: map[*line]bool{}} }

// dial makes a connection. gRPC calls it.
func (l *lines) dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	n := &line{Conn: conn, lines: l}
	n.read.Store(int64(time.Since(epoch)))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[n] = true
	return n, nil
}

// giveUp closes the connections that have carried something since a time and have been silent since. It returns false
// if that is not long enough ago.
func (l *lines) giveUp(since time.Time) bool {
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

// overdue is an interceptor that gives connections up on which a call has waited for an answer until its deadline.
func (l *lines) overdue(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
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
	}
	return got, err
}

func (n *line) Write(b []byte) (int, error) {
	n.wrote.Store(int64(time.Since(epoch)))
	return n.Conn.Write(b)
}

func (n *line) Close() error {
	n.lines.mu.Lock()
	delete(n.lines.open, n)
	n.lines.mu.Unlock()
	return n.Conn.Close()
}
