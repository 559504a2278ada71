// Package store defines what the scheduler needs of a coordination store, and
// nothing more: read, list, commit a transaction, hold a session, watch a
// prefix.
//
// Locks, elections, queues and barriers are not in it. They are where other
// abstractions over ZooKeeper, etcd and Consul have their bugs, and the
// scheduler needs none: it changes records by compare-and-swap.
//
// A driver implements [Store] for one backend and registers a URL scheme with
// [Register]. What all drivers have in common (checking keys and sizes,
// deadlines, counting) is done once, above them, by [Portable].
package store

import (
	"context"
	"time"
)

// Store is one namespace of a coordination store. All methods are safe for
// concurrent use.
//
// Every error is, by [errors.Is], one of the sentinels of this package or the
// error of the caller's context; a failed Commit therefore reports whether it
// was applied. See [ErrUnknown] for the one that needs a read.
type Store interface {
	// Get reads one key. The read is linearizable: it sees every commit that
	// was acknowledged, to any caller, before Get was called. It returns
	// ErrNotFound if the key is absent.
	Get(ctx context.Context, key string) (Entry, error)

	// List reads every key strictly below prefix, sorted by key; the empty
	// prefix means the whole namespace. "jobs" lists "jobs/a" and "jobs/a/b"
	// but neither "jobs" nor "jobsX". The read is linearizable for each key; it
	// is one point in time where Caps.AtomicList is set. An empty result is not
	// an error.
	List(ctx context.Context, prefix string) ([]Entry, error)

	// Commit applies all of t.Do, or nothing. A nil error means applied.
	//
	// If t has a session, Commit returns only when the outcome is settled. When
	// the reply of the backend is lost this can take longer than ctx allows, at
	// most until the session's deadline: see ErrUnknown.
	Commit(ctx context.Context, t Txn) (Result, error)

	// NewSession starts a session and returns once the store has it on record.
	// If the reply is lost it returns ErrUnavailable, and a session that no
	// caller knows lives until its TTL has passed.
	NewSession(ctx context.Context, o SessionOptions) (Session, error)

	// Watch follows every key strictly below prefix, as List has it. ctx bounds
	// the start only; Close ends the watch. A watch does not depend on a
	// session and outlives it.
	Watch(ctx context.Context, prefix string) (Watch, error)

	// Caps tells what this backend can do. The answer does not change while the
	// store is open.
	Caps() Caps

	// Close ends the store's sessions and watches and waits for its goroutines.
	// It may be called more than once; afterwards every other method returns
	// ErrClosed. ctx bounds the farewell to the backend only.
	Close(ctx context.Context) error
}

// Digester is an optional part of a Store: it tells cheaply whether anything
// below a prefix has changed, where List would send all of it again. A driver
// that implements it sets Caps.Digest.
type Digester interface {
	// Digest returns a digest of all keys strictly below prefix, as List has
	// them. The read is linearizable. Two digests of one prefix that a program
	// got from one open store are equal only if the same keys were below it at
	// both moments, each with the same Version and Created. They can differ
	// although nothing has changed.
	Digest(ctx context.Context, prefix string) (Digest, error)
}

// Digest stands for the content of a prefix at one moment: see Digester. It is
// opaque: compare it with == and with nothing else.
type Digest struct {
	Keys int    // how many keys there are
	Mark uint64 // the backend's mark of the last change; its meaning is the driver's
}

// Entry is one key as the store held it.
type Entry struct {
	Key     string
	Value   []byte
	Version Version // of the last write to this key
	Created uint64  // orders creations across the namespace: who came first has the smaller number
	Owner   string  // Session.ID of the session an ephemeral key dies with; empty for a lasting key
}

// Version names one write of one key. It is opaque: compare it with == and with
// nothing else. The zero Version names no write.
//
// A version is never seen again on another write of the same key while the key
// exists. Where Caps.StrongVersions is not set (ZooKeeper) it can come back
// after the key was deleted and created again: compare versions only on keys
// that are not deleted while a client may remember them.
type Version uint64

// Session proves to the store that this process is alive. Once Done is closed
// it never revives: take another. All methods are safe for concurrent use.
type Session interface {
	// ID identifies the session within the namespace, for ever.
	ID() string

	// Token grows with every session of the namespace: a fencing number for the
	// outside world.
	Token() uint64

	// TTL is the time that the store granted: it keeps the session at least
	// this long after each renewal.
	TTL() time.Duration

	// Deadline is the time, by this process's monotonic clock, until which the
	// session is surely alive: the time at which the last acknowledged renewal
	// was sent, plus TTL, minus a margin. It never moves back.
	Deadline() time.Time

	// Done is closed when the store says that the session is gone, when
	// Deadline passes, or on Close; whatever comes first. A suspended process
	// that wakes finds it closed at once.
	Done() <-chan struct{}

	// Err is nil before Done is closed; then ErrSessionLost or ErrClosed, for
	// ever.
	Err() error

	// Close ends the session and deletes its ephemeral keys. When it returns
	// nil they are gone; otherwise, with ErrUnavailable or ErrUnknown, they are
	// gone when the TTL has passed. It may be called more than once. A
	// transaction in a session that was closed is refused with an error that is
	// ErrSessionLost, or ErrClosed, or both.
	Close(ctx context.Context) error
}

// SessionOptions says what session is wanted. The zero value is useful.
type SessionOptions struct {
	// TTL is how long the store keeps the session without a renewal. The store
	// may grant another: see Session.TTL. Zero means the store URL's
	// session_ttl, or DefaultTTL.
	TTL time.Duration

	// Name is shown to operators where the backend can. It need not be unique.
	Name string
}

// DefaultTTL is the time to live of a session when neither the caller nor the
// store's URL names one. Ten seconds outlast a long garbage collection, a
// leader change of the store and a lost packet or two; shorter fails over
// sooner and more often for nothing.
const DefaultTTL = 10 * time.Second

// Watch is a pull iterator over the state of a prefix. It is state, not events:
// a slow reader skips what came between, but never ends on a wrong last state,
// because at most one pending state a key is kept.
type Watch interface {
	// Next blocks until there is something to tell. The first Update is a
	// Reset. The end of ctx ends this call only; the watch goes on and loses
	// nothing. After Close it returns ErrClosed. A watch whose contact with the
	// store breaks does not end: it says Stale, and recovers by itself. Only
	// ErrClosed, ErrEnded and ErrPermission are final. Next must not be called
	// concurrently.
	Next(ctx context.Context) (Update, error)

	// Close ends the watch and unblocks Next. It may be called more than once
	// and at any time.
	Close() error
}

// Update is a set of changes since the last Update.
type Update struct {
	Reset   bool      // Entries is the whole content: forget everything else
	Entries []Entry   // created or changed, sorted by key
	Deleted []string  // sorted; a key that was deleted and created again is in Entries, with a greater Created
	Stale   bool      // contact with the store is lost: the content may be old until an Update without Stale
	AsOf    time.Time // a local time at which the store surely held this state or a later one; it ages while nothing changes
}

// SmallestValue is how many bytes every backend takes in one value. The
// documents of a namespace have at most so many.
const SmallestValue = 256 << 10

// Caps describes the abilities of a backend. It lets the core choose sizes and
// bounds; nothing needs it to be correct.
type Caps struct {
	Driver         string        // the scheme, for messages
	StrongVersions bool          // a Version survives delete and create
	AtomicList     bool          // List, and a Reset, are one point in time
	AtomicWatch    bool          // the writes of one commit are never split over two Updates
	Digest         bool          // the store is a Digester; Portable.Digest works
	MaxOps         int           // distinct keys a transaction may name, in If and Do together
	MaxValue       int           // bytes in one value, at least SmallestValue
	MaxTxn         int           // bytes of all keys and values in one transaction
	MinTTL, MaxTTL time.Duration // sessions outside are granted the nearer of the two
	ExpiryLag      time.Duration // the longest a dead session's keys outlive the TTL of the store's URL, store leader stable; Consul's grows with the TTL
}
