package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/internal/runctx"
	"github.com/elasticjob-go/elastic/observe"
)

// run is what this process does about a shard: a claim, then a handler, then a
// result that waits to be recorded. It is one object, which holds all that a
// quick handler needs.
type run struct {
	shard   *shard
	phase   failover.Phase
	owner   string // the incarnation that claimed it
	fence   uint64
	repeats *repeated    // nil on the first attempt
	spec    *layout.Spec // that the claim was guarded by
	total   int          // the shards of the assignment that it was guarded by
	ceiling uint64       // of the fences that this run may ever have
	zone    *time.Location

	live    Live           // that the handler looks at
	context runctx.Context // of the handler, unless the run may outlive its session
	carry   *carry         // of a run that may outlive its session; nil: it may not
	over    time.Time      // when its context has ended or will at the latest; zero: that is not known
	stuck   bool           // it was reported as stuck

	// These are written by the loop before the handler is called.
	handler     Handler
	fire        time.Time
	trigger     uint64 // zero: the schedule asked for it
	attempt     int
	parameter   string // of the shard, or of the trigger
	trace       failover.Trace
	traceParent string // of the trigger that is run; empty if there is none
	handlers    *tally // that counts it; nil if its session does not wait for it

	// These are written by the goroutine of the handler, and then read by the
	// loop.
	outcome outcome
	cause   error // why the context had ended when the handler returned; nil: it had not
	took    time.Duration

	began   time.Time // when the handler was called, by the wall clock
	result  failover.Result
	message string
	retries int
	err     error
	code    string // why it ended with result; empty if it succeeded
	first   uint64 // the fence with which it began
	rev     uint64 // of the job, when it was claimed
}

// repeated is the attempt that a run repeats.
type repeated struct {
	prior observe.Prior
	trace failover.Trace
	why   failover.Decision
}

// handlerContext returns the context that the handler is called with.
func (r *run) handlerContext() context.Context {
	if r.carry != nil {
		return r.carry.limited
	}
	return &r.context
}

// end ends the context of the handler.
func (r *run) end(cause error) {
	if r.carry != nil {
		r.carry.end(cause)
		return
	}
	r.context.End(cause)
}

// endCause returns why the context of the handler has ended; nil if it has not.
func (r *run) endCause() error {
	if r.carry != nil {
		return context.Cause(r.carry.limited)
	}
	return r.context.Cause()
}

// errExited is what a handler returns that does not return.
var errExited = errors.New("the handler ended its goroutine with runtime.Goexit")

// start runs the handler of a claim that holds.
func (e *Engine) start(s *shard) {
	r := s.run
	e.prepare(s, moments{wall: e.cfg.Now(), monotonic: time.Now()})
	e.handlers.Add(r)
	if e.drain.told {
		e.cancelRun(r, ErrShutdown)
	}
}

// prepare makes all that the handler of a claim that holds is called with.
func (e *Engine) prepare(s *shard, now moments) {
	r, rec := s.run, &s.record
	r.phase = failover.PhaseWorking
	e.working++
	e.startContext(r, now.monotonic)
	r.handler = s.job.registered.Handler
	r.fire = rec.Time()
	r.attempt = rec.Attempt
	r.trace = rec.Trace
	if len(r.spec.ShardParameters) > 0 {
		r.parameter = r.spec.ShardParameters[s.item]
	}
	if rec.IsManual() {
		r.trigger = rec.Trigger
		r.parameter = cmp.Or(rec.Manual.Parameter, r.parameter)
	}
	if s.unclaimed {
		r.first = 0
	}
	r.live.Fence.Store(r.first)
	r.began = now.wall
	e.emitBegan(s, r)
	if r.carry == nil {
		r.handlers = &e.me.handlers
		r.handlers.add(1)
	}
}

// RunOf returns the run whose handler got a context; nil if there is none. It
// does not tell which retry it is.
func RunOf(ctx context.Context) *Run {
	r, ok := runctx.RunOf(ctx).(*run)
	if !ok {
		return nil
	}
	told := r.tell()
	return &told
}

// tell returns the run as its handler sees it.
func (r *run) tell() Run {
	told := Run{
		Job:            r.shard.job.name,
		Shard:          r.shard.item,
		Total:          r.total,
		Parameter:      r.spec.Parameter,
		ShardParameter: r.parameter,
		Fire:           r.fire.In(r.zone),
		Trigger:        r.trigger,
		Attempt:        r.attempt,
		Fence:          r.first,
		Trace:          r.trace,
		TraceParent:    r.traceParent,
		Live:           &r.live,
	}
	if r.repeats != nil {
		told.PreviousAttempt = r.repeats.prior.Owner
		told.PreviousTrace = r.repeats.trace
	}
	return told
}

// startContext makes the context of a run's handler, which ends with the
// session unless the run may outlive it.
func (e *Engine) startContext(r *run, now time.Time) {
	timeout := time.Duration(r.spec.Timeout)
	if r.spec.CarryOn > 0 {
		e.startCarry(r, timeout)
		return
	}
	var deadline time.Time
	if timeout > 0 {
		deadline = now.Add(timeout)
		e.watchRun(r, deadline)
	}
	r.context.Start(e.me.ctx, deadline, ErrTimeout)
	r.context.SetRun(r)
	r.live.hold.member.Store(e.me)
}

// emitBegan tells observers that a run begins.
func (e *Engine) emitBegan(s *shard, r *run) {
	if e.cfg.Observe == nil {
		return
	}
	ev := s.runEvent(observe.Began)
	if x := r.repeats; x != nil {
		ev.Kind = observe.TookOver
		ev.Subject = x.prior.Owner
		ev.Prior = x.prior
		ev.Code = string(x.why.Code)
		ev.Args = maps.Clone(x.why.Args)
		ev.Detail = x.why.Reason
	}
	e.emit(ev)
}

// handle calls the handler of a run, on a goroutine of the pool, and passes the
// run back to the loop. The goroutine runs other handlers afterwards.
func (e *Engine) handle(r *run) {
	o := exited()
	began := time.Now()
	// Deferred, because a handler can end its goroutine without returning: then,
	// too, its shard must go on.
	defer func() {
		r.cause = r.endCause()
		if o.code == codeSessionLost && !r.live.Held() {
			// Also if the context had ended before for another reason: nothing was
			// done that could be recorded.
			r.cause = ErrSessionLost
		}
		if r.carry != nil {
			r.carry.unwatch()
		}
		r.end(nil)
		r.took = time.Since(began)
		r.outcome = o
		if r.handlers != nil {
			r.handlers.add(-1)
		}
		e.returns.add(r)
	}()
	pprof.SetGoroutineLabels(context.Background()) // those of the handler before
	o = e.persist(r.handlerContext(), r, began)
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
func (e *Engine) returned(r *run) {
	s, cause := r.shard, r.cause
	o := &r.outcome
	e.working--
	if r.stuck {
		e.meter.stuck--
	}
	if r.carry != nil {
		r.carry.stop()
	}
	r.retries = o.retries
	r.err, r.code = o.err, o.code
	if o.panic != nil {
		e.emit(s.panicked(*o))
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
		r.timedOut(*o)
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
	case errors.Is(cause, ErrCancelled):
		r.phase, r.result = failover.PhaseFinished, failover.ResultCancelled
		r.message, r.code = cause.Error(), codeCancelled
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
