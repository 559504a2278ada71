package elastic

import (
	"context"
	"fmt"

	"github.com/elasticjob-go/elastic/internal/layout"
)

// Trigger asks for a run of a job outside its schedule, and returns the trigger's number, which handlers see as [Shard.Trigger].
//
// Every shard that it is for begins it once, as soon as it is idle, before whatever the schedule has due; triggers of a job run in
// the order of their numbers, and at most 20 may wait. The store keeps them, so a trigger is run whatever becomes of the instances,
// and a run of it is taken over, abandoned or handed over as any other. It changes nothing about the schedule's fires. If the job's
// number of shards changes, shards that have not begun it by then don't: all that run a trigger must agree on how the work is
// divided.
//
// Trigger may be called from Run's beginning to its end; while the instance has no session it waits for one, until ctx ends. The job
// must be in the store and enabled; this instance need not have it. An error that is [store.ErrUnknown] means that the trigger
// may have been given; after any other it was not.
//
// [store.ErrUnknown]: https://pkg.go.dev/github.com/elasticjob-go/elastic/store#ErrUnknown
func (s *Scheduler) Trigger(ctx context.Context, job string, options ...TriggerOption) (uint64, error) {
	s.mu.Lock()
	runs := s.ran && !s.closed
	s.mu.Unlock()
	if !runs {
		return 0, fmt.Errorf("trigger job %q: the scheduler does not run", job)
	}
	if err := layout.CheckName(job); err != nil {
		return 0, fmt.Errorf("trigger job %q: its name %w", job, err)
	}
	var t trigger
	for _, o := range options {
		o(&t)
	}
	if err := layout.CheckParameter(t.parameter); err != nil {
		return 0, fmt.Errorf("trigger job %q: the parameter %w", job, err)
	}
	seq, err := s.engine.Trigger(ctx, job, t.shards, t.parameter)
	if err != nil {
		return 0, fmt.Errorf("trigger job %q: %w", job, err)
	}
	return seq, nil
}

// TriggerOption says what Trigger asks for.
type TriggerOption func(*trigger)

type trigger struct {
	shards    []int
	parameter string
}

// OnShards has only these shards run; without it all do.
func OnShards(shards ...int) TriggerOption {
	return func(t *trigger) { t.shards = append(t.shards, shards...) }
}

// WithParameter gives the run a parameter in place of each shard's own, UTF-8 text of at most 4 KiB; empty leaves them as they are.
func WithParameter(parameter string) TriggerOption {
	return func(t *trigger) { t.parameter = parameter }
}
