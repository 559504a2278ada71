package sessions

import (
	"context"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// Base has the fields and methods that the sessions of all drivers share. A
// driver's session embeds it and adds Close.
//
// Identity, Fence and Granted are set before the session is handed out and do
// not change afterwards.
type Base struct {
	Identity string        // the session's name in the store
	Fence    uint64        // larger than that of every earlier session
	Granted  time.Duration // the time to live that the store granted
	Life     *Lifetime
}

// ID implements store.Session.
func (b *Base) ID() string { return b.Identity }

// Token implements store.Session.
func (b *Base) Token() uint64 { return b.Fence }

// TTL implements store.Session.
func (b *Base) TTL() time.Duration { return b.Granted }

// Done implements store.Session.
func (b *Base) Done() <-chan struct{} { return b.Life.Done() }

// Deadline implements store.Session.
func (b *Base) Deadline() time.Time { return b.Life.Deadline() }

// Err implements store.Session.
func (b *Base) Err() error { return b.Life.Err() }

// Attempt is the time limit of one request that must succeed before the
// deadline. It is at most the limit of all requests of the store.
func (b *Base) Attempt(limit time.Duration) time.Duration {
	return min(Attempt(b.Granted), limit)
}

// Context returns a context that ends with ctx or with the session. The caller
// must call cancel when it needs the context no longer.
func (b *Base) Context(ctx context.Context) (_ context.Context, cancel context.CancelFunc) {
	ctx, end := context.WithCancel(ctx)
	stop := context.AfterFunc(b.Life.Context(), end)
	return ctx, func() { stop(); end() }
}

// Of returns the session of a transaction as the driver's own type. It returns
// ErrInvalid if another store, or another driver, made the session: mine
// reports whether this one did.
func Of[S store.Session](t store.Txn, mine func(S) bool) (S, error) {
	n, ok := t.Session.(S)
	if !ok || !mine(n) {
		return n, fmt.Errorf("%w: commit: the session of the transaction is not of this store", store.ErrInvalid)
	}
	return n, nil
}
