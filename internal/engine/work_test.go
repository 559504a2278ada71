package engine

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// engines is a set of engines on one memory store, with jobs that never fire.
type engines struct {
	server *memory.Server
	all    []*Engine
	stops  []context.CancelFunc
	last   map[int]uint64 // looks of each
	ended  sync.WaitGroup
}

func idleJob(i int) Job {
	return Job{
		Name: fmt.Sprintf("job-%05d", i),
		Spec: layout.Spec{
			Schedule:    "0 0 0 1 1 ? 2030",
			Shards:      1,
			Sharding:    "sticky",
			MaxAttempts: 3,
			Misfire:     failover.MisfireOnce,
			Overlap:     failover.OverlapQueue,
		},
		Handler: func(context.Context, Run) error { return nil },
	}
}

func (f *engines) start(t *testing.T, jobs int) {
	t.Helper()
	name := fmt.Sprintf("n%d", len(f.all))
	e := New(Config{
		Store:       store.NewPortable(f.server.Connect(name), store.Config{}),
		Name:        name,
		Weight:      1,
		JoinDelay:   time.Second,
		StandIn:     3 * time.Second,
		Resync:      time.Hour,
		Now:         time.Now,
		Incarnation: func() string { return "1" },
	})
	for i := range jobs {
		if err := e.Add(idleJob(i)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	f.all, f.stops = append(f.all, e), append(f.stops, stop)
	f.ended.Go(func() { _ = e.Run(ctx) })
}

// looks returns how many jobs all engines have looked at so far.
func (f *engines) looks() (n uint64) {
	synctest.Wait()
	for i, e := range f.all {
		if here, ok := onLoop(context.Background(), e, func() uint64 { return e.meter.looks }); ok {
			f.last[i] = here
		}
		n += f.last[i]
	}
	return n
}

// The work of a change is in proportion to the jobs that it can move, whatever
// number of jobs there are.
func TestWork_InProportionToChange(t *testing.T) {
	const jobs = 2000
	vtime.Test(t, func(t *testing.T) {
		f := &engines{server: memory.NewServer(), last: map[int]uint64{}}
		defer f.ended.Wait()
		defer func() {
			for _, stop := range f.stops {
				stop()
			}
		}()
		for range 5 {
			f.start(t, jobs)
		}
		time.Sleep(time.Minute)
		work := func(what string, most uint64, change func()) {
			t.Helper()
			before := f.looks()
			change()
			time.Sleep(time.Minute)
			got := f.looks() - before
			t.Logf("%s: %d looks at jobs", what, got)
			if got > most {
				t.Errorf("%s: the fleet looked %d times at jobs, want at most %d", what, got, most)
			}
		}
		work("nothing", 0, func() {})
		work("one job more on one instance", 20, func() {
			if err := f.all[0].Add(idleJob(jobs)); err != nil {
				t.Error(err)
			}
		})
		work("a change of one job", 5*10, func() {
			key := layout.JobKey("job-00007")
			admin := f.server.Connect("admin")
			entry, err := admin.Get(context.Background(), key)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = admin.Commit(context.Background(), store.Txn{Do: []store.Op{store.Set(key, entry.Value)}})
			_ = admin.Close(context.Background())
		})
		// A fifth of the jobs moves: each is planned by its leader and by those that
		// stand in, and all see the new assignment. The jobs of the leaders' other
		// instances are planned once for the instance that is gone.
		work("an instance that leaves", standIns*jobs+5*10*jobs/5, func() { f.stops[4]() })
	})
}
