package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/elasticjob-go/elastic/internal/layout"
)

// Remove removes a job. Nothing of it begins after Remove has returned, and
// what runs finishes. The store keeps what is needed to restore it for seven
// days. Programs that have the job do not make it again.
//
// A job that others follow is refused without [Force]: they would not run any
// more. Remove sends six lists, three gets and a commit.
func (c *Client) Remove(ctx context.Context, job string, opts ...ActOption) (Receipt, error) {
	return c.do(
		ctx,
		act{name: "remove", repeats: true, plan: func(ctx context.Context, o options, at moment) (plan, error) {
			s, err := c.readJob(ctx, job)
			if err != nil {
				return plan{}, err
			}
			if s.version != 0 && s.err == nil && s.doc.State == layout.JobRemoved {
				return plan{target: job, rev: s.doc.Rev}, nil
			}
			if _, err := s.present(); err != nil {
				return plan{}, err
			}
			if err := s.expect(o); err != nil {
				return plan{}, err
			}
			v, err := c.fleet(ctx)
			if err != nil {
				return plan{}, err
			}
			if follow := v.followers(job); len(follow) > 0 && !o.force {
				return plan{}, fmt.Errorf(
					"%w: %v follow it and would not run any more; change them first, or force it",
					ErrRefused,
					follow,
				)
			}
			e, err := c.get(ctx, layout.AssignmentKey(job))
			if err != nil {
				return plan{}, err
			}
			var last *layout.Assignment
			if a, err := layout.DecodeAssignment(e.Value); err == nil {
				last = &a
			}
			p, err := c.over(ctx, s, s.doc.Removed(last, layout.Changed{By: c.by, At: at.Time, Via: c.via}))
			p.changes = []layout.Change{{Field: "job", Old: "present", New: "removed"}}
			return p, err
		}},
		job,
		opts,
	)
}

// followers returns the jobs that follow a job.
func (v *fleetView) followers(job string) []string {
	var names []string
	for _, j := range v.jobs {
		if j.Spec != nil && slices.Contains(j.Spec.After, job) {
			names = append(names, j.Name)
		}
	}
	return names
}

// Restore brings a job back that was removed. It is disabled, so that nothing
// begins before someone has looked at it; with [Force] it is as it was. Its
// schedule counts from now. Restore sends two lists, two gets and a commit.
func (c *Client) Restore(ctx context.Context, job string, opts ...ActOption) (Receipt, error) {
	return c.do(ctx, act{name: "restore", plan: func(ctx context.Context, o options, at moment) (plan, error) {
		s, err := c.readJob(ctx, job)
		switch {
		case err != nil:
			return plan{}, err
		case s.version == 0:
			return plan{}, fmt.Errorf("there is no such job, and none that was removed: %w", ErrNotFound)
		case s.err != nil:
			return plan{}, s.err
		case s.doc.State == layout.JobPresent:
			return plan{}, fmt.Errorf("it %w: it was not removed", ErrExists)
		case s.doc.State != layout.JobRemoved:
			return plan{}, fmt.Errorf(
				"%w: its state is %s, and only a job that was removed can be restored",
				ErrRefused,
				s.doc.State,
			)
		case s.doc.Spec == nil:
			return plan{}, fmt.Errorf("%w: nothing is known of it; apply it again", ErrRefused)
		}
		if err := s.expect(o); err != nil {
			return plan{}, err
		}
		spec := *s.doc.Spec
		spec.Disabled = spec.Disabled || !o.force
		spec = spec.Replaces(*s.doc.Spec, at.Time).From(at.Time)
		p, err := c.over(ctx, s, s.doc.With(spec, layout.Changed{}))
		p.changes = []layout.Change{{Field: "job", Old: "removed", New: "present"}}
		if spec.Disabled {
			p.consequences = []string{"the job is disabled; enable it when it may run"}
		}
		return p, err
	}}, job, opts)
}
