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
func fireCost(t testing.TB, jobs, shards, seconds int, unclaimed bool) (fires int64, allocations float64, cpu time.Duration) {
	synctest.Test(t.(*testing.T), func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		s, err := elastic.Open(ctx, "memory://cost")
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
		allocations = float64(after.Mallocs-before.Mallocs) / float64(max(fires, 1))
		cpu /= time.Duration(max(fires, 1))
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return fires, allocations, cpu
}

func TestFireCost_Measure(t *testing.T) {
	for _, unclaimed := range []bool{true, false} {
		for _, c := range [][2]int{{1000, 1}, {10, 1000}} {
			n, allocs, cpu := fireCost(t, c[0], c[1], 20, unclaimed)
			t.Logf("unclaimed %t, %d × %d: %d fires, %.1f allocations, %v", unclaimed, c[0], c[1], n, allocs, cpu)
		}
	}
}
