package engine

import (
	"context"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// A resync that lists all keys costs megabytes a minute in a large namespace, to
// find that a watch has shown everything. So a prefix with many keys is listed
// only where its digest differs from the one at which a list agreed with the
// replica. A store without digests is listed in one period of ten.

const (
	// listedAlways is the number of keys up to which a prefix is listed in each
	// period: a digest costs a request as well.
	listedAlways = 64

	// listedEach is in how many periods a prefix is listed once, where the store
	// has no digests.
	listedEach = 10
)

// agreement is a moment at which a list agreed with the replica.
type agreement struct {
	digest store.Digest
	moved  uint64 // of the prefix
}

// resyncing is the work of the goroutine that compares the replica with the
// store.
type resyncing struct {
	engine *Engine
	agreed map[string]agreement // by prefix
	round  int                  // periods so far, from a random one
}

func newResyncing(e *Engine) *resyncing {
	return &resyncing{engine: e, agreed: map[string]agreement{}, round: int(e.random(listedEach))}
}

// prefixState is what the loop knows of a prefix.
type prefixState struct {
	keys  int
	moved uint64
}

// compare compares a prefix, or finds that this is not needed.
func (r *resyncing) compare(ctx context.Context, number int, prefix string) {
	e := r.engine
	asOf := time.Now()
	have, ok := onLoop(ctx, e, func() prefixState {
		return prefixState{len(e.replica.entries[prefix]), e.replica.moved[prefix]}
	})
	if !ok {
		return
	}
	var digest store.Digest
	digested := false
	if have.keys > listedAlways {
		digester, has := e.cfg.Store.(store.Digester)
		has = has && e.cfg.Store.Caps().Digest
		if !has && (r.round+number)%listedEach != 0 {
			return
		}
		if has {
			var err error
			digest, err = digester.Digest(ctx, prefix)
			digested = err == nil
		}
	}
	last, agreed := r.agreed[prefix]
	if digested && agreed && last == (agreement{digest, have.moved}) {
		e.post(func() { e.meter.confirmed(prefix, asOf) })
		return
	}
	entries, err := e.cfg.Store.List(ctx, prefix)
	if err != nil {
		return
	}
	delete(r.agreed, prefix)
	same, ok := onLoop(ctx, e, func() agreedAt {
		return agreedAt{e.compare(prefix, entries, asOf), e.replica.moved[prefix]}
	})
	if ok && same.agreed && digested {
		r.agreed[prefix] = agreement{digest, same.moved}
	}
}

// agreedAt is the answer of the loop to a list.
type agreedAt struct {
	agreed bool
	moved  uint64
}

// onLoop returns what f returns on the loop, or false if ctx or the engine ends
// before.
func onLoop[T any](ctx context.Context, e *Engine, f func() T) (T, bool) {
	answer := make(chan T, 1)
	e.post(func() { answer <- f() })
	select {
	case v := <-answer:
		return v, true
	case <-ctx.Done():
	case <-e.stopped:
	}
	var none T
	return none, false
}
