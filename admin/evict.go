package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/internal/fleet"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// Evict declares an instance dead: its keys are deleted, and other instances
// take its runs over where failover is on. If it lives, it learns of that, its
// handlers are cancelled, and it joins again under a new ID; until then only
// fences keep its runs apart from those of its successors.
//
// An instance whose heartbeat is younger than two periods, two minutes, is
// refused without [Force]: it lives. The target is an ID. Evict sends two
// lists, two gets and a commit.
func (c *Client) Evict(ctx context.Context, id string, opts ...ActOption) (Receipt, error) {
	plan := func(ctx context.Context, o options, at moment) (plan, error) { return c.planEvict(ctx, id, o, at) }
	return c.do(ctx, act{name: "evict", repeats: true, plan: plan}, id, opts)
}

func (c *Client) planEvict(ctx context.Context, id string, o options, at moment) (plan, error) {
	if err := layout.CheckID(id); err != nil {
		return plan{}, invalid("the ID of an instance %w", err)
	}
	i := at.fleet.Instance(id)
	if i == nil {
		return plan{}, fmt.Errorf("there is no such instance: %w", ErrNotFound)
	}
	p := plan{
		target:     id,
		conditions: []store.Cond{store.At(layout.InstanceKey(id), i.Version)},
		changes:    []layout.Change{{Field: "instance", Old: "live", New: "evicted"}},
	}
	ops := []store.Op{store.Delete(layout.InstanceKey(id))}
	var beat time.Time
	for _, key := range []string{layout.HeartbeatKey(id), layout.ClockKey(id)} {
		e, err := c.get(ctx, key)
		if err != nil {
			return plan{}, err
		}
		if e.Version == 0 {
			continue
		}
		// A heartbeat in between says that it lives, and refuses this.
		p.conditions = append(p.conditions, store.At(key, e.Version))
		ops = append(ops, store.Delete(key))
		if h, err := layout.DecodeHeartbeat(e.Value); err == nil && key == layout.HeartbeatKey(id) {
			beat = h.Clock
		}
	}
	if age := at.Sub(beat); !beat.IsZero() && age < oldestClock && !o.force {
		return plan{}, fmt.Errorf("%w: its last heartbeat is %s old, so it lives; make it leave, or force it",
			ErrRefused, max(age, 0).Round(time.Second))
	}
	owned, err := c.ownedBy(ctx, id)
	if err != nil {
		return plan{}, err
	}
	p.consequences = []string{
		fmt.Sprintf("%s move; its runs are repeated by others where failover is on, and abandoned otherwise",
			fleet.Counted(owned, "shard")),
	}
	p.ops = func(layout.Changed) []store.Op { return ops }
	return p, nil
}

// ownedBy returns how many shards an instance owns. It sends a list.
func (c *Client) ownedBy(ctx context.Context, id string) (int, error) {
	read, err := c.lists(ctx, layout.Assignments)
	if err != nil {
		return 0, err
	}
	return fleet.Owned(read[0])[id], nil
}
