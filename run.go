package elastic

import (
	"context"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/engine"
)

// Handler runs one shard of a job for one fire or trigger.
//
// A handler should return soon after ctx ends: the shard does not run again on
// this instance before. A nil error means that the work is done, even if ctx
// has ended. The only exception is a run that took longer than the Timeout of
// the job: it has failed, whatever the handler returns. Handle is called from
// many goroutines at once, one for each running shard, and never twice at a
// time for one shard.
//
// A panic, runtime.Goexit, and an error whose methods panic or block count as
// an error. None of them ends the process or disturbs other jobs. An error that
// is a nil pointer is an error, as in Go. Nothing can stop a handler that calls
// os.Exit, or that panics in a goroutine of its own. Handlers run on goroutines
// that run other handlers before and after: one that calls
// runtime.LockOSThread must unlock the thread before it returns.
type Handler interface {
	Handle(ctx context.Context, run Run) error
}

// HandlerFunc is a function that implements [Handler].
type HandlerFunc func(ctx context.Context, run Run) error

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, run Run) error { return f(ctx, run) }

// Run describes the run that a handler is called for: a shard, and a fire or a
// trigger.
type Run struct {
	// Job is the name of the job.
	Job string

	// Shard is the number of the shard, from 0.
	Shard int

	// Shards is the number of shards of the job. It is the same for all runs
	// whose claims belong to one assignment.
	Shards int

	// Parameter is the parameter of this shard, or that of the trigger.
	Parameter string

	// JobParameter is the parameter of the job.
	JobParameter string

	// Fire is the scheduled time in the time zone of the job. It is not the
	// time at which the run began. For a triggered run it is the time of the
	// trigger.
	Fire time.Time

	// Trigger is the number of the trigger, or zero for a scheduled run.
	Trigger uint64

	// Retry is the number of earlier calls of the handler in this attempt. See
	// [Job.Retries].
	Retry int

	// Attempt counts the tries at this run, from 1. It is greater if instances
	// were lost, or left, during earlier ones.
	Attempt int

	// Previous is the ID of the instance whose unfinished run this one repeats.
	// It is empty on the first attempt, and after a hand-over.
	Previous string

	live  *engine.Live // nil in a Run that a test made
	trace Trace
}

// Trace names a run, and what came before it, in distributed traces.
type Trace struct {
	// Own names the span of this attempt. It is zero without a tracer, and for
	// a job without claims; see [WithTracer].
	Own failover.Trace

	// Previous names the span of the attempt that this one repeats, which may
	// have run on another instance. It is zero on the first attempt.
	Previous failover.Trace

	// Trigger is the traceparent of the span that gave the run's trigger. It is
	// empty if there is none, and on later attempts.
	Trigger string
}

// Trace returns the names of the run in distributed traces.
func (run Run) Trace() Trace { return run.trace }

func newRun(r engine.Run) Run {
	return Run{
		Job:          r.Job,
		Shard:        r.Shard,
		Shards:       r.Total,
		Parameter:    r.ShardParameter,
		JobParameter: r.Parameter,
		Fire:         r.Fire,
		Trigger:      r.Trigger,
		Retry:        r.Retry,
		Attempt:      r.Attempt,
		Previous:     r.PreviousAttempt,
		live:         r.Live,
		trace:        Trace{Own: r.Trace, Previous: r.PreviousTrace, Trigger: r.TraceParent},
	}
}

// Fence returns a number that grows with every claim of this shard. A resource
// that remembers the greatest fence it has seen, and refuses smaller ones, is
// safe from an instance that was declared dead while its code still ran. A lock
// cannot stop a paused process, but the fence of that process is out of date
// when it wakes.
//
// The fence can be kept with each row, as in UPDATE … SET fence = $1 WHERE id =
// $2 AND fence <= $1, even if another shard works on that row later. When the
// work is divided in another way (the number of shards, the strategy or the
// parameters change, or instances of a broadcast come and go), all later runs
// have greater fences than all earlier ones, whichever their shards. So a row
// refuses outdated writes and no others. While the division stays the same,
// fences of different shards have no order. The parameter of a trigger does not
// change the division: if it makes a shard do the work of another shard, writes
// can be refused until the fences have caught up.
//
// Zero means that the job runs without claims. Call Fence each time and do not
// keep the result: a run that outlives a session gets another fence (see
// [Job.CarryOn]).
func (run Run) Fence() uint64 {
	if run.live == nil {
		return 0
	}
	return run.live.Fence.Load()
}

// Moving reports whether the shard no longer belongs to this instance: another
// instance owns it, the number of shards has changed, or this instance leaves.
// It can become true while the handler runs, and never becomes false again. The
// run may finish, but the next owner of the shard waits for it. So a long
// handler that can stop in good order should return [HandOver]. If this
// instance leaves, Moving is true only if the job has Failover: without it, no
// other instance would continue the run.
func (run Run) Moving() bool { return run.live != nil && run.live.Moving.Load() }

// Held reports whether this instance certainly holds the run at this moment. It
// reads the clocks. So if the process was stopped, or its host suspended, the
// first call returns false, even if the context has not ended yet. When Held
// returns false, the context has ended with [ErrSessionLost] as its cause.
//
// A handler is entered, and retried, only while Held is true. A long handler
// should ask before each effect that no fence protects. Held promises nothing
// about the time after the call: the process can be stopped before its next
// statement. Fences protect against that.
func (run Run) Held() bool { return run.live == nil || run.live.Held() }

// Key returns an identifier of the work: job, shard, and fire or trigger. It is
// the same for all attempts, so a handler can use it to make its effects
// idempotent.
func (run Run) Key() string {
	if run.Trigger != 0 {
		return fmt.Sprintf("%s/%d/trigger-%d", run.Job, run.Shard, run.Trigger)
	}
	return fmt.Sprintf("%s/%d/%s", run.Job, run.Shard, run.Fire.UTC().Format(time.RFC3339))
}
