package admin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/faults"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// Apply stores a job: it creates the job, or replaces the stored one. A change
// begins nothing by itself; see [elastic.Overwrite]. A job that was removed is
// refused with [ErrRemoved], unless nothing is known of it. It is not repeated
// after a conflict: the error is then [ErrChanged].
//
// The strategy of the job can be one of the program's own, which is not checked
// here. Apply sends two lists, three gets at most, and a commit.
func (c *Client) Apply(ctx context.Context, job elastic.Job, opts ...ActOption) (Receipt, error) {
	return c.do(ctx, act{name: "apply", plan: func(ctx context.Context, o options, at moment) (plan, error) {
		spec, err := validJob(job)
		if err != nil {
			return plan{}, err
		}
		s, err := c.readJob(ctx, job.Name)
		if err != nil {
			return plan{}, err
		}
		if err := s.expect(o); err != nil {
			return plan{}, err
		}
		lost := s.version != 0 && s.err == nil && s.doc.State == layout.JobRemoved && s.doc.Spec == nil
		if s.version == 0 || lost {
			return c.create(s, spec, at.Time)
		}
		old, err := s.present()
		if err != nil {
			return plan{}, err
		}
		if old.Schedule != spec.Schedule || !old.End.Equal(spec.End) {
			if err := spec.Fires(at.Time); err != nil {
				return plan{}, invalid("schedule: %w", err)
			}
		}
		p, err := c.edit(ctx, s, spec, at.Time)
		if err != nil || p.ops == nil {
			return p, err
		}
		p.consequences, p.warnings, err = c.consequences(ctx, job.Name, &old, spec, at)
		return p, err
	}}, job.Name, opts)
}

// validJob returns the spec of a job, or all its faults. Whether its strategy
// is one of the program's own only the program knows.
func validJob(job elastic.Job) (layout.Spec, error) {
	err := job.Validate()
	if slices.ContainsFunc(faults.All(err), func(f *faults.Fault) bool { return !f.Local }) {
		return layout.Spec{}, invalidFields(err)
	}
	return specOf(job)
}

// create returns the plan that puts a job into the store, also over a tombstone
// that holds no spec.
func (c *Client) create(s stored, spec layout.Spec, at time.Time) (plan, error) {
	if err := spec.Fires(at); err != nil {
		return plan{}, invalid("schedule: %w", err)
	}
	spec = spec.From(at)
	if err := checkSpec(spec); err != nil {
		return plan{}, err
	}
	key := layout.JobKey(s.name)
	p := plan{target: s.name, rev: s.doc.Rev + 1, changes: []layout.Change{{Field: "job", New: "created"}}}
	p.ops = func(by layout.Changed) []store.Op {
		if s.version == 0 {
			return []store.Op{store.Create(key, layout.NewJob(spec, by).Encode())}
		}
		return []store.Op{store.Set(key, s.doc.With(spec, by).Encode())}
	}
	if s.version != 0 {
		p.conditions = []store.Cond{store.At(key, s.version)}
	}
	return p, nil
}

// Rollback gives a job the spec of an earlier revision, as a new one. Eight
// earlier revisions are kept. It is not repeated after a conflict. It sends
// two lists, four gets and a commit at most.
func (c *Client) Rollback(ctx context.Context, job string, rev uint64, opts ...ActOption) (Receipt, error) {
	return c.do(ctx, act{name: "rollback", plan: func(ctx context.Context, o options, at moment) (plan, error) {
		s, err := c.readJob(ctx, job)
		if err != nil {
			return plan{}, err
		}
		old, err := s.present()
		if err != nil {
			return plan{}, err
		}
		if err := s.expect(o); err != nil {
			return plan{}, err
		}
		e, err := c.get(ctx, layout.RevisionKey(job, rev))
		if err != nil {
			return plan{}, err
		}
		doc, err := layout.DecodeJob(e.Value)
		switch {
		case e.Version == 0, err == nil && doc.Rev != rev:
			return plan{}, fmt.Errorf(
				"revision %d is not kept: %w; it has revision %d, and up to 8 earlier ones are",
				rev,
				ErrNotFound,
				s.doc.Rev,
			)
		case err != nil:
			return plan{}, &UnreadableError{e.Key, err}
		case doc.Spec == nil:
			return plan{}, invalid("revision %d holds no job", rev)
		}
		p, err := c.edit(ctx, s, *doc.Spec, at.Time)
		if err != nil || p.ops == nil {
			return p, err
		}
		p.consequences, p.warnings, err = c.consequences(ctx, job, &old, *doc.Spec, at)
		return p, err
	}}, job, opts)
}

// consequences says in words what follows from a change of a job. It sends a
// get.
func (c *Client) consequences(
	ctx context.Context,
	name string,
	old *layout.Spec,
	spec layout.Spec,
	at moment,
) (then, warn []string, _ error) {
	assignment, err := c.get(ctx, layout.AssignmentKey(name))
	if err != nil {
		return nil, nil, err
	}
	then, warn = at.fleet.Consequences(name, assignment, *old, spec.Replaces(*old, at.Time), at.Time)
	return then, warn, nil
}
