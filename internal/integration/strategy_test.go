package integration

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/sharding"
)

// With every strategy every shard runs.
func TestStrategy_RunsEveryShard(t *testing.T) {
	for _, strategy := range []string{"sticky", "average", "odevity", "rotate", "single", "static"} {
		t.Run(strategy, func(t *testing.T) {
			bubble(t, func(c *cluster) {
				c.jobs = []elastic.Job{{
					Name:     "report",
					Schedule: "0/5 * * * * ?",
					Shards:   7,
					Failover: true,
					Misfire:  elastic.MisfireAll,
					Sharding: strategy,
				}}
				start := time.Now()
				a, _, d := c.start("a"), c.start("b"), c.start("c")
				c.pass(12 * time.Second)
				c.crash(a)
				c.pass(12 * time.Second)
				_ = c.leave(d)
				c.start("d")
				c.pass(20 * time.Second)
				for shard := range 7 {
					if missing := c.missing("report", shard, start.Add(5*time.Second), start.Add(40*time.Second),
						5*time.Second); len(missing) > 0 {
						t.Errorf("shard %d: fires that did not run: %v", shard, missing)
					}
				}
			})
		})
	}
}

// With the strategy single the only shard moves from instance to instance, run
// by run.
func TestStrategy_RotatesSingleShard(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/5 * * * * ?", Sharding: "single", Failover: true}}
		for _, name := range []string{"a", "b", "c"} {
			c.start(name)
		}
		c.pass(62 * time.Second)
		runs := c.find(func(*ran) bool { return true })
		if len(runs) != 12 {
			t.Fatalf("%d runs, want 12", len(runs))
		}
		for i := range 9 {
			if names := []string{
				runs[i].node.name,
				runs[i+1].node.name,
				runs[i+2].node.name,
			}; len(slices.Compact(slices.Sorted(slices.Values(names)))) != 3 {
				t.Errorf("runs %d to %d were on %v, want once on each instance", i, i+2, names)
			}
		}
	})
}

// A strategy of the program assigns the shards.
func TestStrategy_Custom(t *testing.T) {
	bubble(t, func(c *cluster) {
		pins := elastic.WithStrategy(sharding.Pin("racks", map[int]string{0: "a", 1: "b", 2: "b"}, nil))
		c.start("a", pins)
		c.start("b", pins)
		for _, n := range c.nodes {
			c.add(n, elastic.Job{Name: "report", Schedule: "0/5 * * * * ?", Shards: 3, Sharding: "racks"})
		}
		c.until("each shard has the owner that the strategy pins", func() bool {
			return slices.Equal(c.owners("report"), []string{
				"a",
				"b",
				"b",
			})
		})
	})
}

// An invalid assignment of a strategy is not stored, and the current one
// stays.
func TestStrategy_InvalidAssignmentIsNotStored(t *testing.T) {
	bubble(t, func(c *cluster) {
		var mad atomic.Bool
		own := elastic.WithStrategy(sharding.Func("mine", func(
			job string, shards int, live []sharding.Instance, prev []string,
		) []string {
			if mad.Load() && len(live) > 2 {
				panic("three is a crowd")
			}
			if mad.Load() {
				return make([]string, shards)
			}
			return sharding.Sticky.Assign(job, shards, live, prev)
		}))
		a := c.start("a", own)
		c.add(a, elastic.Job{Name: "report", Schedule: "0/5 * * * * ?", Shards: 3, Sharding: "mine"})
		c.until("the job is assigned", func() bool { return c.balanced("report", "a") })
		mad.Store(true)
		b := c.start("b", own)
		c.add(b, elastic.Job{Name: "report", Schedule: "0/5 * * * * ?", Shards: 3, Sharding: "mine"})
		before := c.total()
		c.pass(11 * time.Second)
		d := c.start("d", own)
		c.add(d, elastic.Job{Name: "report", Schedule: "0/5 * * * * ?", Shards: 3, Sharding: "mine"})
		c.pass(10 * time.Second)
		if !slices.ContainsFunc(c.seen(observe.Trouble), func(e elastic.Event) bool {
			return strings.Contains(e.Err.Error(), "strategy mine panicked")
		}) {
			t.Error("no event reports the panic")
		}
		if !c.balanced("report", "a") || c.total()-before < 12 {
			t.Errorf("the owners are %v, and %d runs followed; want a to go on", c.owners("report"), c.total()-before)
		}
		told := slices.ContainsFunc(c.seen(observe.Trouble), func(e elastic.Event) bool {
			return strings.Contains(e.Detail, "stays as it is") && strings.Contains(e.Err.Error(), "mine")
		})
		if !told {
			t.Error("no event reports the invalid assignment")
		}
		mad.Store(false)
	})
}

// An instance that knows the strategy assigns if the oldest instance, an older
// program, does not know it.
func TestStrategy_UnknownToOldest(t *testing.T) {
	bubble(t, func(c *cluster) {
		job := elastic.Job{Name: "report", Schedule: "0/5 * * * * ?", Shards: 2}
		old := c.start("old")
		c.add(old, job)
		c.pass(5 * time.Second)
		young := c.start(
			"young",
			elastic.WithStrategy(sharding.Pin("racks", map[int]string{0: "young", 1: "young"}, nil)),
		)
		c.add(young, job)
		c.pass(5 * time.Second)
		c.overwrite("report", func(s *layout.Spec) { s.Sharding = "racks" })
		c.until(
			"the instance that knows the strategy has assigned",
			func() bool { return c.balanced("report", "young") },
		)
	})
}

// A job with an unknown strategy is refused, and so are invalid strategies.
func TestStrategy_UnknownIsRefused(t *testing.T) {
	s, err := elastic.Open(t.Context(), "memory://strategies")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Add(elastic.Job{Name: "report", Schedule: "@daily", Sharding: "stiky"}, elastic.HandlerFunc(nothing))
	if err == nil || !strings.Contains(err.Error(), `sharding strategy "stiky" is unknown, there are: average`) {
		t.Errorf("got %v", err)
	}
	for _, bad := range []sharding.Strategy{nil, sharding.Sticky, sharding.Func("a b", nil)} {
		if _, err := elastic.Open(t.Context(), "memory://strategies", elastic.WithStrategy(bad)); err == nil ||
			!strings.Contains(err.Error(), "option WithStrategy") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
