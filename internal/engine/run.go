package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
)

// run is what this process does about a shard: a claim, then a handler, then a result that waits to be recorded.
type run struct {
	phase   failover.Phase
	owner   string // the incarnation that claimed it
	fence   uint64
	prior   observe.Prior // the attempt that is repeated
	why     failover.Decision
	spec    *layout.Spec // that the claim was guarded by
	total   int          // the shards of the assignment that it was guarded by
	ceiling uint64       // of the fences that this run may ever have
	zone    *time.Location
	live    *Live  // that the handler looks at
	carry   *carry // of a run that may outlive its session

	cancel  context.CancelCauseFunc
	result  failover.Result
	message string
	retries int
	began   time.Time // when the handler was called, by the wall clock
	err     error
	code    string // why it ended with result; empty if it succeeded
	took    time.Duration
	first   uint64 // the fence with which it began
	stuck   bool   // it was reported as stuck
}

// stuckAfter is how long a handler may take to return once its context has ended before it is reported.
const stuckAfter = 10 * time.Second

// errExited is what a handler returns that does not return.
var errExited = errors.New("the handler ended its goroutine with runtime.Goexit")

// start runs the handler of a claim that holds.
func (e *Engine) start(s *shard) {
	j, r, rec := s.job, s.run, s.record
	r.phase = failover.PhaseWorking
	e.working++
	ctx, cancel := e.workContext(r)
	r.cancel = cancel
	if e.drain.told {
		cancel(ErrShutdown)
	}
	stop := func() {}
	if timeout := time.Duration(r.spec.Timeout); timeout > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeoutCause(ctx, timeout, ErrTimeout)
		stop = end
	}
	told := Run{
		Job:             j.name,
		Shard:           s.item,
		Total:           r.total,
		Parameter:       r.spec.Parameter,
		ShardParameter:  r.spec.ShardParameters[s.item],
		Fire:            rec.Time().In(r.zone),
		Attempt:         rec.Attempt,
		Fence:           rec.Fence,
		PreviousAttempt: r.prior.Owner,
		Trace:           rec.Trace,
		Live:            r.live,
	}
	if s.unclaimed {
		told.Fence = 0
	}
	r.live.Fence.Store(told.Fence)
	if rec.IsManual() {
		told.Trigger = rec.Trigger
		told.ShardParameter = cmp.Or(rec.Manual.Parameter, told.ShardParameter)
	}
	r.began = e.cfg.Now()
	ev := s.runEvent(observe.Began)
	if rec.Attempt > 1 {
		ev.Kind, ev.Subject = observe.TookOver, r.prior.Owner
		ev.Prior = r.prior
		ev.Code, ev.Args = string(r.why.Code), maps.Clone(r.why.Args)
		ev.Detail = r.why.Reason
	}
	e.emit(ev)

	handlers := new(tally)
	if r.carry == nil {
		handlers = &e.me.handlers
	}
	handlers.add(1)
	handler, began := j.registered.Handler, time.Now()
	watched := context.AfterFunc(ctx, func() { e.watchStuck(s, r, ctx) })
	// Not in the wait group: a handler that never returns must not keep the instance from leaving.
	go func() {
		o := exited()
		// Deferred, because a handler can end its goroutine without returning: then, too, its shard must go on.
		defer func() {
			cause := context.Cause(ctx)
			if o.code == codeSessionLost && !r.live.Held() {
				cause = ErrSessionLost // also if the context had ended before for another reason: nothing was done that could be recorded
			}
			watched()
			stop()
			cancel(nil)
			took := time.Since(began)
			handlers.add(-1)
			e.post(func() { e.returned(s, r, o, cause, took) })
		}()
		o = e.persist(ctx, s, r.spec, handler, told)
	}()
}

// call calls a handler and finds out what its return means.
func call(ctx context.Context, h Handler, r Run) (o outcome) {
	defer func() {
		if v := recover(); v != nil {
			o = crashed(guard.Recovered(v))
		}
	}()
	return judge(h(ctx, r))
}

// panicked is the event of a handler's panic.
func (s *shard) panicked(o outcome) observe.Event {
	ev := s.runEvent(observe.Panicked)
	ev.Err, ev.Code, ev.Detail = o.err, o.code, o.panic.Detail()
	ev.Args = map[string]string{"value": guard.Cut(o.panic.Value, maxShown)}
	return ev
}

// watchStuck reports a handler that goes on although its context has ended. Its shard is not started again here until it
// returns.
func (e *Engine) watchStuck(s *shard, r *run, ctx context.Context) {
	cause := context.Cause(ctx)
	e.after(stuckAfter, func() {
		if s.run == r && r.phase == failover.PhaseWorking {
			e.meter.stuck++
			r.stuck = true
			ev := s.runEvent(observe.Stuck)
			ev.Err, ev.Code = cause, "context_ignored"
			ev.Args = map[string]string{"for": stuckAfter.String()}
			ev.Detail = "the handler ignores its context; the shard does not run here until it returns"
			e.emit(ev)
		}
	})
}

// resumable says whether the shard's next owner would go on with a run that is handed over, and not give it up.
func (s *shard) resumable() bool {
	p := s.policy(time.Time{})
	return p.Failover && !p.Disabled
}

// tellMoved tells a run that its shard is no longer this instance's. Where nobody would go on, an instance that leaves has its runs use the
// time that they get.
func (e *Engine) tellMoved(s *shard) {
	if s.run != nil && !s.owned && (!e.drain.on || s.resumable()) {
		s.run.live.Moving.Store(true)
	}
}

// returned decides what a handler's return means.
func (e *Engine) returned(s *shard, r *run, o outcome, cause error, took time.Duration) {
	e.working--
	if r.stuck {
		e.meter.stuck--
	}
	if r.carry != nil {
		r.carry.stop()
	}
	r.took, r.retries = took, o.retries
	r.err, r.code = o.err, o.code
	if o.panic != nil {
		e.emit(s.panicked(o))
	}
	if o.code == codeErrorBlocked {
		ev := s.runEvent(observe.Stuck)
		ev.Err, ev.Code = o.err, o.code
		ev.Args = map[string]string{"for": guard.Patience.String()}
		ev.Detail = "a method of the error that the handler returned does not return; its goroutine is left behind"
		e.emit(ev)
	}
	switch {
	case errors.Is(cause, ErrTimeout):
		r.timedOut(o)
	case o.class == classDone:
		r.phase, r.result = failover.PhaseFinished, failover.ResultSucceeded // even if it was cancelled meanwhile: it says that it is done
	case o.class == classSkipped:
		r.phase, r.result, r.message, r.err = failover.PhaseFinished, failover.ResultSkipped, o.text, nil
	case errors.Is(cause, ErrSessionLost) && r.carry != nil:
		// Its claim may be made again at this moment, and then no other instance
		// would care for the run.
		r.phase, r.code = failover.PhaseYielded, codeSessionLost
	case errors.Is(cause, ErrSessionLost):
		e.setRun(s, nil) // whoever owns the shard takes the run over
	case errors.Is(cause, ErrShutdown):
		r.phase, r.code = failover.PhaseYielded, codeInstanceLeaves
	case errors.Is(cause, ErrReplaced):
		r.phase, r.result, r.message, r.code = failover.PhaseFinished, failover.ResultReplaced, cause.Error(), codeReplaced
	case o.class == classHandOver && cause == nil && r.live.Moving.Load() && s.resumable():
		r.phase, r.code = failover.PhaseYielded, codeShardMoved
	default:
		r.phase, r.result, r.message = failover.PhaseFinished, failover.ResultFailed, o.text
	}
	e.mark(s)
}

// timedOut makes a failed run of one that took longer than its job's timeout,
// whatever its handler returned: a handler that ends its work early because its
// context has ended mostly returns nil.
func (r *run) timedOut(o outcome) {
	message := o.text
	if !strings.Contains(message, ErrTimeout.Error()) { // it mostly returns the cause
		message = fmt.Sprintf("%v: %s", ErrTimeout, cmp.Or(o.text, "the handler returned no error"))
	}
	r.phase = failover.PhaseFinished
	r.result = failover.ResultFailed
	r.code = codeTimeout
	r.message = message
	r.err = &guard.Error{Err: errors.Join(ErrTimeout, o.err), Text: message}
}

// args returns the values that the end of the run is about.
func (r *run) args() map[string]string {
	switch r.code {
	case codeTimeout:
		return map[string]string{"timeout": time.Duration(r.spec.Timeout).String()}
	case codeErrorBlocked:
		return map[string]string{"for": guard.Patience.String()}
	}
	return nil
}
