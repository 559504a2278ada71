package integration

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/jobs/dataflow"
	"github.com/elasticjob-go/elastic/observe"
)

// stream is a handler that works, a second at a time, until its shard moves. It
// never ends by itself.
func stream(ctx context.Context, run elastic.Run) error {
	for !run.Moving() {
		if err := sleepFor(time.Second)(ctx, run); err != nil {
			return err
		}
	}
	return elastic.HandOver("the shard moves")
}

// streaming returns a job that fires once a day.
func streaming(shards int) elastic.Job {
	return elastic.Job{
		Name:        "stream",
		Schedule:    "30 0 0 * * ?",
		Shards:      shards,
		Failover:    true,
		MaxAttempts: 1,
	}
}

// The next owner continues a run that was handed over at once.
func TestHandOver_NextOwnerContinuesAtOnce(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(stream)
		c.jobs = []elastic.Job{streaming(2)}
		a := c.start("a")
		c.until("A runs both shards", func() bool { return c.running(a, 0) && c.running(a, 1) })
		b := c.start("b")
		var moved int
		c.until("B continues one", func() bool {
			for shard := range 2 {
				if c.running(b, shard) {
					moved = shard
					return true
				}
			}
			return false
		})
		from := c.find(func(r *ran) bool { return r.node == a && r.shard == moved })[0]
		to := c.find(func(r *ran) bool { return r.node == b })[0]
		if !to.fire.Equal(from.fire) || to.attempt != 2 || to.start.Sub(from.end) > 100*time.Millisecond {
			t.Errorf("B began fire %s attempt %d %s after A had stopped, want %s, 2 and at most 100ms", stamp(to.fire),
				to.attempt, to.start.Sub(from.end), stamp(from.fire))
		}
		c.pass(time.Minute)
		if !c.running(a, 1-moved) || len(c.find(func(*ran) bool { return true })) != 3 {
			t.Errorf("the run of the shard that did not move was disturbed")
		}
		if n := c.count(observe.Abandoned); n != 0 {
			t.Errorf("%d runs were abandoned, but a hand-over must not count as an attempt", n)
		}
	})
}

// A draining instance hands a run over as soon as its handler stops.
func TestHandOver_WhenHandlerStops(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(stream)
		a, b := onTwo(c, streaming(2))
		c.until("B runs shard 1", func() bool { return c.running(b, 1) })
		left := time.Now()
		if err := c.leave(b); err != nil {
			t.Errorf("B left with the error %v", err)
		}
		if took := time.Since(left); took > 1100*time.Millisecond {
			t.Errorf("B left after %s, want at the next batch and not at the drain timeout", took)
		}
		c.until("A continues shard 1", func() bool { return c.running(a, 1) })
	})
}

// Without failover a run that its handler hands over has failed, and a
// draining instance lets its runs finish.
func TestHandOver_FailsWithoutFailover(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(stream)
		c.jobs = []elastic.Job{{Name: "stream", Schedule: "0 * * * * ?", Shards: 2}}
		a := c.start("a")
		c.until("A runs both shards", func() bool { return c.running(a, 0) && c.running(a, 1) })
		b := c.start("b")
		c.until("B runs one at its next fire", func() bool { return c.running(b, 0) || c.running(b, 1) })
		shard := c.find(func(r *ran) bool { return r.node == b })[0].shard
		var failed []elastic.Event
		for _, e := range c.seen(observe.Ended) {
			if e.Shard == shard {
				failed = append(failed, e)
			}
		}
		if len(failed) != 1 || failed[0].Result != string(failover.ResultFailed) ||
			!strings.Contains(failed[0].Err.Error(), "not finished: the shard moves") {
			t.Errorf("got the ends %v, want one failure with its reason", failed)
		}
		left := time.Now()
		_ = c.leave(b)
		if took := time.Since(left); took < elastic.DefaultDrain {
			t.Errorf("B left after %s, want the drain timeout, because no instance continues its run", took)
		}
		c.until("the run is given up", func() bool { return c.record("stream", shard).Result == failover.ResultLost })
	})
}

// A run that its handler hands over although its shard stays has failed.
func TestHandOver_FailsIfShardStays(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(func(context.Context, elastic.Run) error { return elastic.HandOver("tired") })
		c.jobs = []elastic.Job{{Name: "stream", Schedule: "0/10 * * * * ?", Failover: true, Retries: 5}}
		c.start("a")
		c.pass(25 * time.Second)
		if r := c.record("stream", 0); r.Result != failover.ResultFailed || r.Error != "not finished: tired" ||
			c.total() != 2 {
			t.Errorf("got %s after %d runs, want 2 failures", r, c.total())
		}
	})
}

// A run that is handed over because of a reshard continues with the new number
// of shards.
func TestHandOver_ContinuesAfterReshard(t *testing.T) {
	bubble(t, func(c *cluster) {
		var totals [3]atomic.Int64
		c.does(func(ctx context.Context, run elastic.Run) error {
			totals[run.Shard].Store(int64(run.Shards))
			return stream(ctx, run)
		})
		c.jobs = []elastic.Job{streaming(3)}
		a := c.start("a")
		c.until("A runs all shards", func() bool { return c.running(a, 0) && c.running(a, 1) && c.running(a, 2) })
		c.overwrite("stream", func(s *layout.Spec) { s.Shards = 2 })
		c.until("shards 0 and 1 continue", func() bool { return totals[0].Load() == 2 && totals[1].Load() == 2 })
		c.pass(10 * time.Second)
		if c.running(a, 2) || c.count(observe.Abandoned) != 0 {
			t.Errorf("shard 2, which was removed, runs or was abandoned with an alarm; want it to end")
		}
	})
}

// A streaming dataflow stops between batches when its shard moves, and the
// next owner resumes from the offset. No item is skipped or processed twice.
func TestHandOver_DataflowResumesFromOffset(t *testing.T) {
	bubble(t, func(c *cluster) {
		const items = 100
		var mu sync.Mutex
		var done [2][]int
		cursors := &cursors{}
		log := dataflow.Resuming[int, int]{
			Partitions: 2,
			Cursors:    cursors,
			Fetch: func(_ context.Context, _ dataflow.Partition, from int) ([]int, int, error) {
				if from == items {
					return nil, from, nil
				}
				return []int{from}, from + 1, nil
			},
			Process: func(ctx context.Context, p dataflow.Partition, batch []int) error {
				mu.Lock()
				done[p.Number] = append(done[p.Number], batch...)
				mu.Unlock()
				return sleepFor(time.Second)(ctx, p.Shard)
			},
		}
		c.does(log.Handle)
		c.jobs = []elastic.Job{streaming(2)}
		c.start("a")
		c.until("both have begun", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(done[0]) > 10 && len(done[1]) > 10
		})
		b := c.start("b")
		c.until("both have ended", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(done[0]) == items && len(done[1]) == items && cursors.offset(0) == items &&
				cursors.offset(1) == items
		})
		if n := len(c.find(func(r *ran) bool { return r.node == b && r.attempt == 2 })); n != 1 {
			t.Errorf("B went on with %d shards, want 1", n)
		}
		for shard, list := range done {
			for i, item := range list {
				if i != item {
					t.Fatalf("shard %d processed %v, want each item once, in order", shard, list)
				}
			}
		}
	})
}
