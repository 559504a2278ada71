package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/internal/vtime"
)

// rows is a table as users have it. Each row has the largest fence that has
// written it, and is written by UPDATE … WHERE fence <= $1.
type rows struct {
	mu      sync.Mutex
	t       *testing.T
	fence   []uint64
	writer  []string       // the run that wrote the row last
	refused map[string]int // rows by run
	writes  map[string]int // rows by run
}

func newRows(t *testing.T, n int) *rows {
	return &rows{
		t:       t,
		fence:   make([]uint64, n),
		writer:  make([]string, n),
		refused: map[string]int{},
		writes:  map[string]int{},
	}
}

// update does what a handler's statement does, for all rows of the run's shard.
func (r *rows) update(given elastic.Run, owns func(id int) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	run := fmt.Sprintf("%s of %d, attempt %d, fence %d", given.Key(), given.Shards, given.Attempt, given.Fence())
	for id := range r.fence {
		if !owns(id) {
			continue
		}
		if r.fence[id] > given.Fence() {
			r.refused[run]++
			continue
		}
		r.fence[id], r.writer[id] = given.Fence(), run
		r.writes[run]++
	}
}

func (r *rows) byTotal(run elastic.Run) {
	r.update(run, func(id int) bool { return id%run.Shards == run.Shard })
}

// settled fails the test if a row refused one of the last runs: no row may be
// refused forever.
func (r *rows) settled(when string, last []elastictest.Run) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, run := range last {
		name := fmt.Sprintf("%s of %d, attempt %d, fence %d", run.Key(), run.Shards, run.Attempt, run.Fence())
		if n := r.refused[name]; n > 0 {
			r.t.Errorf("%s: %d rows refuse %s, although there are no more faults", when, n, name)
		}
	}
}

// lastFire returns the runs of the last fire of a job.
func lastFire(c *elastictest.Cluster, job string) (last []elastictest.Run) {
	all := c.Runs(job)
	for _, r := range all {
		if r.Fire.Equal(all[len(all)-1].Fire) {
			last = append(last, r)
		}
	}
	return last
}

// change replaces a job on all live instances.
func change(t *testing.T, c *elastictest.Cluster, job elastic.Job, h elastic.Handler) {
	t.Helper()
	for n, name := range c.Up() {
		if err := c.Scheduler(name).Unregister(job.Name); err != nil {
			t.Fatal(err)
		}
		var options []elastic.AddOption
		if n == 0 {
			options = append(options, elastic.Overwrite())
		}
		if err := c.AddTo(name, job, h, options...); err != nil {
			t.Fatal(err)
		}
	}
}

// The number of shards changes and changes back. No row is refused, from the
// first fire on.
func TestFence_NoRowRefusedAfterReshard(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		table := newRows(t, 120)
		h := elastic.HandlerFunc(func(_ context.Context, run elastic.Run) error { table.byTotal(run); return nil })
		c := audited(t)
		job := elastic.Job{Name: "recon", Schedule: "0 * * * * ?", Shards: 3, Failover: true}
		c.Add(job, h)
		c.Start("a")
		c.Advance(time.Hour)
		for _, n := range []int{4, 3, 7, 1, 3} {
			job.Shards = n
			change(t, c, job, h)
			c.Advance(time.Hour)
		}
		if len(table.refused) > 0 {
			t.Errorf("rows were refused although no run was outdated: %v", table.refused)
		}
	})
}

// Two shards exchange their parameters, and so their data. No row is refused.
func TestFence_NoRowRefusedAfterParameters(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		table := newRows(t, 2)
		region := map[string]int{"eu": 0, "us": 1}
		h := elastic.HandlerFunc(func(_ context.Context, run elastic.Run) error {
			table.update(run, func(id int) bool { return region[run.Parameter] == id })
			return nil
		})
		c := audited(t)
		job := elastic.Job{
			Name:            "recon",
			Schedule:        "0 * * * * ?",
			Shards:          2,
			Failover:        true,
			ShardParameters: map[int]string{0: "eu", 1: "us"},
		}
		c.Add(job, h)
		c.Start("a")
		c.Advance(time.Hour)
		for range 20 { // only shard 0, so that its fences are ahead
			if _, err := c.Scheduler("a").Trigger(t.Context(), "recon", elastic.OnShards(0)); err != nil {
				t.Fatal(err)
			}
			c.Advance(time.Second)
		}
		job.ShardParameters = map[int]string{0: "us", 1: "eu"}
		change(t, c, job, h)
		c.Advance(time.Hour)
		if len(table.refused) > 0 {
			t.Errorf("rows were refused although no run was outdated: %v", table.refused)
		}
	})
}

// A shard of a broadcast gets another number when instances come and go. No
// row is refused.
func TestFence_NoRowRefusedInBroadcast(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		table := newRows(t, 3)
		host := map[string]int{"a": 0, "b": 1, "c": 2}
		c := audited(t)
		job := elastic.Job{Name: "cache", Schedule: "0 * * * * ?", Broadcast: true}
		on := func(name string) elastic.Handler {
			return elastic.HandlerFunc(func(_ context.Context, run elastic.Run) error {
				table.update(run, func(id int) bool { return host[name] == id })
				return nil
			})
		}
		for name := range host {
			c.Start(name)
			if err := c.AddTo(name, job, on(name)); err != nil {
				t.Fatal(err)
			}
		}
		d := rand.New(rand.NewPCG(1, 2))
		for range 12 {
			c.Advance(time.Duration(1+d.IntN(9)) * time.Minute)
			name := []string{"a", "b", "c"}[d.IntN(3)]
			if len(c.Up()) > 1 && d.IntN(2) == 0 {
				c.Crash(name)
			} else {
				_ = c.Drain(name)
			}
			c.Advance(time.Duration(1+d.IntN(9)) * time.Minute)
			c.Start(name)
			if err := c.AddTo(name, job, on(name)); err != nil {
				t.Fatal(err)
			}
		}
		if len(table.refused) > 0 {
			t.Errorf("rows were refused although no run was outdated: %v", table.refused)
		}
	})
}

// After random reshards, crashes, drains, stops and triggers of single shards,
// no row is refused at rest, and no row was ever written by a run of an
// outdated division.
func TestFence_RowsUnderStorm(t *testing.T) {
	for seed := range uint64(scaled(8, 2)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			vtime.Test(t, func(t *testing.T) { stormOfRows(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func stormOfRows(t *testing.T, d *rand.Rand) {
	table := newRows(t, 60)
	var mu sync.Mutex // handlers draw concurrently, from numbers of their own
	lengths := rand.New(rand.NewPCG(d.Uint64(), 2))
	h := elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		mu.Lock()
		long := time.Duration(lengths.IntN(40)) * time.Second
		mu.Unlock()
		_ = elastictest.Work(context.WithoutCancel(ctx), long) // it ignores its context
		table.byTotal(run)
		return nil
	})
	c := audited(t)
	job := elastic.Job{
		Name:        "recon",
		Schedule:    "0 * * * * ?",
		Shards:      3,
		Failover:    true,
		MaxAttempts: 100,
	}
	if d.IntN(2) == 0 {
		job.CarryOn = 30 * time.Second
	}
	c.Add(job, h)
	names := []string{"a", "b", "c"}
	c.Start(names...)
	for range 25 {
		c.Advance(time.Duration(5+d.IntN(240)) * time.Second)
		name := names[d.IntN(3)]
		switch d.IntN(6) {
		case 0, 1:
			job.Shards = 1 + d.IntN(6)
			change(t, c, job, h)
		case 2:
			c.Crash(name)
			c.Advance(time.Duration(d.IntN(60)) * time.Second)
			restart(t, c, job, h, name)
		case 3:
			_ = c.Drain(name)
			restart(t, c, job, h, name)
		case 4:
			c.Pause(name)
			c.Advance(time.Duration(d.IntN(60)) * time.Second)
			c.Resume(name)
		case 5:
			for range 1 + d.IntN(5) {
				if _, err := c.Scheduler(name).Trigger(t.Context(), "recon", elastic.OnShards(d.IntN(job.Shards))); err != nil {
					t.Log(err)
				}
				c.Advance(time.Second)
			}
		}
	}
	c.Settle()
	c.Advance(10 * time.Minute)
	c.NextFire("recon")
	c.UntilQuiet()
	table.settled("in the end", lastFire(c, "recon"))
	if len(table.refused) == 0 {
		t.Log("no run was outdated")
	}
}

// restart starts an instance with the current version of the job.
func restart(t *testing.T, c *elastictest.Cluster, job elastic.Job, h elastic.Handler, name string) {
	t.Helper()
	c.Start(name)
	if err := c.Scheduler(name).Unregister(job.Name); err != nil {
		t.Fatal(err)
	}
	if err := c.AddTo(name, job, h); err != nil {
		t.Fatal(err)
	}
}
