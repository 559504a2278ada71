package otel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// TracingOptions configure Tracing. The zero value is useful.
type TracingOptions struct {
	// OneTracePerFire gives all runs of a fire the same trace, on all
	// instances. It needs IDs, and is meant for jobs of few shards: a job of
	// 10,000 shards makes traces of as many spans.
	OneTracePerFire bool

	// Slow marks the spans of runs that began or took longer than that, and of
	// those that failed, by the attribute elasticjob.slow. A tail sampler can
	// keep them. Zero marks none.
	Slow time.Duration
}

// Tracing makes spans of the runs of one scheduler. It is an elastic.Tracer.
// All methods are safe for concurrent use.
//
// A run has a span of its own trace, from the first call of its handler until
// its result is in the store, and below it a span for each call. The handler
// finds the latter in its context. The span of a run links to that of the
// trigger, and to that of the attempt before. Its status is an error if the run
// failed or was lost, not if it was skipped, handed over, replaced or
// cancelled.
type Tracing struct {
	tracer trace.Tracer
	opts   TracingOptions

	mu        sync.Mutex
	attached  bool
	namespace string
	open      map[runKey]*runSpan
	sweepAt   int // when so many are open, those that no event will end are ended
}

// runKey names an attempt at a run.
type runKey struct {
	job     string
	shard   int
	fire    int64 // in milliseconds
	trigger uint64
	attempt int
}

// runSpan is the span of a run that has not ended.
type runSpan struct {
	span     trace.Span
	began    time.Time
	calls    int       // that have not returned
	returned time.Time // of the last call
	lost     bool      // the session ended during a call
}

// sweepFrom is how many spans of runs are open before they are looked at.
const sweepFrom = 1000

// unendedAfter is how long a span stays open after the handler has returned.
// The result of a run is recorded long before, unless the store is away.
const unendedAfter = 10 * time.Minute

// NewTracing returns Tracing for one scheduler. Give the SDK's provider an IDs,
// so that attempts can be linked across instances:
//
//	ids := sdktrace.WithIDGenerator(otel.IDs{})
//	provider := sdktrace.NewTracerProvider(ids, …)
//	tracing, err := otel.NewTracing(provider, otel.TracingOptions{})
//	…
//	s, err := elastic.Open(ctx, url, elastic.WithTracer(tracing))
func NewTracing(provider trace.TracerProvider, o TracingOptions) (*Tracing, error) {
	if provider == nil {
		return nil, errors.New("make the tracing: the tracer provider is nil")
	}
	if o.Slow < 0 {
		return nil, fmt.Errorf("make the tracing: Slow must not be negative, is %s", o.Slow)
	}
	return &Tracing{
		tracer:  provider.Tracer(scope),
		opts:    o,
		open:    map[runKey]*runSpan{},
		sweepAt: sweepFrom,
	}, nil
}

// OneTracePerFire returns the option of that name. elastic.WithTracer calls it.
func (t *Tracing) OneTracePerFire() bool { return t.opts.OneTracePerFire }

// Attach takes the state of a scheduler. It returns an error if the Tracing has
// that of another one. elastic.WithTracer calls it.
func (t *Tracing) Attach(stats func() observe.Stats) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.attached {
		return errors.New("the tracing is already that of another scheduler; make one for each")
	}
	t.attached = true
	t.namespace = stats().Namespace
	return nil
}

// ObserveStore does nothing: requests to the store have no spans.
func (t *Tracing) ObserveStore(store.Request) {}

// Trigger triggers a job as elastic.Scheduler.Trigger does, in a span below
// that of ctx. The spans of the runs link to it.
func (t *Tracing) Trigger(
	ctx context.Context, s *elastic.Scheduler, job string, options ...elastic.TriggerOption,
) (uint64, error) {
	ctx, span := t.tracer.Start(ctx, triggerName+job, trace.WithAttributes(
		attribute.String(systemKey, systemValue),
		attribute.String(jobKey, job),
	))
	defer span.End()
	if parent := carrier(ctx).Get("traceparent"); parent != "" {
		options = append(options[:len(options):len(options)], elastic.WithTraceParent(parent))
	}
	seq, err := s.Trigger(ctx, job, options...)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
		return 0, err
	}
	span.SetAttributes(attribute.Int64(triggerKey, int64(seq)))
	return seq, nil
}

// Wrap makes spans of the calls of a handler. elastic.WithTracer calls it.
func (t *Tracing) Wrap(next elastic.Handler) elastic.Handler {
	return elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		key := keyOf(run)
		open := t.enter(ctx, key, run)
		defer t.leave(key, open)
		below := trace.ContextWithSpan(ctx, open.span)
		below, span := t.begin(below, callName+run.Job, trace.WithAttributes(
			attribute.String(systemKey, systemValue),
			attribute.Int(retryKey, run.Retry),
		))
		return t.call(below, span, next, run)
	})
}

func keyOf(run elastic.Run) runKey {
	return runKey{run.Job, run.Shard, run.Fire.UnixMilli(), run.Trigger, run.Attempt}
}

// enter returns the span of a run, of which a call begins.
func (t *Tracing) enter(ctx context.Context, key runKey, run elastic.Run) *runSpan {
	t.mu.Lock()
	open := t.open[key]
	namespace := t.namespace
	if open != nil {
		open.calls++
	}
	t.mu.Unlock()
	if open != nil {
		return open
	}
	open = &runSpan{span: t.start(ctx, run, namespace), began: time.Now(), calls: 1}
	t.mu.Lock()
	t.open[key] = open
	ended := t.sweep()
	t.mu.Unlock()
	for _, o := range ended {
		o.end("", time.Time{})
	}
	return open
}

// start starts the span of a run.
func (t *Tracing) start(ctx context.Context, run elastic.Run, namespace string) trace.Span {
	names := run.Trace()
	attributes := []attribute.KeyValue{
		attribute.String(systemKey, systemValue),
		attribute.String(jobKey, run.Job),
		attribute.Int(shardKey, run.Shard),
		attribute.Int(shardsKey, run.Shards),
		attribute.String(fireKey, run.Fire.UTC().Format(time.RFC3339)),
		attribute.Int(attemptKey, run.Attempt),
	}
	if namespace != "" {
		attributes = append(attributes, attribute.String(namespaceKey, namespace))
	}
	if run.Trigger != 0 {
		attributes = append(attributes, attribute.Int64(triggerKey, int64(run.Trigger)))
	}
	if fence := run.Fence(); fence != 0 {
		attributes = append(attributes, attribute.Int64(fenceKey, int64(fence)))
	}
	if run.Previous != "" {
		attributes = append(attributes, attribute.String(previousKey, run.Previous))
	}
	ctx = context.WithValue(ctx, named{}, names.Own)
	_, span := t.begin(ctx, runName+run.Job,
		trace.WithNewRoot(),
		trace.WithLinks(links(names)...),
		trace.WithAttributes(attributes...),
	)
	return span
}

// links returns the links of a run to its trigger and to the attempt before.
func links(names elastic.Trace) (all []trace.Link) {
	add := func(to failover.Trace, sampled bool, what string) {
		if to.IsZero() {
			return
		}
		all = append(all, trace.Link{
			SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
				TraceID:    to.ID,
				SpanID:     to.Span,
				TraceFlags: trace.TraceFlags(0).WithSampled(sampled),
				Remote:     true,
			}),
			Attributes: []attribute.KeyValue{attribute.String(linkKey, what)},
		})
	}
	if parent, sampled, err := failover.ParseTraceParent(names.Trigger); err == nil {
		add(parent, sampled, "trigger")
	}
	add(names.Previous, false, "attempt")
	return all
}

// leave notes that a call has returned. If the session was lost meanwhile, no
// event ends the span.
func (t *Tracing) leave(key runKey, open *runSpan) {
	t.mu.Lock()
	open.calls--
	open.returned = time.Now()
	lost := open.lost && open.calls == 0
	if lost {
		delete(t.open, key)
	}
	t.mu.Unlock()
	if lost {
		open.end(string(failover.ResultLost), time.Time{})
	}
}

// Observe ends the spans of runs. elastic.WithTracer calls it.
func (t *Tracing) Observe(e observe.Event) {
	switch e.Kind {
	case observe.Ended:
		t.ended(e, e.Result)
	case observe.HandedOver:
		t.ended(e, "handed over")
	case observe.Reclaimed:
		t.mu.Lock()
		if open := t.open[keyOfEvent(e)]; open != nil {
			open.lost = false
		}
		t.mu.Unlock()
	case observe.SessionLost, observe.Left:
		for _, open := range t.lose(e.Time) {
			open.end(string(failover.ResultLost), e.Time)
		}
	}
}

func keyOfEvent(e observe.Event) runKey {
	return runKey{e.Job, e.Shard, e.Fire.UnixMilli(), e.Trigger, e.Attempt}
}

// ended ends the span of a run.
func (t *Tracing) ended(e observe.Event, result string) {
	key := keyOfEvent(e)
	t.mu.Lock()
	open := t.open[key]
	delete(t.open, key)
	t.mu.Unlock()
	if open == nil {
		return
	}
	open.span.SetAttributes(attribute.String(instanceKey, e.Instance))
	if !e.Due.IsZero() {
		open.span.SetAttributes(attribute.Int64(lateKey, e.Late.Milliseconds()))
	}
	if e.Code != "" {
		open.span.SetAttributes(attribute.String(codeKey, e.Code))
	}
	if t.opts.Slow > 0 && (result == "failed" || e.Late > t.opts.Slow || e.Took > t.opts.Slow) {
		open.span.SetAttributes(attribute.Bool(slowKey, true))
	}
	open.end(result, e.Time)
}

// lose returns the spans of the runs that began before a session ended, and
// whose handlers have returned. The others end with their handlers, unless they
// are reclaimed.
func (t *Tracing) lose(at time.Time) (over []*runSpan) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, open := range t.open {
		switch {
		case open.began.After(at):
		case open.calls > 0:
			open.lost = true
		default:
			delete(t.open, key)
			over = append(over, open)
		}
	}
	return over
}

// sweep returns the spans whose handlers returned long ago. Their ends are not
// known: the event was dropped. t.mu is held.
func (t *Tracing) sweep() (over []*runSpan) {
	if len(t.open) < t.sweepAt {
		return nil
	}
	for key, open := range t.open {
		if open.calls == 0 && time.Since(open.returned) > unendedAfter {
			delete(t.open, key)
			over = append(over, open)
		}
	}
	t.sweepAt = max(sweepFrom, 2*len(t.open))
	return over
}

// end ends the span with a result; empty if it is not known. A zero time is
// now.
func (o *runSpan) end(result string, at time.Time) {
	if result != "" {
		o.span.SetAttributes(attribute.String(resultKey, result))
	}
	if result == string(failover.ResultFailed) || result == string(failover.ResultLost) {
		o.span.SetStatus(codes.Error, result)
	}
	if at.IsZero() || at.Before(o.began) {
		end(o.span)
		return
	}
	end(o.span, trace.WithTimestamp(at))
}

// begin starts a span. If a part of the program's provider panics, there is no
// span: a run is made without it.
func (t *Tracing) begin(
	ctx context.Context, name string, options ...trace.SpanStartOption,
) (context.Context, trace.Span) {
	below, span := ctx, trace.SpanFromContext(context.Background())
	_ = guard.Catch(func() { below, span = t.tracer.Start(ctx, name, options...) })
	return below, span
}

// end ends a span, whatever the program's provider does about it.
func end(span trace.Span, options ...trace.SpanEndOption) {
	_ = guard.Catch(func() { span.End(options...) })
}
