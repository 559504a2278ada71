//go:build unix && !race

package integration

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// liveHeap returns the bytes of live heap.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A job at rest costs the same memory however many there are, and less where
// the instance owns nothing of it. The memory store's share of an instance, its
// copy of all values, is counted too. The aim is 600 and 300 bytes: see
// docs/design/performance.md.
func TestIdle_HeapOfJob(t *testing.T) {
	const jobs = 5000
	synctest.Test(t, func(t *testing.T) {
		server := memory.NewServer()
		handler := elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil })
		for _, tt := range []struct {
			name  string
			zone  string
			bytes uint64
		}{
			{"owner of one shard each", "here", 6900},
			{"owner of nothing", "there", 5000},
		} {
			driver := store.NewPortable(server.Connect(tt.zone), store.Config{})
			labels := elastic.WithLabels(map[string]string{"zone": tt.zone})
			s, err := elastic.New(driver, elastic.WithName(tt.zone), labels)
			if err != nil {
				t.Fatal(err)
			}
			before := liveHeap()
			for i := range jobs {
				s.MustAdd(elastic.Job{
					Name:     fmt.Sprintf("job-%05d", i),
					Schedule: "0 0 0 1 1 ?",
					Shards:   1,
					Requires: map[string]string{"zone": "here"},
				}, handler)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- s.Run(ctx) }()
			defer func() { cancel(); <-done }()
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			used := (liveHeap() - before) / jobs
			t.Logf("%s: %d bytes a job", tt.name, used)
			if used > tt.bytes {
				t.Errorf("%s: %d bytes a job, want at most %d", tt.name, used, tt.bytes)
			}
		}
	})
}
