package elastic_test

import (
	"context"
	"fmt"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// printer is a tracer that prints. Package observe/otel has one that makes
// spans.
type printer struct{}

func (printer) Attach(func() observe.Stats) error { return nil }
func (printer) Observe(elastic.Event)             {}
func (printer) ObserveStore(store.Request)        {}
func (printer) OneTracePerFire() bool             { return false }

func (printer) Wrap(next elastic.Handler) elastic.Handler {
	return elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		var trace elastic.Trace = run.Trace()
		fmt.Println("the run has a name:", !trace.Own.IsZero())
		fmt.Println("triggered by:", trace.Trigger)
		return next.Handle(ctx, run)
	})
}

// A tracer wraps the calls of all handlers. A trigger can carry the name of the
// span that gave it.
func ExampleWithTracer() {
	var tracer elastic.Tracer = printer{}
	s, err := elastic.Open(context.Background(), "memory:///tracer", elastic.WithTracer(tracer))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	s.MustAdd(elastic.Job{Name: "report", Schedule: "@manual"},
		elastic.HandlerFunc(func(context.Context, elastic.Run) error { cancel(); return nil }))
	go func() { done <- s.Run(ctx) }()
	byHand(s, "report", elastic.WithTraceParent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
	fmt.Println(<-done)
	// Output:
	// the run has a name: true
	// triggered by: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
	// <nil>
}

// The names of a run say what came before it.
func ExampleTrace() {
	h := elastic.HandlerFunc(func(_ context.Context, run elastic.Run) error {
		var names elastic.Trace = run.Trace()
		if names.Previous.IsZero() {
			fmt.Println("no attempt before this one has a name")
		}
		return nil
	})
	if err := h.Handle(context.Background(), elastic.Run{Job: "report"}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// no attempt before this one has a name
}
