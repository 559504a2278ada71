package elastic

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// Update changes a job in the store. change gets the stored job with its
// defaults, and changes it in place; it must not keep it. If another writer is
// faster, change is called again with what that writer stored, so it should set
// only the fields that it is about. If change returns an error, or changes
// nothing, nothing is written.
//
// When Update returns nil, the store has the change, and it holds for every
// run that begins from then on: see [Overwrite] for what a change means for
// fires of the past. After an error that is store.ErrUnknown the change may
// have been made; after any other error it was not.
//
// All faults of the changed job are reported together. The name can't be
// changed. The error is [ErrNoJob] if there is no such job. A job that was
// added here is waited for until it is in the store. While this instance has
// no session, Update waits until ctx ends. It waits five seconds for Run to
// begin. A closed scheduler returns [ErrClosed].
func (s *Scheduler) Update(ctx context.Context, name string, change func(*Job) error) error {
	if change == nil {
		return fmt.Errorf("update job %q: the function is nil", name)
	}
	return s.changeSpec(ctx, "update", name, func(spec layout.Spec, now time.Time) (layout.Spec, error) {
		job := jobOf(name, spec)
		if err := change(&job); err != nil {
			return spec, err
		}
		if job.Name != name {
			return spec, fmt.Errorf(
				"the name can't be changed, to %.100q; add another job, and remove this one",
				job.Name,
			)
		}
		if err := job.faults(s.strategy).Err(); err != nil {
			return spec, fmt.Errorf("it would not be valid:\n%w", err)
		}
		next := job.spec()
		if next.Schedule != spec.Schedule || !next.End.Equal(spec.End) {
			if err := next.Fires(now); err != nil {
				return spec, fmt.Errorf("schedule: %w", err)
			}
		}
		return next, nil
	})
}

// Disable stops a job from beginning runs, on all instances. None begins after
// Disable has returned nil. Runs in progress finish. See Update.
func (s *Scheduler) Disable(ctx context.Context, name string) error {
	return s.changeSpec(ctx, "disable", name, func(spec layout.Spec, _ time.Time) (layout.Spec, error) {
		spec.Disabled = true
		return spec, nil
	})
}

// Enable lets a job begin runs again, for the fires from now on. See Update.
func (s *Scheduler) Enable(ctx context.Context, name string) error {
	return s.changeSpec(ctx, "enable", name, func(spec layout.Spec, _ time.Time) (layout.Spec, error) {
		spec.Disabled = false
		return spec, nil
	})
}

// RemoveJob removes a job from the store, for all instances. Nothing of it
// begins after RemoveJob has returned nil, and what runs finishes. The job
// stays removed: Add does not bring it back, also with [Overwrite]. For seven
// days an operator can restore it. [Scheduler.Unregister] only ends the part
// of this instance.
//
// A job that others follow is refused. See Update for the rest.
func (s *Scheduler) RemoveJob(ctx context.Context, name string) error {
	return s.change(ctx, "remove", name, func(doc layout.Job, now time.Time) (layout.Job, error) {
		followers, err := s.engine.Followers(ctx, name)
		if err != nil {
			return doc, err
		}
		if len(followers) > 0 {
			return doc, fmt.Errorf("%s would not run any more, because they follow it; change them first",
				strings.Join(followers, ", "))
		}
		last, err := s.engine.LastAssignment(ctx, name)
		if err != nil {
			return doc, err
		}
		return doc.Removed(last, layout.Changed{At: now}), nil
	})
}

// changeSpec changes the spec of a job.
func (s *Scheduler) changeSpec(
	ctx context.Context,
	what, name string,
	change func(spec layout.Spec, now time.Time) (layout.Spec, error),
) error {
	return s.change(ctx, what, name, func(doc layout.Job, now time.Time) (layout.Job, error) {
		old := *doc.Spec
		next, err := change(old, now)
		if err != nil || next.Same(old) {
			return doc, err
		}
		next = next.Replaces(old, now)
		if err := next.Check(); err != nil {
			return doc, err
		}
		return doc.With(next, layout.Changed{}), nil
	})
}

func (s *Scheduler) change(
	ctx context.Context,
	what, name string,
	change func(doc layout.Job, now time.Time) (layout.Job, error),
) error {
	err := s.awaitRun(ctx)
	if err == nil {
		err = layout.CheckName(name)
	}
	if err == nil {
		err = s.engine.ChangeJob(ctx, name, change)
	}
	if errors.Is(err, engine.ErrStopped) {
		err = ErrClosed
	}
	if err != nil {
		return fmt.Errorf("%s job %.100q: %w", what, name, err)
	}
	return nil
}
