package memory

import (
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// Commit is one step of the store's history.
type Commit struct {
	Cause   Cause
	Rev     uint64 // grows with every Commit; the Version of what was written, unless WeakVersions is set
	Time    time.Time
	Client  string       // the name given to Connect
	Session string       // the session of the transaction, or the one that began or ended; else empty
	If      []store.Cond // the conditions, which held
	Do      []store.Op   // what was written; for a session that ended, a Delete for each of its keys
}

// Cause is the cause of a Commit.
type Cause string

// The four causes. A transaction that writes nothing leaves no Commit.
const (
	Committed Cause = "committed" // a transaction
	Started   Cause = "started"   // a session
	Expired   Cause = "expired"   // the same: its TTL passed, or ExpireSession was called
	Ended     Cause = "ended"     // the same: its client closed it
)

// OnCommit has f called for every Commit from now on, one at a time, in the
// order of the store, before the call that caused it returns to its caller. f
// may read the store but must not write to it, and must not change what it is
// given. nil ends it.
func (s *Server) OnCommit(f func(Commit)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history.hook = f
}

// history hands commits to a hook without holding the server's mutex: one
// caller at a time does it for all.
type history struct {
	hook    func(Commit)
	untold  []Commit
	logged  uint64
	told    uint64
	telling chan struct{} // closed when the goroutine that delivers has delivered its batch; nil if none does
}

// log adds to the history if a listener is set. The caller holds s.mu.
func (s *Server) log(c Commit) {
	if s.history.hook != nil {
		s.history.untold = append(s.history.untold, c)
		s.history.logged++
	}
}

// unlockAndTell releases s.mu and returns when the hook has had everything that
// was logged until now.
func (s *Server) unlockAndTell() {
	h := &s.history
	for mine := h.logged; h.told < mine; {
		if others := h.telling; others != nil {
			s.mu.Unlock()
			<-others
			s.mu.Lock()
			continue
		}
		hook, batch := h.hook, h.untold
		h.untold, h.telling = nil, make(chan struct{})
		s.mu.Unlock()
		if hook != nil {
			for _, c := range batch {
				hook(c)
			}
		}
		s.mu.Lock()
		h.told += uint64(len(batch))
		close(h.telling)
		h.telling = nil
	}
	s.mu.Unlock()
}
