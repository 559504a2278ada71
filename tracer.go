package elastic

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/internal/guard"
)

// Tracer is an exporter that makes spans of runs. Package observe/otel has one.
type Tracer interface {
	Exporter

	// Wrap is the outermost middleware of all jobs.
	Wrap(next Handler) Handler

	// OneTracePerFire reports whether all runs of a fire, on all instances,
	// have the same trace. It is called once, when the scheduler is made.
	OneTracePerFire() bool
}

// WithTracer makes spans of the runs of all jobs. Each claim gets the name of
// its span, which [Run.Trace] returns, and which the store keeps: so a later
// attempt on another instance can name the one before. A scheduler has at most
// one tracer.
func WithTracer(t Tracer) Option {
	return func(c *config) {
		if guard.IsNil(t) {
			c.faults.Add("option WithTracer: the tracer is nil")
			return
		}
		if c.tracer != nil {
			c.faults.Add("option WithTracer: there are two tracers")
			return
		}
		c.tracer = t
		WithExporter(t)(c)
	}
}

// traced makes the scheduler name the spans of its runs.
func (c *config) traced(cfg *engine.Config) {
	if c.tracer == nil {
		return
	}
	c.middleware = append([]Middleware{c.tracer.Wrap}, c.middleware...)
	perFire, err := guard.Call(guard.Patience, c.tracer.OneTracePerFire)
	if err != nil || !perFire {
		cfg.Trace = func(engine.Tracing) failover.Trace { return randomTrace() }
		return
	}
	namespace := c.namespace
	cfg.Trace = func(t engine.Tracing) failover.Trace { return traceOfFire(namespace, t) }
}

// randomTrace returns a trace that is different from all others. Its numbers
// need not be secret.
func randomTrace() (t failover.Trace) {
	binary.BigEndian.PutUint64(t.ID[:8], rand.Uint64())
	binary.BigEndian.PutUint64(t.ID[8:], rand.Uint64()|1) // not zero
	binary.BigEndian.PutUint64(t.Span[:], rand.Uint64()|1)
	return t
}

// traceOfFire returns a trace whose ID is that of the fire or trigger: all
// instances compute the same without talking to each other.
func traceOfFire(namespace string, run engine.Tracing) failover.Trace {
	t := randomTrace()
	h := sha256.New()
	for _, part := range []string{"elasticjob trace", namespace, run.Job} {
		h.Write([]byte(part))
		h.Write([]byte{0}) // names have no such byte
	}
	number := run.Trigger
	if number == 0 {
		number = uint64(run.Fire.UTC().Truncate(time.Millisecond).UnixMilli())
	} else {
		h.Write([]byte("trigger"))
	}
	h.Write(binary.BigEndian.AppendUint64(nil, number))
	copy(t.ID[:], h.Sum(nil))
	t.ID[15] |= 1 // not zero
	return t
}
