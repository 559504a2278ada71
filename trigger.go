package elastic

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// Trigger asks for a run of a job outside its schedule. It returns the number
// of the trigger, which handlers see as [Run.Trigger].
//
// Each targeted shard runs the trigger once, as soon as it is idle and ahead of
// scheduled fires. Triggers of a job run in the order of their numbers, and at
// most 20 can wait. The store keeps them, so a trigger runs even if instances
// die. Its runs are taken over, abandoned or handed over as others are. A
// trigger does not change the fires of the schedule. If the number of shards
// changes, shards that have not begun the trigger skip it, because all its runs
// must divide the work in the same way.
//
// A shard that is disabled, by itself or with its job, when the trigger is
// given, or later but before its run begins, skips the trigger. Enabling it
// begins nothing of the past. If all targeted shards are disabled, Trigger
// returns an error.
//
// The job must be in the store and enabled, and a live instance must have it,
// not necessarily this one; see [Force]. If the job was added to this
// scheduler, Trigger waits until it is in the store. While this instance has no
// session, Trigger waits until ctx ends. It waits five seconds for Run to
// begin, so it can be called right after go s.Run(ctx). A closed scheduler
// returns [ErrClosed]. After an error that is [store.ErrUnknown] the trigger
// may have been given; after any other error it was not.
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
	if t.traceParent != "" {
		if _, _, err := failover.ParseTraceParent(t.traceParent); err != nil {
			return 0, fmt.Errorf("trigger job %q: option WithTraceParent: %w", job, err)
		}
	}
	if err := s.awaitRun(ctx); err != nil {
		return 0, fmt.Errorf("trigger job %q: %w", job, err)
	}
	seq, err := s.engine.Trigger(ctx, job, failover.Trigger{
		Shards:      t.shards,
		Parameter:   t.parameter,
		TraceParent: t.traceParent,
	}, t.force)
	if errors.Is(err, engine.ErrStopped) {
		err = ErrClosed
	}
	if err != nil {
		return 0, fmt.Errorf("trigger job %q: %w", job, err)
	}
	return seq, nil
}

// runPatience is how long a call waits for Run to begin. Run is often called
// by a goroutine that has just been started.
const runPatience = 5 * time.Second

// TriggerOption configures a trigger.
type TriggerOption func(*trigger)

type trigger struct {
	shards    []int
	parameter string
	force     bool

	traceParent string
}

// Force gives the trigger even if no live instance has the job. The trigger
// waits in the store for such an instance. Without Force, Trigger returns an
// error, because a person who asks for a run expects it now.
func Force() TriggerOption {
	return func(t *trigger) { t.force = true }
}

// OnShards limits the trigger to these shards. Without it the trigger is for
// all shards.
func OnShards(shards ...int) TriggerOption {
	return func(t *trigger) { t.shards = append(t.shards, shards...) }
}

// WithParameter replaces the parameters of the shards for the run. It is UTF-8
// text of at most 4 KiB. An empty parameter leaves those of the shards.
func WithParameter(parameter string) TriggerOption {
	return func(t *trigger) { t.parameter = parameter }
}

// WithTraceParent sends the traceparent of the W3C Trace Context with the
// trigger, so that spans of its runs can link to the span that gave it. Trigger
// refuses text of another form than that of version 00. Package observe/otel
// sets it.
func WithTraceParent(traceParent string) TriggerOption {
	return func(t *trigger) { t.traceParent = traceParent }
}
