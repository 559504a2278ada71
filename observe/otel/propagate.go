package otel

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// carrier has the headers of the W3C Trace Context.
func carrier(ctx context.Context) propagation.MapCarrier {
	c := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, c)
	return c
}

// Header returns the headers traceparent and tracestate of the span in ctx, for
// the field Header of an httpcall.Request. It returns none if there is no span.
func Header(ctx context.Context) http.Header {
	h := http.Header{}
	for name, value := range carrier(ctx) {
		h.Set(name, value)
	}
	return h
}

// Variables returns the variables TRACEPARENT and TRACESTATE of the span in
// ctx, for the field Variables of a script.Script. It returns none if there is
// no span.
func Variables(ctx context.Context) []string {
	var all []string
	for name, value := range carrier(ctx) {
		all = append(all, strings.ToUpper(name)+"="+value)
	}
	return all
}
