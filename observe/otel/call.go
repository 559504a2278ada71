package otel

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/engine"
	"github.com/elasticjob-go/elastic/internal/guard"
)

// call calls a handler in a span. A panic passes through, as the scheduler
// reports it.
func (t *Tracing) call(ctx context.Context, span trace.Span, next elastic.Handler, run elastic.Run) error {
	returned := false
	defer func() {
		if !returned {
			noteUnreturned(span, recover())
		}
	}()
	err := next.Handle(ctx, run)
	returned = true
	note(span, err)
	end(span)
	return err
}

// noteUnreturned ends the span of a handler that panicked, and lets the panic
// go on; or that of one that called runtime.Goexit, for which v is nil.
func noteUnreturned(span trace.Span, v any) {
	if v == nil {
		span.SetStatus(codes.Error, "the handler called runtime.Goexit")
		end(span)
		return
	}
	text := guard.Recovered(v).Value
	span.AddEvent(exceptionEvent, trace.WithAttributes(
		attribute.String(exceptionType, fmt.Sprintf("panic %T", v)),
		attribute.String(exceptionMessage, text),
		attribute.String(exceptionStack, string(debug.Stack())),
	))
	span.SetStatus(codes.Error, "panic: "+text)
	end(span)
	panic(v)
}

// note sets the status of a call by what the handler returned. That it had
// nothing to do, or hands the run over, is no error.
func note(span trace.Span, err error) {
	if err == nil {
		return
	}
	skipped, handOver := (*engine.Skipped)(nil), (*engine.HandOver)(nil)
	var quiet bool
	fault := guard.Catch(func() { quiet = errors.As(err, &skipped) || errors.As(err, &handOver) })
	if fault == nil && quiet {
		return
	}
	text, _ := guard.Show(err)
	span.AddEvent(exceptionEvent, trace.WithAttributes(
		attribute.String(exceptionType, fmt.Sprintf("%T", err)),
		attribute.String(exceptionMessage, text),
	))
	span.SetStatus(codes.Error, text)
}
