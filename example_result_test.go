package elastic_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic"
)

// A handler that finds nothing to do says so, and the run counts neither as a
// success nor as a failure.
func ExampleSkip() {
	once(elastic.Job{Name: "invoices"}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		return elastic.Skip("no new orders")
	}))
	// Output:
	// invoices/0 skipped
}

// What another try would not mend is not tried again.
func ExamplePermanent() {
	once(elastic.Job{Name: "import", Retries: 5}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		fmt.Println("called")
		return elastic.Permanent(errors.New("the file is not a table"))
	}))
	// Output:
	// called
	// import/0 failed: the file is not a table
}

// A service that is busy says when to come back.
func ExampleRetryIn() {
	once(elastic.Job{Name: "export"}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		if run.Retry == 0 {
			return elastic.RetryIn(10*time.Millisecond, errors.New("429 Too Many Requests")) // Retry-After
		}
		fmt.Println("exported at call", run.Retry+1)
		return nil
	}))
	// Output:
	// exported at call 2
	// export/0 ok
}

// A run is handed over only if its shard moves. This one does not, and so it
// has failed.
func ExampleHandOver() {
	once(elastic.Job{
		Name:     "replay",
		Failover: true,
	}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		return elastic.HandOver("the next owner can do this")
	}))
	// Output:
	// replay/0 failed: not finished: the next owner can do this
}

// What fails now and then is tried again by the same instance, after a while
// that grows.
func ExampleJob_retries() {
	flaky := elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		if run.Retry < 2 {
			return errors.New("connection reset")
		}
		fmt.Println("done at call", run.Retry+1)
		return nil
	})
	once(elastic.Job{Name: "sync", Retries: 3, RetryDelay: 5 * time.Millisecond, RetryMaxDelay: time.Second}, flaky)
	// Output:
	// done at call 3
	// sync/0 ok
}

// A run that takes too long is told to stop. The cause says why.
func ExampleJob_timeout() {
	once(elastic.Job{
		Name:    "crawl",
		Timeout: 10 * time.Millisecond,
	}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		<-ctx.Done()
		fmt.Println(errors.Is(context.Cause(ctx), elastic.ErrTimeout))
		return context.Cause(ctx)
	}))
	// Output:
	// true
	// crawl/0 failed: the run took longer than the job's timeout
}
