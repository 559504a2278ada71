package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// Client is one process's connection to a Server: a [store.Store]. It does not
// check what [store.Portable] checks.
type Client struct {
	server  *Server
	name    string
	release func() // nil for a client that was not opened by URL

	// Server.mu guards these.
	hook     func(Request) Fault
	requests map[Kind]int
	healed   chan struct{} // not nil while cut off; closed by Heal
	closing  bool
	crashed  bool
	sessions map[*session]bool // those that the server holds
	watches  map[*watch]bool
	lag, gap time.Duration // see SlowWatches

	down, dead, closed chan struct{} // closed by Close or Crash; by Crash; at the end of Close
	goroutines         sync.WaitGroup
}

var (
	_ store.Store    = (*Client)(nil)
	_ store.Digester = (*Client)(nil)
)

// Name returns the name given to Connect.
func (c *Client) Name() string { return c.name }

// Server returns the server that the client is connected to.
func (c *Client) Server() *Server { return c.server }

// Caps tells what the server can do.
func (c *Client) Caps() store.Caps { return c.server.caps }

// Get reads one key.
func (c *Client) Get(ctx context.Context, key string) (store.Entry, error) {
	var r *record
	read := func(time.Time) { r = c.server.keys.get(key) }
	if _, err := c.carry(ctx, Request{Kind: Get, Key: key}, nil, read); err != nil {
		return store.Entry{}, err
	}
	if r == nil {
		return store.Entry{}, fmt.Errorf("%w: %s", store.ErrNotFound, key)
	}
	return entries([]*record{r})[0], nil
}

// List reads every key below prefix.
func (c *Client) List(ctx context.Context, prefix string) ([]store.Entry, error) {
	s := c.server
	limit := math.MaxInt
	if s.tornPiece > 0 {
		limit = s.tornPiece
	}
	var piece []*record
	read := func(time.Time) { piece = s.keys.below(prefix, "", limit) }
	if _, err := c.carry(ctx, Request{Kind: List, Key: prefix}, nil, read); err != nil {
		return nil, err
	}
	all := piece
	for len(piece) == limit {
		w := waiter{ctx: ctx, client: c, kind: List}
		if err := w.pause(s.tornPause); err != nil {
			return nil, err
		}
		if err := w.connected(); err != nil {
			return nil, err
		}
		s.mu.Lock()
		piece = s.keys.below(prefix, all[len(all)-1].key, limit)
		s.mu.Unlock()
		all = append(all, piece...)
	}
	return entries(all), nil
}

// Digest returns a digest of the keys below prefix.
func (c *Client) Digest(ctx context.Context, prefix string) (store.Digest, error) {
	var d store.Digest
	read := func(time.Time) { d = c.server.keys.digest(prefix) }
	if _, err := c.carry(ctx, Request{Kind: Digest, Key: prefix}, nil, read); err != nil {
		return store.Digest{}, err
	}
	return d, nil
}

// Commit applies a transaction.
func (c *Client) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	var ss *session
	var over <-chan struct{}
	r := Request{Kind: Transact, Txn: t}
	if t.Session != nil {
		own, ok := t.Session.(*session)
		if !ok || own.client != c {
			return store.Result{}, fmt.Errorf("%w: session %s is not of this store", store.ErrInvalid, t.Session.ID())
		}
		ss, over, r.Session = own, own.done, own.lease.id
	}
	t.If, t.Do = slices.Clone(t.If), slices.Clone(t.Do)
	for i, op := range t.Do {
		t.Do[i].Value = slices.Clone(op.Value)
	}
	for {
		guard, moved, err := ss.mayCommit(time.Now())
		if err != nil {
			return store.Result{}, err
		}
		var result store.Result
		var refused error
		fate, err := c.carry(ctx, r, over, func(now time.Time) { result, refused = c.server.apply(c.name, ss, guard, t, now) })
		switch {
		case fate == unsent:
			return store.Result{}, err
		case fate == unkept && refused != nil:
			return store.Result{}, err
		case fate == unkept || fate == lost && ss == nil:
			return store.Result{}, fmt.Errorf("%w: %w", store.ErrUnknown, err)
		case fate == lost:
			return store.Result{}, ss.settle(guard, err)
		case refused == nil:
			return result, nil
		case errors.Is(refused, store.ErrSessionLost):
			ss.learnGone()
			return store.Result{}, refused
		case refused != errGuardMoved:
			return store.Result{}, refused
		}
		// Another transaction of the session was settled while this one was
		// under way, and nothing was applied: send it again as soon as the new
		// guard is known.
		w := waiter{ctx: ctx, over: over, client: c, kind: Transact}
		if err := w.wait(moved); err != nil {
			return store.Result{}, err
		}
	}
}

// NewSession starts a session.
func (c *Client) NewSession(ctx context.Context, o store.SessionOptions) (store.Session, error) {
	s := c.server
	ttl := o.TTL
	if ttl <= 0 {
		ttl = store.DefaultTTL
	}
	ss := &session{
		client: c, ttl: min(max(ttl, s.caps.MinTTL), s.caps.MaxTTL),
		done: make(chan struct{}), sealed: make(chan struct{}),
	}
	sent := time.Now()
	if _, err := c.carry(ctx, Request{Kind: NewSession}, nil, func(now time.Time) { s.grant(ss, now) }); err != nil {
		return nil, err // if the request was executed after all, the server ends the session after its TTL
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.gone(NewSession) {
		return nil, c.closedError()
	}
	ss.deadline = sent.Add(ss.ttl - margin(ss.ttl))
	ss.timer = time.AfterFunc(time.Until(ss.deadline), ss.lapse)
	if ss.err != nil {
		ss.timer.Stop() // it ended while the reply was under way
	}
	c.goroutines.Go(ss.keep)
	return ss, nil
}

// Watch follows a prefix.
func (c *Client) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	w := &watch{
		client: c,
		prefix: prefix,
		reset:  true,
		wake:   make(chan struct{}, 1),
		done:   make(chan struct{}),
	}
	if _, err := c.carry(ctx, Request{Kind: WatchStart, Key: prefix}, nil, func(time.Time) { w.start() }); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Close ends the client's sessions and watches.
func (c *Client) Close(ctx context.Context) error {
	s := c.server
	s.mu.Lock()
	if c.closing {
		s.mu.Unlock()
		<-c.closed
		return nil
	}
	c.closing = true
	c.shut()
	held := slices.Collect(maps.Keys(c.sessions))
	s.mu.Unlock()

	slices.SortFunc(held, func(a, b *session) int { return cmp.Compare(a.lease.token, b.lease.token) })
	var failed []error
	for _, ss := range held {
		if err := ss.Close(ctx); err != nil && !errors.Is(err, store.ErrClosed) && !errors.Is(err, store.ErrEnded) {
			failed = append(failed, err)
		}
	}
	c.goroutines.Wait()
	if c.release != nil {
		c.release()
	}
	close(c.closed)
	return errors.Join(failed...)
}

// shut makes calls that wait return, and ends all watches. It may be called
// twice. The caller holds s.mu.
func (c *Client) shut() {
	select {
	case <-c.down:
	default:
		close(c.down)
	}
	for w := range c.watches {
		w.stop()
	}
}

func (c *Client) rouseWatches() {
	for w := range c.watches {
		w.rouse()
	}
}
