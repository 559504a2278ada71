package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// Request describes a request that is about to be sent, for a hook.
type Request struct {
	Kind    Kind
	N       int       // counts requests of this kind from 1, since OnRequest: a renewal does not shift the n-th commit
	Key     string    // of a Get; the prefix of a List or a Watch
	Session string    // of a Commit, Seal, Renew or CloseSession; may be empty for a Commit
	Txn     store.Txn // of a Commit; must not be changed
}

// Kind is the kind of a request.
type Kind string

// The kinds of requests.
const (
	Get          Kind = "get"
	List         Kind = "list"
	Digest       Kind = "digest"
	WatchStart   Kind = "watch" // what a watch delivers later is no request: see SlowWatches
	Transact     Kind = "commit"
	NewSession   Kind = "new session"
	Renew        Kind = "renew"
	CloseSession Kind = "close session"
	Seal         Kind = "seal" // settles a transaction whose reply was lost
)

// Fault is a fault of one request. The zero Fault is none. What a caller
// sees follows from the contract: the loss of a reply, or of a request that the
// sender can't know to be lost, is ErrUnknown for a Commit and ErrUnavailable
// for a read.
//
// The times are those at which the request, in this order: waits for Before;
// calls BeforeApply; is executed (after Late); calls AfterApply; has its reply
// travel for After.
type Fault struct {
	Refuse bool          // the store can't be reached and the sender knows: ErrUnavailable, at once, nothing applied
	Before time.Duration // the request waits in the client; if ctx ends meanwhile it is never sent

	// LoseRequest and LoseReply lose the one before, the other after it is
	// executed. The sender finds out when ctx ends, or at once with Broken, as
	// when a connection breaks.
	LoseRequest, LoseReply, Broken bool

	// Late is how long the request is under way. It arrives even if its sender
	// has given up, closed, crashed or been cut off by then; a Commit with a
	// session that was settled meanwhile is then refused by the server, one
	// without is applied.
	Late  time.Duration
	After time.Duration // how long the reply is under way

	// BeforeApply and AfterApply are called just before and after the request
	// is executed, with no lock held: tests cut, crash or park the client
	// there. With Late, BeforeApply is called when the request leaves and
	// AfterApply when the sender is still waiting.
	BeforeApply, AfterApply func()
}

// OnRequest has f called for every request of the client, in the goroutine that
// makes it, with no lock held, so for several requests at once where several
// are under way; nil ends that. f may block, and may use the server and other
// clients.
func (c *Client) OnRequest(f func(Request) Fault) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.hook = f
	clear(c.requests)
}

// Cut separates the client from the server: until Heal nothing passes in either
// direction. Calls wait for Heal or the end of their ctx, renewals don't
// arrive, watches say Stale once and then nothing. A request that has been
// executed may be answered after Heal. Stale comes at once here; a real driver
// takes a while to notice.
func (c *Client) Cut() {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.healed == nil {
		c.healed = make(chan struct{})
		c.rouseWatches()
	}
}

// Heal ends Cut.
func (c *Client) Heal() {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.healed != nil {
		close(c.healed)
		c.healed = nil
		c.rouseWatches()
	}
}

// Crash is the sudden death of the process. From now on nothing of this client
// is applied, not even calls that are under way, except those that a Fault made
// Late; nothing is renewed, and Close can't end its sessions: the server
// expires them after their TTL. So that the code of the dead process ends, too,
// every call and every watch returns an error at once, ErrClosed where nothing
// was applied, and Done of its sessions is closed.
func (c *Client) Crash() {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.crashed {
		return
	}
	c.crashed = true
	close(c.dead)
	c.shut()
	for ss := range c.sessions {
		ss.finish(store.ErrClosed)
	}
}

// fate is the outcome of a request as its sender knows it.
type fate int

const (
	unsent   fate = iota // not executed, and never will be
	answered             // executed, and the reply is here
	lost                 // it may have been executed, or may be
	unkept               // executed, and what it rests on may not be kept: see Journaled
)

// carry takes a request to the server and its reply back, through whatever
// faults there are. exec executes it, with s.mu held. Carry waits until the
// reply is here, ctx ends, over is closed (nil: never) or the client goes down.
// Unless the fate is answered, the error says why, as ErrUnavailable,
// ErrSessionLost (over) or ErrClosed, and what exec sets must not be read, or
// if the fate is unkept must not be believed.
func (c *Client) carry(ctx context.Context, r Request, over <-chan struct{}, exec func(now time.Time)) (fate, error) {
	if ctx.Err() != nil {
		return unsent, unavailable(ctx)
	}
	s := c.server
	s.mu.Lock()
	if c.gone(r.Kind) {
		s.mu.Unlock()
		return unsent, c.closedError()
	}
	w := waiter{ctx: ctx, over: over, client: c, kind: r.Kind}
	if c.hook == nil && c.healed == nil {
		return w.execute(exec)
	}
	hook := c.hook
	c.requests[r.Kind]++
	r.N = c.requests[r.Kind]
	s.mu.Unlock()

	var f Fault
	if hook != nil {
		f = hook(r)
	}
	return w.carry(f, exec)
}

// execute runs exec, releases s.mu, which the caller holds, and returns what to
// wait for until all that exec saw and did is kept; nil is nothing.
func (s *Server) execute(exec func(now time.Time)) *Receipt {
	before := s.history.logged
	exec(time.Now())
	kept := s.unkept()
	if s.history.logged == before {
		s.mu.Unlock() // not unlockAndTell: a hook that reads would wait for itself
	} else {
		s.unlockAndTell()
	}
	return kept
}

// waiter is one request on its way.
type waiter struct {
	ctx    context.Context
	over   <-chan struct{}
	client *Client
	kind   Kind
}

// execute has the server run exec and waits until the outcome is kept. The
// caller holds s.mu, which it releases.
func (w waiter) execute(exec func(now time.Time)) (fate, error) {
	s := w.client.server
	if err := s.lost(); err != nil {
		s.mu.Unlock()
		return unsent, err
	}
	kept := s.execute(exec)
	if w.kind == Renew {
		return answered, nil // it rests on nothing that is kept, and a slow disk need not cost the session
	}
	return w.keep(kept)
}

func (w waiter) keep(kept *Receipt) (fate, error) {
	if kept == nil {
		return answered, nil
	}
	if err := w.wait(kept.done); err != nil {
		return unkept, err
	}
	if kept.err != nil {
		w.client.server.rouseWatches()
		return unkept, fmt.Errorf("%w: %w", store.ErrEnded, kept.err)
	}
	return answered, nil
}

func (w waiter) carry(f Fault, exec func(now time.Time)) (fate, error) {
	c, s := w.client, w.client.server
	if f.Refuse {
		return unsent, fmt.Errorf("%w: refused", store.ErrUnavailable)
	}
	if err := w.pause(f.Before); err != nil {
		return unsent, err
	}
	if err := w.connected(); err != nil {
		return unsent, err
	}
	if f.BeforeApply != nil {
		f.BeforeApply()
	}

	switch {
	case f.LoseRequest:
		return w.lose(f.Broken)
	case f.Late > 0:
		arrived := make(chan struct{})
		var kept *Receipt
		time.AfterFunc(f.Late, func() {
			s.mu.Lock()
			if s.lost() != nil {
				s.mu.Unlock()
				return // never answered
			}
			kept = s.execute(exec)
			close(arrived)
		})
		if f.LoseReply && f.Broken {
			return w.lose(true)
		}
		if err := w.wait(arrived); err != nil {
			return lost, err
		}
		if fate, err := w.keep(kept); fate != answered {
			return fate, err
		}
	default:
		for {
			if err := w.connected(); err != nil {
				return unsent, err
			}
			s.mu.Lock()
			if c.healed == nil && !c.gone(w.kind) {
				break
			}
			s.mu.Unlock()
		}
		if fate, err := w.execute(exec); fate != answered {
			return fate, err
		}
	}

	if f.AfterApply != nil {
		f.AfterApply()
	}
	if f.LoseReply {
		return w.lose(f.Broken)
	}
	if err := w.pause(f.After); err != nil {
		return lost, err
	}
	if err := w.connected(); err != nil {
		return lost, err
	}
	return answered, nil
}

// lose waits until the sender finds out that there will be no reply.
func (w waiter) lose(broken bool) (fate, error) {
	if broken {
		return lost, fmt.Errorf("%w: connection broken", store.ErrUnavailable)
	}
	return lost, w.wait(nil)
}

// wait returns nil when ready is closed, else why the caller need not wait any
// longer.
func (w waiter) wait(ready <-chan struct{}) error {
	select {
	case <-ready:
		return nil
	case <-w.ctx.Done():
		return unavailable(w.ctx)
	case <-w.over:
		return store.ErrSessionLost
	case <-w.client.ends(w.kind):
		return w.client.closedError()
	}
}

func (w waiter) pause(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	ready := make(chan struct{})
	t := time.AfterFunc(d, func() { close(ready) })
	defer t.Stop()
	return w.wait(ready)
}

// connected returns nil once the client is not cut off.
func (w waiter) connected() error {
	c := w.client
	for {
		c.server.mu.Lock()
		healed, gone := c.healed, c.gone(w.kind)
		c.server.mu.Unlock()
		if gone {
			return c.closedError()
		}
		if healed == nil {
			return nil
		}
		if err := w.wait(healed); err != nil {
			return err
		}
	}
}

// gone reports whether requests of a kind can no longer be made: after Close
// only the farewells can. The caller holds s.mu.
func (c *Client) gone(kind Kind) bool {
	return c.crashed || c.closing && kind != CloseSession
}

// ends returns the channel that tells what gone says.
func (c *Client) ends(kind Kind) <-chan struct{} {
	if kind == CloseSession {
		return c.dead
	}
	return c.down
}

func (c *Client) closedError() error {
	return fmt.Errorf("%w: client %s", store.ErrClosed, c.name)
}

// unavailable is the error of a request that was not executed because its
// context ended.
func unavailable(ctx context.Context) error {
	return fmt.Errorf("%w: %w", store.ErrUnavailable, context.Cause(ctx))
}
