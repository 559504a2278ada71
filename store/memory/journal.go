package memory

import (
	"fmt"

	"github.com/elasticjob-go/elastic/store"
)

// Journal keeps what a Server holds beyond the process. The Server itself still
// does no I/O.
type Journal interface {
	// Append is given every change of the lasting keys, in the order of the
	// store, with the server's lock held: it must neither block nor use the
	// server, and nothing in the record may be changed, then or later. The
	// receipt is settled once this record and all before it are kept, or can't
	// be; one receipt may stand for several records. After one that failed,
	// Append is not called again.
	Append(Record) *Receipt
}

// Record is one commit as a Journal keeps it. What Journaled starts from is
// one, too.
type Record struct {
	Rev    uint64        // greater than that of the record before; no Version, Created or Token so far is greater
	Put    []store.Entry // lasting keys only: an ephemeral key does not outlive the process, as its session does not
	Delete []string      // keys that are gone, if they were there
}

// Receipt says when a Record is kept.
type Receipt struct {
	done chan struct{}
	err  error // to be read when done is closed
}

// NewReceipt returns a receipt that is not settled.
func NewReceipt() *Receipt { return &Receipt{done: make(chan struct{})} }

// Settle says that the record is kept or, with an error, that it is unknown
// whether it is. It must be called once.
func (r *Receipt) Settle(err error) {
	r.err = err
	close(r.done)
}

func (r *Receipt) settled() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// Journaled makes the server start with what a journal has kept, and give j
// each change from now on.
//
// Nothing leaves the server before all that it rests on is kept: not the answer
// to a commit, not what a read, a conflict or a watch shows of one. Calls wait
// for that together, and a wait ends with the call's context. A Commit that has
// been executed is then ErrUnknown, and no seal is needed: what a later read
// shows is final, because it waits. Only renewals of sessions wait for nothing.
//
// When j fails to keep a record the server ends for all its clients, as after
// [Server.Fail]: calls under way are ErrUnknown or ErrEnded.
func Journaled(j Journal, from Record) Option {
	return func(s *Server) {
		s.journal, s.rev = j, from.Rev
		for _, e := range from.Put {
			s.keys.put(&record{
				key:     e.Key,
				value:   e.Value,
				version: e.Version,
				rev:     s.rev,
				created: e.Created,
			})
		}
	}
}

// keep gives the journal, if there is one, what a commit has changed. The
// caller holds s.mu.
func (s *Server) keep(changes []change) {
	if s.journal == nil {
		return
	}
	r := Record{Rev: s.rev}
	for _, c := range changes {
		switch {
		case c.record == nil:
			r.Delete = append(r.Delete, c.key)
		case c.record.lease == nil:
			r.Put = append(r.Put, store.Entry{
				Key: c.key, Value: c.record.value, Version: c.record.version, Created: c.record.created,
			})
		}
	}
	s.kept = s.journal.Append(r)
}

// unkept returns what to wait for until all that the server holds is kept; nil
// is nothing. The caller holds s.mu.
func (s *Server) unkept() *Receipt {
	if s.kept == nil || s.kept.settled() && s.kept.err == nil {
		return nil
	}
	return s.kept
}

// Fail ends the server for good, for a reason. All later calls of its clients
// return [store.ErrEnded] with that reason, sessions are not renewed, and
// watches say Stale and then end with ErrEnded. What the server held stays as
// it is. Only the first reason counts.
func (s *Server) Fail(reason error) {
	s.mu.Lock()
	if s.failed == nil {
		s.failed = reason
	}
	s.mu.Unlock()
	s.rouseWatches()
}

// lost returns an error once the server or its journal has failed. The caller
// holds s.mu.
func (s *Server) lost() error {
	switch {
	case s.failed != nil:
		return fmt.Errorf("%w: %w", store.ErrEnded, s.failed)
	case s.kept == nil || !s.kept.settled() || s.kept.err == nil:
		return nil
	default:
		return fmt.Errorf("%w: %w", store.ErrEnded, s.kept.err)
	}
}

// rouseWatches lets all watches see that the server has failed.
func (s *Server) rouseWatches() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.topics {
		for _, w := range t.watches {
			w.rouse()
		}
	}
}
