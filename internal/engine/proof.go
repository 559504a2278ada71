package engine

import (
	"context"
	"errors"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// prove finds out by a linearizable read whether an instance is dead. Its ID never comes back, so if its key is absent the
// answer holds for ever. Shards that ask for the same instance share the read.
func (e *Engine) prove(s *shard, id string) {
	if s.proving == id {
		return
	}
	s.proving = id
	waiting := e.proofs[id]
	e.proofs[id] = append(waiting, s)
	if len(waiting) > 0 {
		return
	}
	e.background(func(ctx context.Context) {
		_, err := e.cfg.Store.Get(ctx, layout.InstanceKey(id))
		e.post(func() { e.proven(id, err) })
	})
}

func (e *Engine) proven(id string, err error) {
	shards := e.proofs[id]
	delete(e.proofs, id)
	again := func() {
		for _, s := range shards {
			s.proving = ""
			e.mark(s)
		}
	}
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrInvalid): // no instance can have an ID that is no key
		if len(e.dead) >= rememberedDead {
			clear(e.dead) // they are proven again when they are asked for
		}
		e.dead[id] = time.Now()
		e.worked(&e.reading, layout.InstanceKey(id))
		again()
	case err == nil:
		e.worked(&e.reading, layout.InstanceKey(id))
		e.after(proveAgain, again) // it lives; the watch has not shown it yet
	default:
		if ended(err) {
			e.end(err)
			return
		}
		key := layout.InstanceKey(id)
		pause := e.troubled(&e.reading, []string{key}, observe.Event{
			Subject: key,
			Args:    map[string]string{"operation": "read"},
			Detail:  "read an instance",
			Err:     err,
		})
		e.after(pause, again)
	}
}

// rememberedDead bounds how many proofs are kept.
const rememberedDead = 1000

// proveAgain is the time after which an instance that the watch has not shown is asked for again.
const proveAgain = time.Second
