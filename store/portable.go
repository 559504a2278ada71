package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/internal/secret"
	"github.com/elasticjob-go/elastic/store/internal/progress"
)

// OpenTimeout bounds Open when its context has no deadline.
const OpenTimeout = 10 * time.Second

// Portable is a driver's store with what all stores have in common: keys and
// sizes are checked before anything is sent, every call has a deadline, and
// calls are counted. It is safe for concurrent use.
type Portable struct {
	driver  Store
	timeout time.Duration
	ttl     time.Duration
	caps    Caps
	counts  counters
	closed  atomic.Bool

	observersMu sync.Mutex // held while the list is replaced
	observers   atomic.Pointer[[]*observer]

	// conceal takes the secrets of the URL out of an error. It is a function
	// and not a list: fmt.Print shows the fields of a struct, whatever they
	// hold.
	conceal func(error) error
}

// NewPortable wraps a driver's store. Open does it for stores that come from a
// URL; a program that makes a store by itself, such as a memory store of its
// own, calls it directly. Of c only SessionTTL and RequestTimeout are used;
// zero values mean the defaults. The secrets of c are in no error.
func NewPortable(driver Store, c Config) *Portable {
	p := &Portable{driver: driver, timeout: c.RequestTimeout, ttl: c.SessionTTL, caps: driver.Caps()}
	p.conceal = func(err error) error { return secret.Error(err, c.secrets()...) }
	if _, ok := driver.(Digester); !ok {
		p.caps.Digest = false // it wraps a store that is one, and is none itself
	}
	if p.timeout <= 0 {
		p.timeout = DefaultRequestTimeout
	}
	if p.ttl <= 0 {
		p.ttl = DefaultTTL
	}
	return p
}

// Format prints the name of the driver, whatever the verb. The fields of some
// drivers hold secrets.
func (p *Portable) Format(f fmt.State, verb rune) { secret.Format(f, verb, p.caps.Driver+" store") }

// Driver returns the store below.
func (p *Portable) Driver() Store { return p.driver }

// Get reads one key.
func (p *Portable) Get(ctx context.Context, key string) (Entry, error) {
	if err := CheckKey(key); err != nil {
		return Entry{}, err
	}
	ctx, call, err := p.begin(ctx, RequestGet, &p.counts.gets)
	if err != nil {
		return Entry{}, err
	}
	e, err := p.driver.Get(ctx, key)
	p.counts.read.Add(int64(len(e.Value)))
	return e, call.end("get "+key, err)
}

// List reads every key below prefix.
func (p *Portable) List(ctx context.Context, prefix string) ([]Entry, error) {
	if err := checkPrefix(prefix); err != nil {
		return nil, err
	}
	ctx, call, err := p.beginLong(ctx, RequestList, &p.counts.lists)
	if err != nil {
		return nil, err
	}
	entries, err := p.driver.List(ctx, prefix)
	for _, e := range entries {
		p.counts.read.Add(int64(len(e.Value)))
	}
	return entries, call.end("list "+prefix, err)
}

// Digest returns a digest of a prefix: see Digester. It returns ErrInvalid
// where Caps.Digest is not set.
func (p *Portable) Digest(ctx context.Context, prefix string) (Digest, error) {
	if err := checkPrefix(prefix); err != nil {
		return Digest{}, err
	}
	driver, ok := p.driver.(Digester)
	if !ok || !p.caps.Digest {
		return Digest{}, fmt.Errorf(
			"%w: digest of %q: %s has none; list the keys instead",
			ErrInvalid,
			prefix,
			p.caps.Driver,
		)
	}
	ctx, call, err := p.beginLong(ctx, RequestDigest, &p.counts.digests)
	if err != nil {
		return Digest{}, err
	}
	d, err := driver.Digest(ctx, prefix)
	return d, call.end("digest of "+prefix, err)
}

// Commit applies a transaction.
func (p *Portable) Commit(ctx context.Context, t Txn) (Result, error) {
	if err := t.check(p.caps); err != nil {
		return Result{}, err
	}
	ctx, call, err := p.begin(ctx, RequestCommit, &p.counts.commits)
	if err != nil {
		return Result{}, err
	}
	p.counts.written.Add(int64(t.Bytes()))
	r, err := p.driver.Commit(ctx, t)
	return r, call.end("commit", err)
}

// SessionTTL returns the TTL that is asked for when SessionOptions name none:
// the session_ttl of the URL, or DefaultTTL. The store may grant another; see
// Session.TTL.
func (p *Portable) SessionTTL() time.Duration { return p.ttl }

// NewSession starts a session.
func (p *Portable) NewSession(ctx context.Context, o SessionOptions) (Session, error) {
	if o.TTL <= 0 {
		o.TTL = p.ttl
	}
	o.TTL = min(max(o.TTL, p.caps.MinTTL), p.caps.MaxTTL)
	ctx, call, err := p.begin(ctx, RequestSession, &p.counts.sessions)
	if err != nil {
		return nil, err
	}
	s, err := p.driver.NewSession(ctx, o)
	return s, call.end("start session", err)
}

// Watch follows a prefix.
func (p *Portable) Watch(ctx context.Context, prefix string) (Watch, error) {
	if err := checkPrefix(prefix); err != nil {
		return nil, err
	}
	ctx, call, err := p.beginLong(ctx, RequestWatch, &p.counts.watches)
	if err != nil {
		return nil, err
	}
	w, err := p.driver.Watch(ctx, prefix)
	return w, call.end("watch "+prefix, err)
}

// Caps tells what the backend can do.
func (p *Portable) Caps() Caps { return p.caps }

// Close closes the driver's store.
func (p *Portable) Close(ctx context.Context) error {
	p.closed.Store(true)
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	return p.driver.Close(ctx)
}

// call is a request that is under way.
type call struct {
	store  *Portable
	op     RequestOp
	start  time.Time
	cancel context.CancelFunc
}

// begin counts a call and gives it a deadline. A context that has ended costs
// no request.
func (p *Portable) begin(ctx context.Context, op RequestOp, n *atomic.Int64) (context.Context, *call, error) {
	return p.beginWith(ctx, op, n, context.WithTimeout)
}

// beginLong is begin for a call that may be many requests: the deadline moves
// on while the driver reports progress.
func (p *Portable) beginLong(ctx context.Context, op RequestOp, n *atomic.Int64) (context.Context, *call, error) {
	return p.beginWith(ctx, op, n, progress.Context)
}

func (p *Portable) beginWith(
	ctx context.Context,
	op RequestOp,
	n *atomic.Int64,
	bound func(context.Context, time.Duration) (context.Context, context.CancelFunc),
) (context.Context, *call, error) {
	if p.closed.Load() {
		return nil, nil, ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
	n.Add(1)
	p.counts.inFlight.Add(1)
	c := &call{store: p, op: op, start: time.Now()}
	ctx, c.cancel = bound(ctx, p.timeout)
	return ctx, c, nil
}

// end notes that the driver has answered. It returns the driver's error with
// what was tried on what.
func (c *call) end(what string, err error) error {
	c.cancel()
	p, took := c.store, time.Since(c.start)
	p.counts.inFlight.Add(-1)
	p.counts.busy.Add(int64(took))
	if err != nil {
		p.counts.failures.Add(1)
		err = p.conceal(fmt.Errorf("%s: %w", what, err))
	}
	p.tellObservers(c.op, took, err)
	return err
}
