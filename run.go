package elastic

import (
	"context"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/internal/engine"
)

// Handler runs one shard of a job for one fire.
//
// It should return soon after ctx ends: the shard does not run again on this
// instance until it has returned. A nil error means that the work is done, also
// when ctx has ended in the meantime; only a run that took longer than the
// job's Timeout has failed whatever the handler returns. Handle is called from
// many goroutines at once, one for each shard that is running; for one shard
// never twice at a time.
//
// A panic, runtime.Goexit, and an error whose methods panic or don't return
// count as an error; none of them ends the process or disturbs other jobs. An
// error that is a nil pointer is an error, as it is to Go. What a handler can't
// be kept from is to end the process by os.Exit, or by a panic in a goroutine
// that it has started itself.
type Handler interface {
	Handle(ctx context.Context, run Run) error
}

// HandlerFunc makes a function a Handler.
type HandlerFunc func(ctx context.Context, run Run) error

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, run Run) error { return f(ctx, run) }

// Shard is what a handler is told about its run.
type Run struct {
	Job          string
	Shard        int       // the number of the shard, from 0
	Shards       int       // how many shards the job has; the same for all that run with this fence's assignment
	Parameter    string    // of this shard
	JobParameter string    // of the job
	Fire         time.Time // the scheduled time, in the job's zone; not the time at which the run began. Of a trigger, when it was given
	Trigger      uint64    // the number of the trigger that asked for the run; zero if it was the schedule
	Retry        int       // how often the handler was called before in this attempt; see Job.Retries
	Attempt      int       // from 1; more if instances died, or left, while they ran this fire
	Previous     string    // the instance whose unfinished run this one repeats; empty on the first attempt, and after a hand-over

	live *engine.Live // nil: a test's
}

func newRun(r engine.Run) Run {
	return Run{
		Job: r.Job, Shard: r.Shard, Shards: r.Total, Parameter: r.ShardParameter, JobParameter: r.Parameter,
		Fire: r.Fire, Trigger: r.Trigger, Attempt: r.Attempt, Retry: r.Retry, Previous: r.PreviousAttempt, live: r.Live,
	}
}

// Fence is a number that grows with every claim of this shard. A resource that remembers the greatest fence it has seen, and
// refuses smaller ones, cannot be harmed by an instance that was declared dead while its code still ran: no lock can
// reach a process that was paused, but its fence is out of date when it wakes.
//
// The fence may be kept with each piece of the work, as in UPDATE … SET fence = $1 WHERE id = $2 AND fence <= $1, although another shard may do that piece later: when the
// work is divided otherwise (the job gets another number of shards, another strategy or other parameters, or the instances of a broadcast come and go), all
// runs from then on have greater fences than all runs before, whichever their shards. So a row refuses what is outdated, and never what is not. Fences of
// different shards have no order while the work is divided as it is. A trigger's own parameter changes no division: if it makes a shard do another shard's
// work, that shard may be refused until its fences have caught up. Zero means that the job runs without claims.
//
// It is asked for when it is needed, and not kept: a run that outlives a session gets another one (Job.CarryOn).
func (run Run) Fence() uint64 {
	if run.live == nil {
		return 0
	}
	return run.live.Fence.Load()
}

// Moving says whether the shard is no longer this instance's: another has it by now, the number of shards has changed, or the instance leaves. It
// begins to be true while the handler runs, and stays so. The run may go on and finish, but the shard's next owner waits for it; so one
// that is long, and can stop in good order, returns [HandOver]. When the instance leaves it is true only if the job has Failover:
// without it nobody would go on.
func (run Run) Moving() bool { return run.live != nil && run.live.Moving.Load() }

// Held reports whether this instance surely holds the run at this moment. It asks the clocks, and not what the process has been told: a process that
// was stopped, or whose machine was suspended, gets false from the first call on, even if its context has not ended yet. Once it returns false the
// context has ended, with ErrSessionLost as its cause.
//
// A handler is entered only while it is true, and each retry. A long handler asks before each effect that no fence protects. It promises nothing
// about the time after the call: the process can be stopped before its next statement, which is why there are fences.
func (run Run) Held() bool { return run.live == nil || run.live.Held() }

// Key identifies the work: job, shard, and fire or trigger. It is the same for all attempts, and so it can make effects idempotent.
func (run Run) Key() string {
	if run.Trigger != 0 {
		return fmt.Sprintf("%s/%d/trigger-%d", run.Job, run.Shard, run.Trigger)
	}
	return fmt.Sprintf("%s/%d/%s", run.Job, run.Shard, run.Fire.UTC().Format(time.RFC3339))
}
