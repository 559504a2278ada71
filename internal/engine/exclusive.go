package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// ErrNameTaken ends Run of an instance whose exclusive name another has taken.
var ErrNameTaken = errors.New("another process was started under this instance's exclusive name, and has taken its place: give each a name of its own")

// ownIDs are the IDs under which a process has tried to join.
type ownIDs struct {
	tried  []string
	joined bool // it did, once at least
}

// predecessors returns the deletions that make room for an instance with an exclusive name: those of the keys of whoever has it
// already. The first time that is a process which is gone, or is to go; its runs are taken over without waiting for its session
// to expire. When this process joins again only its own former keys are in the way: another's means that the other came later, and
// of two that evict each other for ever nobody has anything.
//
// Each is compared with what was seen: one that gave a sign of life since, or
// left, is looked at again.
func (e *Engine) predecessors(ctx context.Context, own *ownIDs) (evict []store.Op, seen []store.Cond, err error) {
	if !e.cfg.Exclusive {
		return nil, nil, nil
	}
	entries, err := e.cfg.Store.List(ctx, layout.Instances)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		id, ok := layout.NameOf(layout.Instances, entry.Key)
		if !ok {
			continue
		}
		doc, err := layout.DecodeInstance(entry.Value)
		if err != nil || doc.Name != e.cfg.Name || !doc.Exclusive {
			continue
		}
		if own.joined && !slices.Contains(own.tried, id) {
			return nil, nil, fmt.Errorf("instance %s: %w", e.cfg.Name, ErrNameTaken)
		}
		evict = append(evict, store.Delete(entry.Key))
		seen = append(seen, store.At(entry.Key, entry.Version))
		for _, key := range []string{layout.HeartbeatKey(id), layout.ClockKey(id)} {
			sign, err := e.cfg.Store.Get(ctx, key)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			evict = append(evict, store.Delete(key))
			seen = append(seen, store.At(key, sign.Version))
		}
	}
	return evict, seen, nil
}

// fail ends the engine: there is nothing to wait for.
func (e *Engine) fail(err error) {
	e.failed = err
	e.drain.on, e.drain.over = true, true
}
