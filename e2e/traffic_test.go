package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// Instances that start together on etcd with new jobs make few commits, failed
// ones included. In virtual time, where every race is exact, the same is tested
// in internal/integration.
func TestTraffic_ColdStartOnEtcd(t *testing.T) {
	const instances, jobs = 10, 500
	etcd := testservers.StartEtcd(t)
	var commits, failed, created atomic.Int64
	var mu sync.Mutex
	var joined []time.Time
	var stores []*store.Portable
	var schedulers []*elastic.Scheduler
	for i := range instances {
		s, err := store.Open(t.Context(), etcd.URL("storms"))
		if err != nil {
			t.Fatal(err)
		}
		s.Observe(func(r store.Request) {
			if r.Op != store.RequestCommit {
				return
			}
			commits.Add(1)
			if r.Outcome == store.OutcomeConflict {
				failed.Add(1)
			}
		})
		name := elastic.WithName(fmt.Sprint("n", i))
		scheduler, err := elastic.New(s, name, elastic.WithEvents(func(e elastic.Event) {
			switch e.Kind {
			case observe.Gained:
				created.Add(1)
			case observe.Joined:
				mu.Lock()
				joined = append(joined, time.Now())
				mu.Unlock()
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		for j := range jobs {
			job := elastic.Job{Name: fmt.Sprintf("job-%03d", j), Schedule: "0 0 0 1 1 ? 2050"}
			scheduler.MustAdd(job, elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
		}
		stores, schedulers = append(stores, s), append(schedulers, scheduler)
	}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	for _, s := range schedulers {
		wg.Go(func() { _ = s.Run(ctx) })
	}
	for deadline := time.Now().Add(patience); created.Load() < jobs; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d jobs have an owner", created.Load(), jobs)
		}
	}
	time.Sleep(3 * time.Second) // what comes too late still counts
	bytes := int64(0)
	for _, s := range stores {
		bytes += s.Counts().BytesWritten
	}
	perTxn := (stores[0].Caps().MaxOps - 1) / 2
	batches := (jobs + perTxn - 1) / perTxn
	most := int64(2*batches + instances + 10)
	// On a busy machine they do not start at one instant. Those that come after
	// the others have begun get their shares by a change of all jobs.
	mu.Lock()
	later := laterThan(joined, 80*time.Millisecond)
	mu.Unlock()
	most += int64(later * (batches + instances))
	t.Logf("%d instances, %d jobs: %d commits, %d of them failed, %d KB; %d commits allowed, %d waves came later",
		instances, jobs, commits.Load(), failed.Load(), bytes>>10, most, later)
	if commits.Load() > most || failed.Load() > instances {
		t.Errorf("%d commits, %d of them failed; want at most %d and %d",
			commits.Load(), failed.Load(), most, instances)
	}
}

// laterThan counts how often nothing happened for a time, and then something.
func laterThan(at []time.Time, gap time.Duration) (n int) {
	slices.SortFunc(at, time.Time.Compare)
	for i := 1; i < len(at); i++ {
		if at[i].Sub(at[i-1]) > gap {
			n++
		}
	}
	return n
}
