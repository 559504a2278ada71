package sessions

import (
	"errors"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// Guard is the version of a session's marker, as far as the session knows. It
// makes outcomes final that a lost answer has left unknown.
//
// A session has a marker in the store, which no other client writes. Each of
// its transactions is conditional on the version of the marker that the session
// knows. When the answer to one is lost, the marker is moved on before the
// caller is told, and no copy that is still on its way can commit afterwards:
// not even when another client has gone on from its absence.
//
// Its zero value needs a version, by Store, before the first transaction. It is
// safe for concurrent use.
type Guard[V comparable] struct {
	sealing sync.Mutex // held by the one that moves the marker

	mu sync.Mutex
	at V
}

// Load returns the version that a transaction is to be conditional on.
func (g *Guard[V]) Load() V {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.at
}

// Store takes note of where the marker is.
func (g *Guard[V]) Store(at V) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at = at
}

// Learn takes note of where a transaction was told that the marker is, which
// was conditional on another version: the lost answer to the seal of another
// transaction has moved it. What has been learnt since is newer, and stays.
func (g *Guard[V]) Learn(thought, at V) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.at == thought {
		g.at = at
	}
}

// Seal moves a session's marker on from a version, and so makes every
// transaction that is conditional on that version fail. It returns where the
// marker is once the store has acknowledged that, or else ErrSessionLost, when
// the session is over, which comes to the same. It may be called for several
// transactions at once, and one write serves them all.
//
// move writes the marker if it is at a version, and returns where it is then.
// Another version than that is of an earlier attempt whose answer was lost, and
// as good. It is called until it succeeds; its ErrSessionLost says that the
// marker is gone, or will never be moved, and ends the session. A late copy of
// an attempt does no harm: it does what the next one does.
func (g *Guard[V]) Seal(life *Lifetime, ttl time.Duration, from V, move func(from V) (V, error)) (V, error) {
	g.sealing.Lock()
	defer g.sealing.Unlock()
	for pause := Retry(ttl); life.Err() == nil; pause.Wait(life.Context()) {
		if at := g.Load(); at != from {
			return at, nil
		}
		at, err := move(from)
		switch {
		case err == nil:
			g.Store(at)
			return at, nil
		case errors.Is(err, store.ErrSessionLost):
			life.End(store.ErrSessionLost)
		}
	}
	var none V
	return none, store.ErrSessionLost
}
