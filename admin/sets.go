package admin

import (
	"context"
	"slices"

	"github.com/elasticjob-go/elastic/internal/fleet"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// namespace returns the namespace with these entries below instances/ and
// cordons/. The sets of jobs that they name never change, so each is read once:
// one list a program.
func (c *Client) namespace(ctx context.Context, entries, cordons []store.Entry) (*fleet.Namespace, error) {
	var named []string
	for _, e := range entries {
		if i, err := layout.DecodeInstance(e.Value); err == nil {
			named = append(named, i.Sets...)
		}
	}
	slices.Sort(named)
	named = slices.Compact(named)
	c.setsMu.Lock()
	known := make(layout.Sets, len(named))
	var prefixes []string
	for _, hash := range named {
		if set, ok := c.sets[hash]; ok {
			known[hash] = set
		} else {
			prefixes = append(prefixes, layout.SetsOf(hash))
		}
	}
	c.setsMu.Unlock()
	lists, err := c.lists(ctx, prefixes...)
	if err != nil {
		return nil, err
	}
	for hash, set := range layout.DecodeJobSets(slices.Concat(lists...)) {
		known[hash] = set
	}
	c.setsMu.Lock()
	c.sets = known // those that no instance names any more are forgotten
	c.setsMu.Unlock()
	return fleet.NewNamespace(entries, cordons, known), nil
}
