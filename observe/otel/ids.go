package otel

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"

	"github.com/elasticjob-go/elastic/failover"
)

// IDs generates the IDs of spans. It is an IDGenerator of OpenTelemetry's SDK:
// give it to the tracer provider by sdktrace.WithIDGenerator. The span of a run
// then has the ID that the store keeps, so a later attempt on another instance
// can link to it. All other spans have random IDs. The zero value is ready to
// use, and safe for concurrent use.
type IDs struct{}

// named is the key in a context of the name that a span must have.
type named struct{}

// NewIDs returns the IDs of a span without a parent.
func (IDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if t, ok := ctx.Value(named{}).(failover.Trace); ok && !t.IsZero() {
		return t.ID, t.Span
	}
	var id trace.TraceID
	binary.BigEndian.PutUint64(id[:8], rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()|1) // not zero
	return id, newSpanID()
}

// NewSpanID returns the ID of a span with a parent.
func (IDs) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return newSpanID() }

func newSpanID() (id trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], rand.Uint64()|1)
	return id
}
