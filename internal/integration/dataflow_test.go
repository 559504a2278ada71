package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/jobs/dataflow"
)

// cursors stores cursors like a shared table.
type cursors struct {
	mu  sync.Mutex
	all map[int]dataflow.Cursor[int]
}

func (c *cursors) Claim(_ context.Context, p dataflow.Partition) (dataflow.Cursor[int], error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[int]dataflow.Cursor[int]{}
	}
	k, there := c.all[p.Number]
	if !there {
		k.Of = p.Of
	}
	k.Fence = max(k.Fence, p.Fence())
	c.all[p.Number] = k
	return k, nil
}

func (c *cursors) Save(_ context.Context, p dataflow.Partition, offset int) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.save(p, offset), nil
}

func (c *cursors) save(p dataflow.Partition, offset int) bool {
	k := c.all[p.Number]
	if k.Fence > p.Fence() {
		return false
	}
	k.Fence, k.Offset = p.Fence(), offset
	c.all[p.Number] = k
	return true
}

func (c *cursors) offset(partition int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[partition].Offset
}

// The number of shards goes from 3 to 4 and back in the middle of a backlog,
// and instances crash. No event is skipped. If effects and cursor are in one
// transaction, none is processed twice.
func TestDataflow_ReshardInBacklog(t *testing.T) {
	for seed := range uint64(6) {
		for _, transact := range []bool{true, false} {
			t.Run(fmt.Sprint(seed, transact), func(t *testing.T) {
				vtime.Test(t, func(t *testing.T) { reshardInBacklog(t, rand.New(rand.NewPCG(seed, 3)), transact) })
			})
		}
	}
}

func reshardInBacklog(t *testing.T, d *rand.Rand, transact bool) {
	const events, partitions = 1200, 12
	var mu sync.Mutex
	down := true // the service of one partition is down
	done := map[int]int{}
	kept := &cursors{}
	log := dataflow.Resuming[int, int]{
		Partitions: partitions,
		Cursors:    kept,
		Fetch: func(_ context.Context, p dataflow.Partition, from int) (items []int, next int, err error) {
			for next = from; next < events && len(items) < 5; next++ {
				if next%partitions == p.Number {
					items = append(items, next)
				}
			}
			return items, next, nil
		},
	}
	work := func(p dataflow.Partition) error {
		time.Sleep(time.Second) // ignores its context
		mu.Lock()
		defer mu.Unlock()
		if down && p.Number == 5 {
			return fmt.Errorf("the service of partition %d is down", p.Number)
		}
		return nil
	}
	record := func(items []int) {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range items {
			done[id]++
		}
	}
	if transact {
		log.Transact = func(_ context.Context, p dataflow.Partition, items []int, next int) error {
			if err := work(p); err != nil {
				return err
			}
			kept.mu.Lock()
			defer kept.mu.Unlock()
			if !kept.save(p, next) {
				return dataflow.ErrOutdated
			}
			record(items)
			return nil
		}
	} else {
		log.Process = func(_ context.Context, p dataflow.Partition, items []int) error {
			if err := work(p); err != nil {
				return err
			}
			record(items)
			return nil
		}
	}
	c := audited(t)
	job := elastic.Job{
		Name:        "tail",
		Schedule:    "0/10 * * * * ?",
		Shards:      3,
		Failover:    true,
		MaxAttempts: 100,
	}
	c.Add(job, log)
	c.Start("a", "b", "c")
	for _, n := range []int{4, 3, 4} {
		c.Advance(time.Duration(8+d.IntN(15)) * time.Second)
		job.Shards = n
		change(t, c, job, log)
		if d.IntN(2) == 0 {
			c.Advance(time.Duration(d.IntN(4)) * time.Second)
			c.Crash("b")
			c.Advance(time.Duration(d.IntN(20)) * time.Second)
			restart(t, c, job, log, "b")
		}
	}
	mu.Lock()
	down = false
	mu.Unlock()
	c.Advance(10 * time.Minute)
	c.UntilQuiet()
	never, twice := 0, 0
	for id := range events {
		switch {
		case done[id] == 0:
			never++
		case done[id] > 1:
			twice++
		}
	}
	if never > 0 || transact && twice > 0 {
		t.Errorf("of %d events %d were never processed, %d more than once", events, never, twice)
	}
}

// Another number of partitions is an error before anything is fetched: an
// offset would belong to other data.
func TestDataflow_RefusesOtherPartitions(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		kept := &cursors{}
		fetched := 0
		log := dataflow.Resuming[int, int]{
			Partitions: 4,
			Cursors:    kept,
			Fetch: func(_ context.Context, _ dataflow.Partition, from int) ([]int, int, error) {
				fetched++
				return nil, from, nil
			},
			Process: func(context.Context, dataflow.Partition, []int) error { return nil },
		}
		c := audited(t)
		job := elastic.Job{Name: "tail", Schedule: "0/10 * * * * ?", Shards: 2}
		c.Add(job, log)
		c.Start("a")
		c.NextFire("tail")
		c.UntilQuiet()
		before := fetched
		log.Partitions = 8
		change(t, c, job, log)
		c.NextFire("tail")
		c.UntilQuiet()
		last := lastFire(c, "tail")
		if before != 4 || fetched != before {
			t.Errorf("%d fetches before and %d after the change of the number of partitions, want 4 and 0", before,
				fetched-before)
		}
		for _, r := range last {
			if r.Err == nil {
				t.Errorf("%s: want an error", r)
			}
		}
	})
}
