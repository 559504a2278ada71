package elastic_test

import (
	"context"
	"fmt"

	"github.com/elasticjob-go/elastic"
)

// What is to be done before and after each run, of all jobs and of one.
func ExampleMiddleware() {
	around := func(what string) elastic.Middleware {
		return func(next elastic.Handler) elastic.Handler {
			return elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
				fmt.Println("before:", what)
				defer fmt.Println("after:", what)
				return next.Handle(ctx, run)
			})
		}
	}
	s, err := elastic.Open(context.Background(), "memory://middleware", elastic.WithMiddleware(around("trace")))
	if err != nil {
		fmt.Println(err)
		return
	}
	ran := make(chan bool)
	s.MustAdd(elastic.Job{
		Name:     "report",
		Schedule: "@manual",
	}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		fmt.Println(run.Job)
		close(ran)
		return nil
	}), elastic.Use(around("transaction")))
	stop := running(s)
	byHand(s, "report")
	<-ran
	stop()
	// Output:
	// before: trace
	// before: transaction
	// report
	// after: transaction
	// after: trace
}
