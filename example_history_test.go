package elastic_test

import (
	"context"
	"fmt"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/history"
)

// A recorder keeps the runs of an instance, here in memory.
func ExampleWithHistory() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ring := history.NewRing(1000)
	rec := history.New(ring, history.Options{})
	s, err := elastic.Open(ctx, "memory://history", elastic.WithHistory(rec))
	if err != nil {
		fmt.Println(err)
		return
	}
	job := elastic.Job{Name: "report", Schedule: "* * * * * ?"}
	s.MustAdd(job, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
		cancel() // one run is enough
		return nil
	}))
	if err := s.Run(ctx); err != nil {
		fmt.Println(err)
	}
	if err := rec.Close(context.Background()); err != nil {
		fmt.Println(err)
	}

	p, err := ring.Runs(context.Background(), history.RunQuery{Namespace: "elastic", Job: "report"})
	if err != nil {
		fmt.Println(err)
	}
	for _, run := range p.Items {
		fmt.Println(run.Job, run.Attempt, run.Result)
	}
	// Output:
	// report 1 ok
}

// A handler logs to the log of its run, which is stored if the run fails.
func ExampleLog() {
	handler := elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		log := elastic.Log(ctx)
		log.Info("printing", "pages", 12)
		return nil
	})
	// A test of a handler needs no scheduler: the records are discarded.
	fmt.Println(handler.Handle(context.Background(), elastic.Run{Job: "report"}))
	// Output:
	// <nil>
}

// What is written to Output is part of the log of the run.
func ExampleOutput() {
	handler := elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		_, err := fmt.Fprintln(elastic.Output(ctx), "12 pages")
		return err
	})
	fmt.Println(handler.Handle(context.Background(), elastic.Run{Job: "report"}))
	// Output:
	// <nil>
}
