package elastic_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/observe"
)

// eventsOf returns the events of these kinds, in order.
func eventsOf(c *elastictest.Cluster, kinds ...observe.Kind) []elastic.Event {
	var all []elastic.Event
	for _, e := range c.Events() {
		for _, kind := range kinds {
			if e.Kind == kind {
				all = append(all, e)
			}
		}
	}
	return all
}

// A job whose labels no live instance has says so once for the whole fleet, and
// once that it no longer waits.
func TestWaiting_LabelsThatNoInstanceHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		job := elastic.Job{Name: "report", Schedule: "* * * * * ?", Requires: map[string]string{"zone": "mars"}}
		c.Add(job, elastic.HandlerFunc(func(context.Context, elastic.Shard) error { return nil }))
		c.Start("a", "b", "c")
		c.Advance(3 * time.Minute)
		waiting := eventsOf(c, observe.Waiting, observe.WaitingOver)
		if len(waiting) != 1 {
			t.Fatalf("got %d events about waiting, want 1: %+v", len(waiting), waiting)
		}
		w := waiting[0]
		if w.Kind != observe.Waiting || w.Job != "report" || w.Shard != -1 ||
			w.Code != "no_instance_with_labels" || w.Args["requires"] != "zone=mars" || w.Detail == "" {
			t.Errorf("got %+v", w)
		}

		c.StartWith("d", elastic.WithLabels(map[string]string{"zone": "mars"}))
		c.Until("the job runs", func() bool { return len(c.Runs("report")) > 0 })
		over := eventsOf(c, observe.WaitingOver)
		if len(over) != 1 || over[0].Code != w.Code || over[0].Took < 3*time.Minute-10*time.Second {
			t.Errorf("got %+v, want one event that says that the wait of three minutes is over", over)
		}
	})
}
