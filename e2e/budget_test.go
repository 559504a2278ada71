package e2e

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
)

// counting counts commits that claim runs, and those that end runs.
type counting struct {
	store.Store
	claims, ends, others atomic.Int64
}

func (c *counting) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	switch {
	case bytes.Contains(t.Do[0].Value, []byte(`"state":"running"`)):
		c.claims.Add(1)
	case bytes.Contains(t.Do[0].Value, []byte(`"state":"idle"`)):
		c.ends.Add(1)
	default:
		c.others.Add(1)
	}
	return c.Store.Commit(ctx, t)
}

// The tests in virtual time check the same budget exactly: one commit begins a
// fire and one ends it. Here handlers that end together do so within
// milliseconds, which on a busy machine can exceed the time that ends wait for
// each other. So a few more ends are allowed, and nothing else.
func TestCost_FireIsTwoCommitsOnEtcd(t *testing.T) {
	const shards, fires = 20, 5
	etcd := testservers.StartEtcd(t)
	driver, err := store.Open(t.Context(), etcd.URL("budget"))
	if err != nil {
		t.Fatal(err)
	}
	counts := &counting{Store: driver}
	s, err := elastic.New(counts, elastic.WithName("a"))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	ran := map[time.Time]int{}
	complete := make(chan time.Time, 100)
	s.MustAdd(elastic.Job{
		Name:     "report",
		Schedule: "* * * * * ?",
		Shards:   shards,
		Failover: true,
	}, elastic.HandlerFunc(func(_ context.Context, run elastic.Run) error {
		mu.Lock()
		defer mu.Unlock()
		if ran[run.Fire]++; ran[run.Fire] == shards {
			complete <- run.Fire
		}
		return nil
	}))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer s.Close()
	wg.Go(func() { _ = s.Run(context.Background()) })

	next := func() {
		select {
		case <-complete:
		case <-time.After(patience):
			t.Fatal("no fire was complete")
		}
	}
	next() // joining and assigning are over
	next()
	before, claims := driver.Counts(), counts.claims.Load()
	for range fires {
		next()
	}
	// The last fire's end may be under way or not: it is not counted, and
	// neither is that of the fire before the first.
	got := driver.Counts().Sub(before)
	if n := counts.claims.Load() - claims; n != fires {
		t.Errorf("%d fires of %d shards took %d commits to begin, want %d", fires, shards, n, fires)
	}
	if ends := got.Commits - fires; ends > 3*(fires+1) {
		t.Errorf("%d fires of %d shards took %d commits to end, want about one each", fires, shards, ends)
	}
	if got.Reads() != 0 || counts.others.Load() > 5 {
		t.Errorf("%d reads and %d other commits, want none but to join and assign", got.Reads(), counts.others.Load())
	}
	t.Logf("%d fires of %d shards: %d commits, %d reads", fires, shards, got.Commits, got.Reads())
}

// The instance that is left pays one commit for the assignment, one list for
// the job, one read for the proof, and one commit for all orphans.
func TestCost_LossIsTwoCommitsOnEtcd(t *testing.T) {
	const shards = 8
	etcd := testservers.StartEtcd(t)
	proxy := testservers.StartProxy(t, etcd.Addr())

	var mu sync.Mutex
	latest, on := map[int]string{}, map[int]string{} // who began each shard last; the same, of runs that are held
	hold := false
	release := make(chan struct{})
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	defer wg.Wait()
	defer stop()
	start := func(name, url string) *store.Portable {
		driver, err := store.Open(t.Context(), url+"?session_ttl=2s")
		if err != nil {
			t.Fatal(err)
		}
		s, err := elastic.New(driver, elastic.WithName(name), elastic.WithDrainTimeout(0))
		if err != nil {
			t.Fatal(err)
		}
		s.MustAdd(elastic.Job{
			Name:        "report",
			Schedule:    "0/2 * * * * ?",
			Shards:      shards,
			Failover:    true,
			MaxAttempts: 10,
		}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
			mu.Lock()
			held := hold
			latest[run.Shard] = name
			if held {
				on[run.Shard] = name
			}
			mu.Unlock()
			if !held {
				return nil
			}
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}))
		wg.Go(func() { _ = s.Run(ctx) })
		return driver
	}
	await := func(what string, on map[int]string, fits func(of map[string]int) bool) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			mu.Lock()
			of := map[string]int{}
			for _, name := range on {
				of[name]++
			}
			mu.Unlock()
			if fits(of) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("waited for %s, the shards run on %v", what, of)
			}
		}
	}

	a := start("a", etcd.URL("loss"))
	start("b", "etcd://"+proxy.Addr()+"/loss")
	await("both to run shards", latest, func(of map[string]int) bool { return of["a"] > 0 && of["b"] > 0 })
	mu.Lock()
	hold = true
	mu.Unlock()
	await("all shards to run, and to go on running", on, func(of map[string]int) bool {
		return of["a"]+of["b"] == shards && of["b"] > 0
	})
	before := a.Counts()
	proxy.Cut()
	await("a to run them all", on, func(of map[string]int) bool { return of["a"] == shards })
	if got := a.Counts().Sub(before); got.Commits != 2 || got.Lists != 1 || got.Gets != 1 {
		t.Errorf("the loss cost %d commits, %d lists and %d gets, want 2, 1 and 1", got.Commits, got.Lists, got.Gets)
	}
	proxy.Heal()
	close(release)
}
