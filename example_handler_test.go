package elastic_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic"
)

// reporter is a handler with what it needs: it makes the reports of a region.
type reporter struct{ bucket string }

func (r reporter) Handle(ctx context.Context, run elastic.Run) error {
	fmt.Printf("part %d of %d: %s to %s\n", run.Shard+1, run.Shards, run.Parameter, r.bucket)
	return nil
}

// Validate is asked when the job is added.
func (r reporter) Validate() error {
	if r.bucket == "" {
		return fmt.Errorf("bucket: is empty")
	}
	return nil
}

// A handler can be a struct with whatever it needs. If it has a method
// Validate, Add asks it.
func ExampleHandler() {
	once(elastic.Job{Name: "report", ShardParameters: map[int]string{0: "Beijing"}}, reporter{bucket: "s3://reports"})

	s, err := elastic.Open(context.Background(), "memory://handlers")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	fmt.Println(s.Add(elastic.Job{Name: "report", Schedule: "@daily"}, reporter{}))
	// Output:
	// part 1 of 1: Beijing to s3://reports
	// report/0 ok
	// add job "report": its handler is not valid: bucket: is empty
}

// What a handler is told: which part of the work is its own.
func ExampleHandlerFunc() {
	var mu sync.Mutex
	users := []string{"ann", "bob", "cem", "dan", "eve"}
	mailed := map[string]int{}

	mail := elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		for i, user := range users {
			if i%run.Shards == run.Shard { // SELECT … WHERE id % $total = $item
				mu.Lock()
				mailed[user] = run.Shard
				mu.Unlock()
			}
		}
		return nil
	})
	once(elastic.Job{Name: "mails", Shards: 2}, mail)
	fmt.Println(mailed)
	// Output:
	// mails/0 ok
	// mails/1 ok
	// map[ann:0 bob:1 cem:0 dan:1 eve:0]
}

// A payment that is repeated because an instance died is made once: the payment
// service refuses a key that it has seen.
func ExampleRun_Key() {
	run := elastic.Run{Job: "payments", Shard: 3, Fire: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)}
	fmt.Println(run.Key())
	run.Attempt = 2
	fmt.Println(run.Key())
	// Output:
	// payments/3/2026-01-02T03:00:00Z
	// payments/3/2026-01-02T03:00:00Z
}

// A table that keeps the greatest fence that it has seen can't be spoilt by a
// machine that was paused while another took its run over.
func ExampleRun_Fence() {
	var seen uint64
	save := func(fence uint64) error { // UPDATE … SET fence = $1 WHERE fence <= $1
		if fence < seen {
			return fmt.Errorf("another instance has gone on with this")
		}
		seen = fence
		return nil
	}
	once(elastic.Job{Name: "balance"}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		return save(run.Fence())
	}))
	fmt.Println(save(seen - 1))
	// Output:
	// balance/0 ok
	// another instance has gone on with this
}

// A run that takes hours stops when its shard moves, and the shard's next owner
// goes on with it.
func ExampleRun_Moving() {
	replay := func(ctx context.Context, run elastic.Run, next func() bool) error {
		for next() {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if run.Moving() {
				return elastic.HandOver("the shard moves") // what is done is done
			}
		}
		return nil
	}
	left := 1000
	once(elastic.Job{
		Name:     "replay",
		Failover: true,
	}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		return replay(ctx, run, func() bool { left--; return left > 0 })
	}))
	// Output:
	// replay/0 ok
}
