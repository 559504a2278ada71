//go:build unix && !race

package integration

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
)

// fireCost runs jobs that fire each second on one instance of a memory store
// for some seconds of virtual time, and returns the fires, the allocations and
// the CPU time of a fire, the store's included.
//
// Each of the options is made in the bubble, with a function that ends it.
func fireCost(
	t *testing.T,
	jobs, shards, seconds int,
	unclaimed bool,
	options ...func() (elastic.Option, func()),
) (fires int64, allocs float64, cpu time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var with []elastic.Option
		for _, option := range options {
			o, end := option()
			with = append(with, o)
			defer end()
		}
		s, err := elastic.Open(ctx, "memory://cost", with...)
		if err != nil {
			t.Fatal(err)
		}
		var runs atomic.Int64
		handler := elastic.HandlerFunc(func(context.Context, elastic.Run) error {
			runs.Add(1)
			return nil
		})
		for i := range jobs {
			s.MustAdd(elastic.Job{
				Name:      fmt.Sprint("job", i),
				Schedule:  "* * * * * ?",
				Shards:    shards,
				Unclaimed: unclaimed,
			}, handler)
		}
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(5*time.Second + time.Second/2)
		var before, after runtime.MemStats
		n := runs.Load()
		runtime.ReadMemStats(&before)
		began := cpuTime()
		time.Sleep(time.Duration(seconds) * time.Second)
		cpu = cpuTime() - began
		runtime.ReadMemStats(&after)
		fires = runs.Load() - n
		allocs = float64(after.Mallocs-before.Mallocs) / float64(max(fires, 1))
		cpu /= time.Duration(max(fires, 1))
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return fires, allocs, cpu
}

// A fire costs few allocations. It costs fewer without claims, where nothing is
// written. The rest of a second's work is included: it is little.
func TestFireCost_Allocations(t *testing.T) {
	for _, tt := range []struct {
		unclaimed    bool
		jobs, shards int
		most         float64
	}{
		{true, 1000, 1, 1.1},
		{true, 10, 100, 1.1},
		{false, 1000, 1, 20},
		{false, 10, 100, 20},
	} {
		n, allocs, cpu := fireCost(t, tt.jobs, tt.shards, 20, tt.unclaimed)
		t.Logf("%d × %d, unclaimed %t: %d fires, %.2f allocations and %s of CPU a fire",
			tt.jobs, tt.shards, tt.unclaimed, n, allocs, cpu)
		if want := int64(20 * tt.jobs * tt.shards); n != want {
			t.Errorf("%d × %d, unclaimed %t: %d fires, want %d", tt.jobs, tt.shards, tt.unclaimed, n, want)
		}
		if allocs > tt.most {
			t.Errorf("%d × %d, unclaimed %t: %.2f allocations a fire, want at most %.1f",
				tt.jobs, tt.shards, tt.unclaimed, allocs, tt.most)
		}
	}
}
