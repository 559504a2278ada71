package elastic

import (
	"context"
	"fmt"
	"slices"

	"github.com/elasticjob-go/elastic/internal/guard"
)

// Middleware wraps a handler, to act before and after each call: open a
// transaction, start a trace, hold a lock. It returns a handler that may call
// next:
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
// A retry is a call of its own. The result of the outermost middleware is the
// result of the call. A panic passes through all middleware.
type Middleware func(next Handler) Handler

// WithMiddleware wraps the handlers of all jobs. The first middleware is the
// outermost. A nil middleware is an error.
func WithMiddleware(m ...Middleware) Option {
	return func(c *config) {
		if i := indexNil(m); i >= 0 {
			c.faults.Add("option WithMiddleware: middleware %d is nil", i+1)
			return
		}
		c.middleware = append(c.middleware, m...)
	}
}

// Use wraps the handler of one job, inside the middleware of the scheduler. The
// first middleware is the outermost. A nil middleware is an error.
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

// whileHeld calls a handler only while this instance certainly holds the run.
// It is the innermost wrapper, because middleware can take long, and the
// process can be stopped in it.
type whileHeld struct{ next Handler }

// Handle calls the handler, or returns the cause with which its context has
// ended.
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
