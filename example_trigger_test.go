package elastic_test

import (
	"context"
	"fmt"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/store/memory"
)

// A job that runs only by triggers: for some shards, with a parameter.
func ExampleScheduler_Trigger() {
	s, err := elastic.Open(context.Background(), "memory://by-hand")
	if err != nil {
		fmt.Println(err)
		return
	}
	told := make(chan string)
	s.MustAdd(elastic.Job{
		Name:      "report",
		Schedule:  "@manual",
		Shards:    3,
		Parameter: "daily",
	}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		told <- fmt.Sprintf("shard %d: %q, by trigger: %t", run.Shard, run.Parameter, run.Trigger > 0)
		return nil
	}))
	defer running(s)()
	// Calls Trigger when the job is in the store.
	byHand(s, "report", elastic.OnShards(0, 2), elastic.WithParameter("2026-01"))
	for _, line := range collect(told, 2) {
		fmt.Println(line)
	}

	_, err = s.Trigger(context.Background(), "report", elastic.OnShards(3))
	fmt.Println(err)
	// Output:
	// shard 0: "2026-01", by trigger: true
	// shard 2: "2026-01", by trigger: true
	// trigger job "report": job "report" has the shards 0 to 2, but was triggered for [3]
}

// Ready is for what has to wait until this instance has joined, such as a
// readiness probe.
func ExampleScheduler_Ready() {
	s, err := elastic.Open(context.Background(), "memory://ready")
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(context.Background()) }()
	select {
	case <-s.Ready():
		fmt.Println("joined")
	case err := <-done: // before it has joined
		fmt.Println(err)
	}
	_ = s.Close()
	// Output:
	// joined
}

// A trigger for a job that no live instance has is an error, unless it may wait
// for one.
func ExampleForce() {
	ctx := context.Background()
	server := memory.NewServer()
	job := elastic.Job{Name: "report", Schedule: "@manual"}
	worker, err := elastic.New(server.Connect("worker"))
	if err != nil {
		fmt.Println(err)
		return
	}
	ran := make(chan uint64, 1)
	handler := elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		ran <- run.Trigger
		return nil
	})
	worker.MustAdd(job, handler)
	stop := running(worker)
	<-worker.Ready()
	byHand(worker, "report")
	<-ran
	stop() // the job stays in the store

	operator, err := elastic.New(server.Connect("operator"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer running(operator)()
	_, err = operator.Trigger(ctx, "report")
	fmt.Println(err)
	_, err = operator.Trigger(ctx, "report", elastic.Force())
	fmt.Println(err)
	// Output:
	// trigger job "report": no live instance has the job "report": start one that has, or use elastic.Force
	// <nil>
}
