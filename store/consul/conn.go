package consul

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// conn is a connection to an agent that keeps two things which net/http drops.
// An answer that comes before the request, with which an agent refuses a
// connection, is written to the program's own log there; and it is lost if the
// agent ends the connection before the request is sent.
type conn struct {
	net.Conn
	requests atomic.Int32 // under way
	began    atomic.Bool  // the sending of the latest request
	wrote    atomic.Bool  // some of that request was sent
	refusal  atomic.Pointer[statusError]
}

// unaskedMost bounds what is kept of an answer to no request.
const unaskedMost = 4096

// errUnasked ends a connection on which an agent answers what was not asked.
var errUnasked = errors.New("the server answered before it was asked")

// use begins a request. Until its first byte is sent net/http does not expect
// an answer, and would log one.
func (c *conn) use() {
	c.began.Store(false)
	c.wrote.Store(false)
	c.requests.Add(1)
}

// Read reads from the connection. What comes before a request begins to be sent
// is an error.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	switch {
	case n == 0:
		return n, err
	case c.requests.Load() == 0, !c.began.Load():
		return 0, c.refused(b[:n])
	case !c.wrote.Load():
		c.refused(b[:n]) // for Write, which may fail before this is seen
	}
	return n, err
}

// Write writes to the connection. If the agent has ended it, the answer that it
// gave before is the error.
func (c *conn) Write(b []byte) (int, error) {
	c.began.Store(true)
	n, err := c.Conn.Write(b)
	if err == nil {
		c.wrote.Store(true)
		return n, nil
	}
	const soon = 100 * time.Millisecond
	if c.refusal.Load() == nil {
		text := make([]byte, unaskedMost)
		c.Conn.SetReadDeadline(time.Now().Add(soon))
		if m, _ := c.Conn.Read(text); m > 0 {
			c.refused(text[:m])
		}
	}
	if s := c.refusal.Load(); s != nil {
		return n, s
	}
	return n, err
}

// refused returns the error for an answer to no request, and keeps it.
func (c *conn) refused(text []byte) error {
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), nil)
	if err != nil {
		return errUnasked
	}
	reason, _ := io.ReadAll(io.LimitReader(answer.Body, unaskedMost)) // as much as has come
	s := &statusError{answer.StatusCode, strings.TrimSpace(string(reason))}
	c.refusal.Store(s)
	return s
}
