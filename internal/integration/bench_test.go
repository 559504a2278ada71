//go:build unix

package integration

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
)

// BenchmarkFires runs jobs of three shards each second for some seconds, with
// claims, on the memory store. It reports the CPU time of a run and how late
// runs begin. (The memory store's own work is included.)
func BenchmarkFires(b *testing.B) {
	for _, jobs := range []int{100, 1000} {
		b.Run(fmt.Sprint(jobs, "_jobs"), func(b *testing.B) {
			for b.Loop() {
				fires(b, jobs, 4*time.Second)
			}
		})
	}
}

func fires(b *testing.B, jobs int, d time.Duration) {
	ctx, stop := context.WithCancel(context.Background())
	s, err := elastic.Open(ctx, "memory://bench")
	if err != nil {
		b.Fatal(err)
	}
	var runs, late atomic.Int64
	for i := range jobs {
		s.MustAdd(elastic.Job{
			Name:     fmt.Sprint("job", i),
			Schedule: "* * * * * ?",
			Shards:   3,
			Failover: true,
		}, elastic.HandlerFunc(func(_ context.Context, run elastic.Run) error {
			runs.Add(1)
			late.Add(int64(time.Since(run.Fire)))
			return nil
		}))
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Run(ctx) })
	time.Sleep(1500 * time.Millisecond) // joining and assigning is not what is measured
	cpu, before, lateBefore := cpuTime(), runs.Load(), late.Load()
	time.Sleep(d)
	n := runs.Load() - before
	if n > 0 {
		b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(n), "cpu-µs/run")
		b.ReportMetric(float64(time.Duration((late.Load()-lateBefore)/n).Microseconds())/1000, "late-ms")
		b.ReportMetric(float64(n)/d.Seconds(), "runs/s")
	}
	stop()
	wg.Wait()
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
