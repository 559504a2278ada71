package integration

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/failover"
)

// Middleware wraps the handler in the order given, that of the scheduler
// outside that of the job.
func TestMiddleware_Order(t *testing.T) {
	bubble(t, func(c *cluster) {
		var mu sync.Mutex
		var calls []string
		note := func(name string) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, name)
		}
		tell := func(name string) elastic.Middleware {
			return func(next elastic.Handler) elastic.Handler {
				return elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
					note(name)
					defer note("/" + name)
					return next.Handle(ctx, run)
				})
			}
		}
		refuse := errors.New("not on Sundays")
		stop := func(elastic.Handler) elastic.Handler {
			return elastic.HandlerFunc(func(context.Context, elastic.Run) error { return refuse })
		}
		c.does(func(context.Context, elastic.Run) error { note("handler"); return nil })
		a := c.start("a", elastic.WithMiddleware(tell("1"), tell("2")), elastic.WithMiddleware(tell("3")))
		c.add(a, elastic.Job{Name: "report", Schedule: "0 * * * * ?"}, elastic.Use(tell("4"), tell("5")))
		c.pass(61 * time.Second)
		mu.Lock()
		got := strings.Join(calls, " ")
		mu.Unlock()
		if want := "1 2 3 4 5 handler /5 /4 /3 /2 /1"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		c.add(a, elastic.Job{Name: "closed", Schedule: "0 * * * * ?"}, elastic.Use(stop))
		c.pass(time.Minute)
		if r := c.record("closed", 0); r.Result != failover.ResultFailed || r.Error != refuse.Error() {
			t.Errorf("a middleware that does not call the handler: %s %q", r, r.Error)
		}
	})
}
