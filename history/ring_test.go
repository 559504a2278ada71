package history_test

import (
	"context"
	"testing"

	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/history/historytest"
)

func TestRing_Conforms(t *testing.T) {
	historytest.Run(t, func(*testing.T) history.Sink { return history.NewRing(0) })
}

func TestJSONL_Conforms(t *testing.T) {
	historytest.Run(t, func(t *testing.T) history.Sink {
		sink := history.NewJSONL(t.TempDir(), history.JSONLOptions{})
		t.Cleanup(func() { _ = sink.Close() })
		return sink
	})
}

// A full ring forgets the oldest rows.
func TestRing_ForgetsTheOldest(t *testing.T) {
	ring := history.NewRing(10)
	for n := range 25 {
		for range 2 {
			if err := ring.Write(context.Background(), history.Batch{Runs: []history.Run{run(n, "ok")}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	p, err := ring.Runs(context.Background(), history.RunQuery{Namespace: "n", Job: "report"})
	if err != nil || len(p.Items) != 10 {
		t.Fatalf("got %d rows, %v", len(p.Items), err)
	}
	for _, r := range p.Items {
		if r.Fence <= 15 {
			t.Errorf("it has fence %d, want 16 to 25", r.Fence)
		}
	}
}
