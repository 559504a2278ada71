package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/elasticjob-go/elastic/internal/layout"
)

// Disable stops a job from beginning runs: none begins after Disable has
// returned. Runs in progress finish. It sends two lists, two gets and a commit.
func (c *Client) Disable(ctx context.Context, job string, opts ...ActOption) (Receipt, error) {
	return c.change(ctx, "disable", job, opts, func(s *layout.Spec) error {
		s.Disabled = true
		return nil
	})
}

// Enable lets a job begin runs again: the fires from now on. It costs as much
// as Disable.
func (c *Client) Enable(ctx context.Context, job string, opts ...ActOption) (Receipt, error) {
	return c.change(ctx, "enable", job, opts, func(s *layout.Spec) error {
		s.Disabled = false
		return nil
	})
}

// DisableShards stops shards of a job from beginning runs. It costs as much as
// Disable.
func (c *Client) DisableShards(ctx context.Context, job string, shards []int, opts ...ActOption) (Receipt, error) {
	return c.change(ctx, "disable-shards", job, opts, func(s *layout.Spec) error {
		if err := checkShards(*s, shards); err != nil {
			return err
		}
		all := append(slices.Clone(s.DisabledShards), shards...)
		slices.Sort(all)
		s.DisabledShards = slices.Compact(all)
		return nil
	})
}

// EnableShards lets shards of a job begin runs again. It costs as much as
// Disable.
func (c *Client) EnableShards(ctx context.Context, job string, shards []int, opts ...ActOption) (Receipt, error) {
	return c.change(ctx, "enable-shards", job, opts, func(s *layout.Spec) error {
		if err := checkShards(*s, shards); err != nil {
			return err
		}
		s.DisabledShards = slices.DeleteFunc(slices.Clone(s.DisabledShards), func(shard int) bool {
			return slices.Contains(shards, shard)
		})
		return nil
	})
}

func checkShards(s layout.Spec, shards []int) error {
	switch {
	case s.Broadcast():
		return fmt.Errorf("it %w: its shards come and go with the instances, and can't be named", ErrBroadcast)
	case len(shards) == 0:
		return invalid("name at least one shard")
	case slices.Min(shards) < 0 || slices.Max(shards) >= s.Shards:
		return invalid("the shards must be 0 to %d, are %d to %d", s.Shards-1, slices.Min(shards), slices.Max(shards))
	}
	return nil
}

// change does an act that changes the spec in a way that does not depend on the
// rest of it.
func (c *Client) change(
	ctx context.Context,
	name, job string,
	opts []ActOption,
	f func(*layout.Spec) error,
) (Receipt, error) {
	return c.do(
		ctx,
		act{name: name, repeats: true, plan: func(ctx context.Context, o options, at moment) (plan, error) {
			s, err := c.readJob(ctx, job)
			if err != nil {
				return plan{}, err
			}
			spec, err := s.present()
			if err != nil {
				return plan{}, err
			}
			if err := s.expect(o); err != nil {
				return plan{}, err
			}
			if err := f(&spec); err != nil {
				return plan{}, err
			}
			return c.edit(ctx, s, spec, at.Time)
		}},
		job,
		opts,
	)
}
