package otel_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/jobs/httpcall"
	"github.com/elasticjob-go/elastic/jobs/script"
	"github.com/elasticjob-go/elastic/observe/otel"
)

// traced is a fleet whose instances make spans.
type traced struct {
	*elastictest.Cluster
	t        *testing.T
	recorder *tracetest.SpanRecorder
	provider trace.TracerProvider
	tracings map[string]*otel.Tracing
	opts     otel.TracingOptions
}

// fleet runs a test in virtual time with a fleet whose spans are recorded.
func fleet(t *testing.T, f func(c *traced)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		recorder := tracetest.NewSpanRecorder()
		f(&traced{
			Cluster:  elastictest.New(t),
			t:        t,
			recorder: recorder,
			provider: sdktrace.NewTracerProvider(
				sdktrace.WithSpanProcessor(recorder),
				sdktrace.WithIDGenerator(otel.IDs{}),
			),
			tracings: map[string]*otel.Tracing{},
		})
	})
}

// start starts instances with a tracing each.
func (c *traced) start(names ...string) {
	c.t.Helper()
	for _, name := range names {
		tracing, err := otel.NewTracing(c.provider, c.opts)
		if err != nil {
			c.t.Fatal(err)
		}
		c.tracings[name] = tracing
		c.StartWith(name, elastic.WithTracer(tracing))
	}
}

// tree returns the spans that have ended as indented lines, by their begin. It
// leaves out what is different each time.
func (c *traced) tree() string {
	synctest.Wait()
	spans := c.recorder.Ended()
	slices.SortStableFunc(spans, func(a, b sdktrace.ReadOnlySpan) int {
		return cmp.Or(a.StartTime().Compare(b.StartTime()), strings.Compare(a.Name(), b.Name()))
	})
	byID := map[trace.SpanID]sdktrace.ReadOnlySpan{}
	for _, s := range spans {
		byID[s.SpanContext().SpanID()] = s
	}
	var b strings.Builder
	var show func(s sdktrace.ReadOnlySpan, indent string)
	show = func(s sdktrace.ReadOnlySpan, indent string) {
		b.WriteString(indent + s.Name() + c.details(s, byID) + "\n")
		for _, child := range spans {
			if child.Parent().SpanID() == s.SpanContext().SpanID() {
				show(child, indent+"  ")
			}
		}
	}
	for _, s := range spans {
		if !s.Parent().IsValid() {
			show(s, "")
		}
	}
	return b.String()
}

// details returns the attributes, status, events and links of a span.
func (c *traced) details(s sdktrace.ReadOnlySpan, byID map[trace.SpanID]sdktrace.ReadOnlySpan) string {
	var parts []string
	for _, a := range s.Attributes() {
		key := strings.TrimPrefix(string(a.Key), "elasticjob.")
		if slices.Contains([]string{"attempt", "retry", "result", "code", "slow"}, key) {
			parts = append(parts, key+"="+a.Value.String())
		}
	}
	if status := s.Status(); status.Description != "" {
		parts = append(parts, "error: "+status.Description)
	}
	for _, e := range s.Events() {
		parts = append(parts, "event "+e.Name)
	}
	for _, l := range s.Links() {
		to := "nothing"
		if target := byID[l.SpanContext.SpanID()]; target != nil &&
			target.SpanContext().TraceID() == l.SpanContext.TraceID() {
			to = target.Name()
			for _, a := range target.Attributes() {
				if a.Key == "elasticjob.attempt" {
					to += " attempt " + a.Value.String()
				}
			}
		}
		parts = append(parts, fmt.Sprintf("link %s to %s", l.Attributes[0].Value.String(), to))
	}
	if len(parts) == 0 {
		return ""
	}
	return " [" + strings.Join(parts, ", ") + "]"
}

// want compares the tree of spans.
func (c *traced) want(want string) {
	c.t.Helper()
	want = strings.TrimPrefix(strings.ReplaceAll(want, "\n\t\t", "\n"), "\n")
	if got := c.tree(); got != want {
		c.t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

var daily = elastic.Job{Name: "report", Schedule: "0 5 0 * * ?", Shards: 1, Failover: true}

// A run that succeeds: a span of the run, and one of the call.
func TestTracing_Success(t *testing.T) {
	fleet(t, func(c *traced) {
		var inHandler trace.SpanContext
		c.Add(daily, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
			inHandler = trace.SpanContextFromContext(ctx)
			return elastictest.Work(ctx, 3*time.Second)
		}))
		c.start("a")
		c.NextFire("report")
		c.UntilQuiet()
		c.want(`
		run report [attempt=1, result=ok]
		  call report [retry=0]
		`)
		spans := c.recorder.Ended()
		call, run := spans[0], spans[1]
		if call.SpanContext().SpanID() != inHandler.SpanID() {
			t.Error("the handler has not the span of its call in its context")
		}
		if record := c.Record("report", 0); record.Trace.ID != run.SpanContext().TraceID() ||
			record.Trace.Span != run.SpanContext().SpanID() {
			t.Errorf("the record names the span %s, want %v", record.Trace, run.SpanContext())
		}
		if d := run.EndTime().Sub(run.StartTime()); d < 3*time.Second {
			t.Errorf("the span of the run lasts %s", d)
		}
		attributes := attribute.NewSet(run.Attributes()...)
		for _, key := range []string{"job.system", "elasticjob.fence", "elasticjob.instance", "elasticjob.late_ms"} {
			if !attributes.HasValue(attribute.Key(key)) {
				t.Errorf("the span of the run has no %s: %v", key, run.Attributes())
			}
		}
	})
}

// A run with retries has a span for each call. A failure is an error of both.
func TestTracing_Retries(t *testing.T) {
	fleet(t, func(c *traced) {
		c.opts.Slow = time.Hour
		job := daily
		job.Retries = 2
		c.Add(job, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
			if run.Retry == 1 {
				panic("oh")
			}
			return fmt.Errorf("out of paper %d", run.Retry)
		}))
		c.start("a")
		c.NextFire("report")
		c.Advance(time.Minute)
		c.want(`
		run report [attempt=1, code=handler_error, slow=true, result=failed, error: failed]
		  call report [retry=0, error: out of paper 0, event exception]
		  call report [retry=1, error: panic: oh, event exception]
		  call report [retry=2, error: out of paper 2, event exception]
		`)
	})
}

// A run that is taken over links to the attempt before, which ran on another
// instance.
func TestTracing_TakeOver(t *testing.T) {
	fleet(t, func(c *traced) {
		c.Add(daily, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
			return elastictest.Work(ctx, time.Minute)
		}))
		c.start("a", "b")
		c.NextFire("report")
		c.Cut(c.Owners("report")[0])
		c.Advance(5 * time.Minute)
		c.want(`
		run report [attempt=1, result=lost, error: lost]
		  call report [retry=0, error: this instance lost its session with the store: another may run the shard from now on, event exception]
		run report [attempt=2, result=ok, link attempt to run report attempt 1]
		  call report [retry=0]
		`)
	})
}

// The runs of a trigger link to the span that gave it, which is below that of
// the caller.
func TestTracing_Trigger(t *testing.T) {
	fleet(t, func(c *traced) {
		c.Add(elastic.Job{Name: "report", Schedule: "@manual", Shards: 2},
			elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error { return elastic.Skip("no data") }))
		c.start("a")
		c.Settle()
		ctx, span := c.provider.Tracer("test").Start(context.Background(), "caller")
		if _, err := c.tracings["a"].Trigger(ctx, c.Scheduler("a"), "report"); err != nil {
			t.Fatal(err)
		}
		span.End()
		c.Advance(time.Minute)
		c.want(`
		caller
		  trigger report
		run report [attempt=1, code=handler_skipped, result=skipped, link trigger to trigger report]
		  call report [retry=0]
		run report [attempt=1, code=handler_skipped, result=skipped, link trigger to trigger report]
		  call report [retry=0]
		`)
		if _, err := c.tracings["a"].Trigger(ctx, c.Scheduler("a"), "nothing"); err == nil {
			t.Error("a trigger of no job succeeded")
		}
		if _, err := c.Scheduler("a").Trigger(ctx, "report", elastic.WithTraceParent("garbage")); err == nil {
			t.Error("garbage was accepted as a traceparent")
		}
	})
}

// A run that is cancelled in favour of a later fire is no error.
func TestTracing_Cancel(t *testing.T) {
	fleet(t, func(c *traced) {
		job := daily
		job.Schedule, job.Overlap = "0 5,6 0 * * ?", elastic.OverlapReplace
		c.Add(job, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
			if run.Fire.Minute() == 5 {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return nil
		}))
		c.start("a")
		c.NextFire("report")
		c.Advance(2 * time.Minute)
		c.want(`
		run report [attempt=1, code=replaced, result=replaced]
		  call report [retry=0, error: a later fire of the shard replaces this run, event exception]
		run report [attempt=1, result=ok]
		  call report [retry=0]
		`)
	})
}

// All shards of a fire have one trace where that is asked for, on all
// instances.
func TestTracing_OneTracePerFire(t *testing.T) {
	fleet(t, func(c *traced) {
		c.opts.OneTracePerFire = true
		job := daily
		job.Shards = 4
		c.Add(job, elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
		c.start("a", "b")
		for range 2 {
			c.NextFire("report")
			c.UntilQuiet()
		}
		fires, traces := map[string]trace.TraceID{}, map[trace.TraceID]bool{}
		for _, s := range c.recorder.Ended() {
			for _, a := range s.Attributes() {
				if a.Key != "elasticjob.fire" {
					continue
				}
				fire, id := a.Value.String(), s.SpanContext().TraceID()
				if other, ok := fires[fire]; ok && other != id {
					t.Errorf("the fire of %s has the traces %s and %s", fire, other, id)
				}
				fires[fire], traces[id] = id, true
			}
		}
		if len(fires) != 2 || len(traces) != 2 {
			t.Errorf("%d fires have %d traces, want 2 and 2", len(fires), len(traces))
		}
	})
}

// No span stays open: not of instances that lose their session, drain or crash.
func TestTracing_EndsAllSpans(t *testing.T) {
	fleet(t, func(c *traced) {
		job := daily
		job.Schedule, job.Shards = "0 * * * * ?", 5
		job.CarryOn = 20 * time.Second
		c.Add(job, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
			return elastictest.Work(ctx, 40*time.Second)
		}))
		c.start("a", "b", "c")
		c.Advance(90 * time.Second)
		c.Cut("a")
		c.Advance(12 * time.Second) // the session is over, and runs carry on
		c.Heal("a")
		c.Advance(time.Minute)
		c.Cut("b")
		c.Advance(3 * time.Minute)
		c.Heal("b")
		for _, name := range []string{"a", "b", "c"} {
			if err := c.Drain(name); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		started, ended := len(c.recorder.Started()), len(c.recorder.Ended())
		if started != ended || started < 30 {
			t.Errorf("%d spans were started, %d ended", started, ended)
		}
		for _, s := range c.recorder.Ended() {
			if strings.HasPrefix(s.Name(), "run ") && !slices.ContainsFunc(s.Attributes(), isResult) {
				t.Errorf("a span has no result: %v", s.Attributes())
			}
		}
	})
}

func isResult(a attribute.KeyValue) bool { return a.Key == "elasticjob.result" }

// HTTP jobs and scripts get the span of their call by the W3C Trace Context.
func TestPropagation_ReachesCallsAndScripts(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	tracing, err := otel.NewTracing(provider, otel.TracingOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen["http"] = r.Header.Get("traceparent")
	}))
	defer server.Close()
	call, err := httpcall.New(httpcall.Request{
		URL:    server.URL,
		Allow:  []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Header: otel.Header,
	})
	if err != nil {
		t.Fatal(err)
	}
	shell, err := script.New(script.Script{
		Path:      "sh",
		Args:      []string{"-c", `echo "$TRACEPARENT"`},
		Variables: otel.Variables,
		Output: func(_ elastic.Run, line string) {
			mu.Lock()
			defer mu.Unlock()
			seen["script"] = line
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]elastic.Handler{"http": call, "script": shell} {
		if err := tracing.Wrap(h).Handle(t.Context(), elastic.Run{Job: name, Fire: noon, Attempt: 1}); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, s := range recorder.Ended() {
		c := s.SpanContext()
		name := strings.TrimPrefix(s.Name(), "call ")
		if want := fmt.Sprintf("00-%s-%s-01", c.TraceID(), c.SpanID()); seen[name] != want {
			t.Errorf("%s got the traceparent %q, want %q", name, seen[name], want)
		}
	}
	if len(recorder.Ended()) != 2 {
		t.Errorf("%d spans ended, want the 2 calls", len(recorder.Ended()))
	}
	if h, v := otel.Header(t.Context()), otel.Variables(t.Context()); len(h) != 0 || len(v) != 0 {
		t.Errorf("without a span there are %v and %v", h, v)
	}
}

// panicking is a span processor that panics.
type panicking struct{ sdktrace.SpanProcessor }

func (panicking) OnStart(context.Context, sdktrace.ReadWriteSpan) { panic("start") }
func (panicking) OnEnd(sdktrace.ReadOnlySpan)                     { panic("end") }

// A provider that panics costs the spans and no run. An error whose methods
// panic costs nothing.
func TestTracing_SurvivesHostileParts(t *testing.T) {
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(panicking{}))
	tracing, err := otel.NewTracing(provider, otel.TracingOptions{})
	if err != nil {
		t.Fatal(err)
	}
	run := elastic.Run{Job: "report", Fire: noon, Attempt: 1}
	called := 0
	ok := tracing.Wrap(elastic.HandlerFunc(func(context.Context, elastic.Run) error { called++; return nil }))
	if err := ok.Handle(t.Context(), run); err != nil || called != 1 {
		t.Errorf("got %v after %d calls", err, called)
	}
	tracing, err = otel.NewTracing(sdktrace.NewTracerProvider(), otel.TracingOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var hostile error = &bad{}
	failing := tracing.Wrap(elastic.HandlerFunc(func(context.Context, elastic.Run) error { return hostile }))
	if err := failing.Handle(t.Context(), run); err != hostile {
		t.Errorf("got another error")
	}
}

type bad struct{}

func (*bad) Error() string   { panic("error") }
func (*bad) As(any) bool     { panic("as") }
func (*bad) Unwrap() []error { panic("unwrap") }

// Faults of the options are refused, and a second scheduler is.
func TestNewTracing_RefusesFaults(t *testing.T) {
	if _, err := otel.NewTracing(nil, otel.TracingOptions{}); err == nil {
		t.Error("a nil provider was accepted")
	}
	provider := sdktrace.NewTracerProvider()
	if _, err := otel.NewTracing(provider, otel.TracingOptions{Slow: -1}); err == nil {
		t.Error("a negative Slow was accepted")
	}
	tracing, err := otel.NewTracing(provider, otel.TracingOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := elastic.Open(t.Context(), "memory:///x", elastic.WithTracer(tracing)); err != nil {
		t.Error(err)
	}
	if _, err := elastic.Open(t.Context(), "memory:///x", elastic.WithTracer(tracing)); err == nil {
		t.Error("a second scheduler was accepted")
	}
	if _, err := elastic.Open(t.Context(), "memory:///x", elastic.WithTracer((*otel.Tracing)(nil))); err == nil {
		t.Error("a nil tracer was accepted")
	}
}
