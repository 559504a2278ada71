// Package memory is a store inside the process: the model of what a store is,
// for tests, for simulation and for programs of one process. It keeps nothing
// beyond the process, unless a [Journal] does.
//
// It does no I/O and no system calls, holds its one mutex over nothing that can
// block, takes all time from package time, and its goroutines end on Close: it
// runs in a testing/synctest bubble, at the bubble's time. Everything that
// shares a Server must then be made in that bubble.
//
// On request it is as nasty as the worst backend: see [Fault], [Client.Cut],
// [Client.Crash], [Server.ExpireSession], [Server.Compact],
// [Client.SlowWatches] and the options of [NewServer].
package memory

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// Server is the state that clients share: keys, revisions, sessions. All
// methods are safe for concurrent use.
type Server struct {
	caps          store.Caps
	weakVersions  bool
	firstConflict bool // a conflict names the first key only
	tornPiece     int
	tornPause     time.Duration

	// mu guards all that follows, and the state of clients, sessions and
	// watches, too: the model has one lock.
	mu      sync.Mutex
	rev     uint64 // of the last commit, or start of a session
	keys    table
	leases  map[string]*lease
	topics  map[string]*topic // by prefix; only watched ones
	touched []*topic          // scratch of publish
	history history
	journal Journal  // nil for a server that keeps nothing
	kept    *Receipt // the journal's last
	failed  error    // why the server has ended; see Fail
}

// Option changes what a Server can do.
type Option func(*Server)

// MaxOps sets Caps.MaxOps, so that tests can make transactions overflow with
// few keys. The default is 256.
func MaxOps(n int) Option { return func(s *Server) { s.caps.MaxOps = n } }

// WeakVersions makes versions start again when a key is deleted and created
// again, as ZooKeeper's do.
func WeakVersions() Option {
	return func(s *Server) { s.weakVersions, s.caps.StrongVersions = true, false }
}

// FirstConflict makes a conflict name only the first key that failed, as on
// ZooKeeper.
func FirstConflict() Option { return func(s *Server) { s.firstConflict = true } }

// NoDigest takes Caps.Digest away, as on ZooKeeper.
func NoDigest() Option { return func(s *Server) { s.caps.Digest = false } }

// TornLists makes List read n keys at a time with a pause between, so that its
// answer is no point in time, as ZooKeeper's is not. Resets of watches stay
// atomic.
func TornLists(n int, pause time.Duration) Option {
	return func(s *Server) { s.tornPiece, s.tornPause, s.caps.AtomicList = max(n, 1), pause, false }
}

// NewServer returns an empty store.
func NewServer(options ...Option) *Server {
	s := &Server{
		caps: store.Caps{
			Driver: "memory", StrongVersions: true, AtomicList: true, AtomicWatch: true, Digest: true,
			MaxOps: 256, MaxValue: 512 << 10, MaxTxn: 1 << 20,
			MinTTL: 10 * time.Millisecond, MaxTTL: 24 * time.Hour,
		},
		leases: map[string]*lease{},
		topics: map[string]*topic{},
	}
	for _, o := range options {
		o(s)
	}
	return s
}

// Connect returns a new client. The name is for humans and for hooks; it need
// not be unique.
func (s *Server) Connect(name string) *Client {
	return &Client{
		server: s, name: name, requests: map[Kind]int{},
		sessions: map[*session]bool{}, watches: map[*watch]bool{},
		down: make(chan struct{}), dead: make(chan struct{}), closed: make(chan struct{}),
	}
}

// Dump returns everything that the store holds, sorted by key.
func (s *Server) Dump() []store.Entry {
	s.mu.Lock()
	all := s.keys.below("", "", math.MaxInt)
	s.mu.Unlock()
	return entries(all)
}

// Sessions returns the IDs of the sessions that the store holds, oldest first.
func (s *Server) Sessions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := slices.SortedFunc(maps.Values(s.leases), func(a, b *lease) int { return cmp.Compare(a.token, b.token) })
	ids := make([]string, len(held))
	for i, l := range held {
		ids[i] = l.id
	}
	return ids
}

// ExpireSession ends a session as if its TTL had passed, or as an operator
// would with the backend's own tool: its ephemeral keys are gone when
// ExpireSession returns, and its client learns at once unless it is cut off.
// This is the one way in which a session can end before its Deadline. It
// reports whether the store held the session.
func (s *Server) ExpireSession(id string) bool {
	s.mu.Lock()
	l := s.leases[id]
	if l != nil {
		s.end(l, Expired, time.Now())
	}
	s.unlockAndTell()
	return l != nil
}

// Compact forgets what watches have not read yet: the next Update of each is a
// Reset.
func (s *Server) Compact() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.topics {
		t.forget()
		for _, w := range t.watches {
			w.reset = true
			w.rouse()
		}
	}
}
