package dial

import (
	"net"
	"net/netip"
	"sync/atomic"
)

// conn is a connection that tells the dialer whether its address serves.
type conn struct {
	net.Conn
	dialer *Dialer
	name   string
	addr   netip.Addr
	asked  atomic.Bool // something was written
	heard  atomic.Bool // something was read
	closed atomic.Bool
}

func (c *conn) Write(p []byte) (int, error) {
	c.asked.Store(true)
	return c.Conn.Write(p)
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.heard.Swap(true) {
		c.dialer.note(c.name, c.addr, true)
	}
	return n, err
}

// Close ends the connection. One whose question was never answered is the
// address's fault.
func (c *conn) Close() error {
	if !c.closed.Swap(true) && c.asked.Load() && !c.heard.Load() {
		c.dialer.note(c.name, c.addr, false)
	}
	return c.Conn.Close()
}
