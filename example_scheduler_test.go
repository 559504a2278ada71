package elastic_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic"
)

func ExampleScheduler() {
	ctx, stop := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer stop()
	s, err := elastic.Open(ctx, "memory://example")
	if err != nil {
		panic(err)
	}
	var once sync.Once
	s.MustAdd(elastic.Job{
		Name:            "report",
		Schedule:        "* * * * * ?",
		ShardParameters: map[int]string{0: "Beijing"},
	}, elastic.HandlerFunc(func(_ context.Context, run elastic.Run) error {
		once.Do(func() { fmt.Println(run.Job, run.Shard, run.Parameter) })
		return nil
	}))
	if err := s.Run(ctx); err != nil { // blocks until ctx ends; nil after a clean drain
		panic(err)
	}
	// Output: report 0 Beijing
}
