package history

import (
	"context"
	"errors"
	"fmt"
)

// Tee returns a sink that gives each batch to all of the sinks, one after the
// other. It fails if one of them fails; then the recorder writes the batch
// again, and the sinks that have it ignore it. So a sink that fails holds up
// the others. A row that one sink refuses is dropped, even if others took it.
func Tee(sinks ...Sink) Sink { return tee(sinks) }

type tee []Sink

// Write gives the batch to all sinks.
func (t tee) Write(ctx context.Context, b Batch) error {
	var failures, refusals []error
	for i, s := range t {
		err := s.Write(ctx, b.clone())
		switch {
		case err == nil:
		case Refused(err):
			refusals = append(refusals, fmt.Errorf("sink %d: %w", i+1, err))
		default:
			failures = append(failures, fmt.Errorf("sink %d: %w", i+1, err))
		}
	}
	if len(failures) > 0 { // which the next attempt may not have
		return errors.Join(failures...)
	}
	return errors.Join(refusals...)
}

// clone returns a batch that a sink can change.
func (b *Batch) clone() Batch {
	c := Batch{
		Runs:   append([]Run(nil), b.Runs...),
		Missed: append([]Missed(nil), b.Missed...),
		Events: append([]Event(nil), b.Events...),
		Gaps:   append([]Gap(nil), b.Gaps...),
		Audit:  append([]Audit(nil), b.Audit...),
	}
	for i := range b.Logs {
		b.Logs[i].into(&c)
	}
	return c
}
