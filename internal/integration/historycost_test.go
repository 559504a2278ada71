//go:build unix && !race

package integration

import (
	"context"
	"testing"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/history"
)

// A run with history takes at most two allocations more than one without.
func TestHistoryCost_Allocations(t *testing.T) {
	const jobs, shards, seconds = 100, 10, 10
	fires, without, _ := fireCost(t, jobs, shards, seconds, false)
	withFires, with, _ := fireCost(t, jobs, shards, seconds, false, func() (elastic.Option, func()) {
		rec := history.New(discard{}, history.Options{})
		return elastic.WithHistory(rec), func() {
			if err := rec.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	t.Logf("%.2f allocations a run without history, %.2f with; %d and %d runs", without, with, fires, withFires)
	if fires == 0 || withFires == 0 || with-without > 2.2 {
		t.Errorf("history costs %.2f allocations a run, want at most 2", with-without)
	}
}

// discard is a sink that keeps nothing.
type discard struct{}

func (discard) Write(context.Context, history.Batch) error { return nil }
