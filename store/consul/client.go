package consul

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/atomicmax"
	"github.com/elasticjob-go/elastic/store/internal/closer"
)

// client is a store: a namespace of a Consul data centre.
type client struct {
	hosts *hosts
	token *token
	keys  keyspace
	caps  store.Caps

	// namespace and partition of Consul Enterprise, which transactions name in
	// each operation.
	namespace, partition string

	// Fixed but for tests.
	timeout              time.Duration // of what no caller bounds
	wait                 time.Duration // see wait
	probeEvery, patience time.Duration // see probeEvery
	silence              time.Duration // see silence
	leaderEvery          time.Duration // see leaderEvery

	index  atomic.Uint64 // the highest that Consul has told us
	lastly atomic.Int64  // when Consul was heard of last, counted from epoch

	running *closer.Set[*watch]
	probing sync.Once // begins with the first watch
}

// Consul's own limits: 128 operations, of which the guard takes one and each
// key up to two (what must hold for it, and the write); 512 KiB for the body of
// a request, which is JSON with the values in base64 (4/3), and in which each
// key appears up to twice. So 63 keys of the longest, twice, with the longest
// namespace, leave 270 KiB for their values. Names that must be escaped take up
// to three times their size; a body that is too large for that is refused
// before it is sent, see plan.size.
const (
	maxOps   = 63
	maxValue = 256 << 10
	maxTxn   = 320 << 10
	maxBody  = 512 << 10
)

// maxTTL is Consul's.
const maxTTL = 24 * time.Hour

// capsFor says what a server can do that grants sessions from a TTL on, to a
// store whose sessions have another by default.
func capsFor(least, ttl time.Duration) store.Caps {
	if ttl <= 0 {
		ttl = store.DefaultTTL
	}
	return store.Caps{
		Driver:         "consul",
		StrongVersions: true,
		AtomicList:     true,
		AtomicWatch:    true,
		Digest:         true,
		MaxOps:         maxOps,
		MaxValue:       maxValue,
		MaxTxn:         maxTxn,
		MinTTL:         least,
		MaxTTL:         maxTTL,
		// Consul ends a session when twice its TTL has passed
		// (structs.SessionTTLMultiplier), by a commit like any other.
		ExpiryLag: min(max(ttl, least), maxTTL) + time.Second,
	}
}

// Caps tells what Consul can do.
func (s *client) Caps() store.Caps { return s.caps }

// Close ends sessions and watches, then the connections.
func (s *client) Close(ctx context.Context) error {
	err := s.running.Close(ctx)
	s.hosts.close()
	return err
}

var epoch = time.Now()

// heard takes note of an answer of a host, which is a sign of life of the
// leader.
func (s *client) heard(h *host) {
	now := int64(time.Since(epoch))
	atomicmax.Raise(&h.answered, now)
	atomicmax.Raise(&s.lastly, now)
}

// quietFor is how long ago the last sign of life was.
func (s *client) quietFor() time.Duration { return time.Since(epoch) - time.Duration(s.lastly.Load()) }

// saw takes note of an index in a reply: whatever is sent from now on is
// applied at a higher one.
func (s *client) saw(index uint64) { atomicmax.Raise(&s.index, index) }
