package elastic_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// tally is an exporter that counts. Package observe/prom has one for
// Prometheus.
type tally struct {
	stats    func() observe.Stats
	runs     atomic.Int64
	requests atomic.Int64
}

func (t *tally) Attach(stats func() observe.Stats) error {
	t.stats = stats
	return nil
}

func (t *tally) Observe(e elastic.Event) {
	if e.Kind == observe.Ended {
		t.runs.Add(1)
	}
}

func (t *tally) ObserveStore(store.Request) { t.requests.Add(1) }

// An exporter is told of each event and of each request to the store, and can
// ask for the state of the instance.
func ExampleWithExporter() {
	var exporter elastic.Exporter = &tally{}
	s, err := elastic.Open(context.Background(), "memory:///exporter", elastic.WithExporter(exporter))
	if err != nil {
		fmt.Println(err)
		return
	}
	s.MustAdd(elastic.Job{Name: "report", Schedule: "@manual", Shards: 2},
		elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	fmt.Println("healthy:", s.Health().Held)
	if _, err := s.Trigger(ctx, "report"); err != nil {
		fmt.Println(err)
	}
	for exporter.(*tally).runs.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	for _, j := range exporter.(*tally).stats().Jobs {
		fmt.Println(j.Name, "has", j.Owned, "shards here")
	}
	cancel()
	fmt.Println(<-done)
	// Output:
	// healthy: true
	// report has 2 shards here
	// <nil>
}
