package admin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// Client reads and changes one namespace through its store. Its methods are
// safe for concurrent use.
type Client struct {
	*shared
	by  string
	via layout.Via
}

// shared is the connection of a client and of those that For has made of it.
type shared struct {
	store store.Store
	owns  bool // Close closes the store

	mu      sync.Mutex
	session store.Session // the guard of all writes; nil before the first one

	setsMu sync.Mutex
	sets   layout.Sets // of jobs, that instances named when they were last read
}

// Option configures a client.
type Option func(*Client)

// Open connects to the store that url names; see [store.Config] for its form.
// Nothing is written. Close ends the connection.
func Open(ctx context.Context, url string, options ...Option) (*Client, error) {
	s, err := store.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	c, err := New(s, options...)
	if err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	c.owns = true
	return c, nil
}

// New returns a client on a store that the program has made itself. Close does
// not close that store.
func New(s store.Store, options ...Option) (*Client, error) {
	if guard.IsNil(s) {
		return nil, fmt.Errorf("make the client: the store is nil")
	}
	c := &Client{shared: &shared{store: s}, via: layout.ViaAPI}
	for i, o := range options {
		if o == nil {
			return nil, fmt.Errorf("make the client: option %d is nil", i+1)
		}
		o(c)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// For returns a client on the same connection that acts as another person or
// program, by another way. The connection ends with the Close of any of them.
func (c *Client) For(by string, via Via) (*Client, error) {
	n := &Client{shared: c.shared, by: by, via: layout.Via(via)}
	if err := n.check(); err != nil {
		return nil, err
	}
	return n, nil
}

// Close ends what the client has opened. Methods that are called afterwards
// return [store.ErrClosed].
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	s := c.session
	c.session = nil
	c.mu.Unlock()
	if s != nil {
		_ = s.Close(ctx) // otherwise it ends by its TTL
	}
	if !c.owns {
		return nil
	}
	return c.store.Close(ctx)
}

// now returns the time by which answers are computed.
func (c *Client) now() time.Time { return time.Now() }
