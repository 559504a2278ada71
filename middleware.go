package elastic

import (
	"context"
	"fmt"
	"slices"

	"github.com/elasticjob-go/elastic/internal/guard"
)

// Middleware is put around a handler: for what is to be done before and after each call, such as to open a transaction, start a trace
// or hold a lock. It returns a handler that calls the given one, or not:
//
//	func timed(next elastic.Handler) elastic.Handler {
//		return elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
//			began := time.Now()
//			err := next.Handle(ctx, run)
//			log.Printf("%s took %s: %v", run.Key(), time.Since(began), err)
//			return err
//		})
//	}
//
// A retry is a call of its own. What the outermost returns is the result; a panic passes through all.
type Middleware func(next Handler) Handler

// WithMiddleware puts middleware around the handlers of all jobs, the first
// outermost. None may be nil.
func WithMiddleware(m ...Middleware) Option {
	return func(c *config) {
		if i := indexNil(m); i >= 0 {
			c.faults.Add("option WithMiddleware: middleware %d is nil", i+1)
			return
		}
		c.middleware = append(c.middleware, m...)
	}
}

// Use puts middleware around the handler of one job, the first outermost, inside
// that of the scheduler. None may be nil.
func Use(m ...Middleware) AddOption {
	return func(a *addition) {
		if i := indexNil(m); i >= 0 {
			a.faults.Add("option Use: middleware %d is nil", i+1)
			return
		}
		a.middleware = append(a.middleware, m...)
	}
}

func indexNil(all []Middleware) int {
	return slices.IndexFunc(all, func(m Middleware) bool { return m == nil })
}

// whileHeld enters a handler only while its instance surely holds the run. It is the innermost: middleware can take long, or be where the process was
// stopped.
type whileHeld struct{ next Handler }

// Handle calls the handler, or returns the cause for which its context has ended.
func (h whileHeld) Handle(ctx context.Context, run Run) error {
	if !run.Held() {
		return ErrSessionLost
	}
	return h.next.Handle(ctx, run)
}

// wrap puts middleware around a handler.
func wrap(h Handler, around []Middleware) (Handler, error) {
	for i, m := range slices.Backward(around) {
		if fault := guard.Catch(func() { h = m(h) }); fault != nil {
			return nil, fmt.Errorf("middleware %d %w", i+1, fault)
		}
		if guard.IsNil(h) {
			return nil, fmt.Errorf("middleware %d returned a nil handler", i+1)
		}
	}
	return h, nil
}
