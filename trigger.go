package elastic

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// Trigger asks for a run of a job outside its schedule, and returns the trigger's number, which handlers see as [Run.Trigger].
//
// Shards that are disabled when it is given are passed over; if there is no other shard that it is for, Trigger returns an error.
// Every other shard that it is for begins it once, as soon as it is idle, before whatever the schedule has due; triggers of a job run in
// the order of their numbers, and at most 20 may wait. The store keeps them, so a trigger is run whatever becomes of the instances,
// and a run of it is taken over, abandoned or handed over as any other. It changes nothing about the schedule's fires. If the job's
// number of shards changes, shards that have not begun it by then don't: all that run a trigger must agree on how the work is
// divided.
//
// A shard that is disabled when the trigger is given, by itself or with its job,
// or before it has begun it, passes over it: enabling begins nothing of the
// past. A trigger that names only disabled shards is an error.
//
// While the instance has no session Trigger waits until ctx ends, and for Run to
// begin it waits five seconds; so it may be called right after go s.Run(ctx). The job must be in the
// store and enabled, and a live instance must have it, not necessarily this one
// (see [Force]);
// for a job that was added here Trigger waits until it is in the store. On a
// scheduler that is closed the error is [ErrClosed]. An error that is
// [store.ErrUnknown] means that the trigger may have been given; after any other
// it was not.
//
// [store.ErrUnknown]: https://pkg.go.dev/github.com/elasticjob-go/elastic/store#ErrUnknown
func (s *Scheduler) Trigger(ctx context.Context, job string, options ...TriggerOption) (uint64, error) {
	if ctx == nil {
		return 0, fmt.Errorf("trigger job %q: the context is nil", job)
	}
	if s.isClosed() {
		return 0, fmt.Errorf("trigger job %q: %w", job, ErrClosed)
	}
	if err := layout.CheckName(job); err != nil {
		return 0, fmt.Errorf("trigger job %q: its name %w", job, err)
	}
	var t trigger
	for i, o := range options {
		if o == nil {
			return 0, fmt.Errorf("trigger job %q: option %d is nil", job, i+1)
		}
		o(&t)
	}
	if err := layout.CheckParameter(t.parameter); err != nil {
		return 0, fmt.Errorf("trigger job %q: the parameter %w", job, err)
	}
	toRun := time.NewTimer(runPatience)
	defer toRun.Stop()
	select {
	case <-s.began:
	case <-toRun.C:
		return 0, fmt.Errorf("trigger job %q: the scheduler does not run; call Run first", job)
	case <-s.over:
		return 0, fmt.Errorf("trigger job %q: %w", job, ErrClosed)
	case <-ctx.Done():
		return 0, fmt.Errorf("trigger job %q: the scheduler does not run: %w", job, context.Cause(ctx))
	}
	seq, err := s.engine.Trigger(ctx, job, t.shards, t.parameter, t.force)
	if errors.Is(err, engine.ErrStopped) {
		err = ErrClosed
	}
	if err != nil {
		return 0, fmt.Errorf("trigger job %q: %w", job, err)
	}
	return seq, nil
}

// runPatience is how long Trigger waits for Run to begin, which is mostly called
// by a goroutine that has just been started.
const runPatience = 5 * time.Second

// TriggerOption says what Trigger asks for.
type TriggerOption func(*trigger)

type trigger struct {
	shards    []int
	parameter string
	force     bool
}

// Force gives the trigger although no live instance has the job. It waits in the
// store until one does. Without it Trigger returns an error then, because a
// person who asks for a run expects one now.
func Force() TriggerOption {
	return func(t *trigger) { t.force = true }
}

// OnShards has only these shards run; without it all do.
func OnShards(shards ...int) TriggerOption {
	return func(t *trigger) { t.shards = append(t.shards, shards...) }
}

// WithParameter gives the run a parameter in place of each shard's own, UTF-8 text of at most 4 KiB; empty leaves them as they are.
func WithParameter(parameter string) TriggerOption {
	return func(t *trigger) { t.parameter = parameter }
}
