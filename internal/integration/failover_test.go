package integration

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store/memory"
)

// onTwo starts two instances that share a job of two shards. It returns the
// owner of shard 0 and the owner of shard 1.
func onTwo(c *cluster, job elastic.Job) (a, b *node) {
	c.t.Helper()
	c.jobs = []elastic.Job{job}
	x, y := c.start("x"), c.start("y")
	c.until("x and y share the shards", func() bool { return c.balanced(job.Name, "x", "y") })
	if c.owners(job.Name)[1] == "x" {
		return y, x
	}
	return x, y
}

func (c *cluster) running(n *node, shard int) bool {
	return len(c.find(func(r *ran) bool { return r.node == n && r.shard == shard && r.end.IsZero() })) > 0
}

// A crashed run is taken over within the session's TTL, as the second attempt
// and with the next fence.
func TestFailover_TakesOverWithinTTL(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(20 * time.Second))
		a, b := onTwo(c, elastic.Job{Name: "report", Schedule: "0 * * * * ?", Shards: 2, Failover: true})
		c.until("B runs shard 1", func() bool { return c.running(b, 1) })
		died := time.Now()
		c.crash(b)
		c.until("A runs shard 1", func() bool { return c.running(a, 1) })
		if took := time.Since(died); took > ttl+200*time.Millisecond {
			t.Errorf("the take-over came %s after the crash, want at most the TTL %s + 200ms", took, ttl)
		}
		again := c.find(func(r *ran) bool { return r.node == a && r.shard == 1 })[0]
		first := c.find(func(r *ran) bool { return r.node == b && r.shard == 1 })[0]
		if again.attempt != 2 || again.fence != first.fence+1 {
			t.Errorf("the run was repeated as attempt %d with fence %d, want 2 and %d", again.attempt, again.fence,
				first.fence+1)
		}
		c.pass(30 * time.Second)
	})
}

// Without failover a crashed run is abandoned, and the next fire runs.
func TestFailover_OffAbandonsCrashedRun(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(5 * time.Second))
		a, b := onTwo(c, elastic.Job{Name: "report", Schedule: "0/10 * * * * ?", Shards: 2})
		c.until("B runs shard 1", func() bool { return c.running(b, 1) })
		c.crash(b)
		c.until("A runs shard 1", func() bool { return c.running(a, 1) })
		if r := c.find(func(r *ran) bool { return r.node == a && r.shard == 1 })[0]; r.attempt != 1 {
			t.Errorf("A runs shard 1 as attempt %d, want 1", r.attempt)
		}
		if n := c.count(observe.Abandoned); n != 1 {
			t.Errorf("%d runs were reported as abandoned, want 1", n)
		}
		c.pass(10 * time.Second)
	})
}

// A run that crashes its processes is abandoned after MaxAttempts.
func TestFailover_MaxAttempts(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{
			Name:        "poison",
			Schedule:    "0 * * * * ?",
			Shards:      1,
			Failover:    true,
			MaxAttempts: 3,
		}}
		for i := range 5 {
			c.start(fmt.Sprint("n", i))
		}
		byName := map[string]*node{}
		for _, n := range c.nodes {
			byName[n.name] = n
		}
		c.does(func(ctx context.Context, run elastic.Run) error {
			for _, r := range c.find(func(r *ran) bool { return r.end.IsZero() }) {
				if r.fire.Minute() == 1 {
					go c.crash(r.node) // not in the handler itself, which must be dead by then
				}
			}
			return sleepFor(time.Second)(ctx, run)
		})
		c.until("the run is abandoned", func() bool { return c.count(observe.Abandoned) == 1 })
		if attempts := len(c.find(func(r *ran) bool { return r.fire.Minute() == 1 })); attempts != 3 {
			t.Errorf("the fire had %d attempts, want 3", attempts)
		}
		c.until("the next fire runs", func() bool {
			return len(
				c.find(func(r *ran) bool { return r.fire.Minute() == 2 && !r.end.IsZero() && r.err == nil }),
			) == 1
		})
	})
}

// A handler is cancelled before another instance can start its run.
func TestFailover_CancelsBeforeTakeOver(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(20 * time.Second))
		a, b := onTwo(c, elastic.Job{Name: "report", Schedule: "0 * * * * ?", Shards: 2, Failover: true})
		c.until("B runs shard 1", func() bool { return c.running(b, 1) })
		b.client.Cut()
		c.until("A runs shard 1", func() bool { return c.running(a, 1) })
		cut := c.find(func(r *ran) bool { return r.node == b && r.shard == 1 })[0]
		took := c.find(func(r *ran) bool { return r.node == a && r.shard == 1 })[0]
		if !errors.Is(cut.cause, elastic.ErrSessionLost) || !cut.end.Before(took.start) {
			t.Errorf(
				"B's handler ended at %s because of %v, A's began at %s; want an end before that, for a lost session",
				stamp(cut.end),
				cut.cause,
				stamp(took.start),
			)
		}
		b.client.Heal()
		c.until("B is back as another instance", func() bool { return c.balanced("report", "x", "y") })
		c.pass(30 * time.Second)
	})
}

// An evicted instance joins again under another ID.
func TestFailover_EvictedInstanceRejoins(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(20 * time.Second))
		_, b := onTwo(c, elastic.Job{Name: "report", Schedule: "0 * * * * ?", Shards: 2, Failover: true})
		c.until("B runs shard 1", func() bool { return c.running(b, 1) })
		id := c.record("report", 1).Owner
		c.delete("instances/" + id)
		c.until("B has another ID", func() bool {
			lost := c.find(func(r *ran) bool {
				return r.node == b && r.shard == 1 && errors.Is(r.cause, elastic.ErrSessionLost)
			})
			return len(lost) == 1 && c.balanced("report", "x", "y")
		})
		c.until("the run is repeated", func() bool {
			return len(c.find(func(r *ran) bool {
				return r.shard == 1 && r.attempt == 2 && r.err == nil && !r.end.IsZero()
			})) == 1
		})
	})
}

// A run whose handler succeeded although its session was lost is not repeated.
func TestFailover_RecordsResultAfterSessionLoss(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Shards: 1, Failover: true}}
		c.does(func(ctx context.Context, run elastic.Run) error {
			<-ctx.Done() // and then it succeeds nevertheless
			return nil
		})
		a := c.start("a")
		c.until("it runs", func() bool { return c.running(a, 0) })
		a.client.Cut()
		c.until("the session is lost", func() bool { return !c.running(a, 0) })
		a.client.Heal()
		c.until(
			"the result is recorded",
			func() bool { return c.record("report", 0).Result == failover.ResultSucceeded },
		)
		if runs := len(c.find(func(*ran) bool { return true })); runs != 1 {
			t.Errorf("the fire ran %d times, want once", runs)
		}
		c.does(nothing)
	})
}

// Fires that could not begin while the store was unreachable run when it is
// back, as the misfire policy says.
func TestFailover_FiresDueInOutageRunLater(t *testing.T) {
	for _, misfire := range []elastic.Misfire{elastic.MisfireOnce, elastic.MisfireSkip, elastic.MisfireAll} {
		t.Run(string(misfire), func(t *testing.T) {
			bubble(t, func(c *cluster) {
				c.jobs = []elastic.Job{{
					Name:          "report",
					Schedule:      "0/10 * * * * ?",
					Misfire:       misfire,
					MisfireWindow: map[elastic.Misfire]time.Duration{elastic.MisfireSkip: 4 * time.Second}[misfire],
				}}
				a := c.start("a")
				c.pass(15 * time.Second) // the fire of :10 ran
				a.client.Cut()
				c.pass(40 * time.Second) // the fires of :20 to :50 could not
				a.client.Heal()
				c.pass(10 * time.Second) // the fire of :00 runs in any case
				var fires []int
				for _, r := range c.find(func(*ran) bool { return true }) {
					fires = append(fires, r.fire.Second())
				}
				want := map[elastic.Misfire]string{
					elastic.MisfireOnce: "[10 50 0]", elastic.MisfireSkip: "[10 0]", elastic.MisfireAll: "[10 20 30 40 50 0]",
				}[misfire]
				if got := fmt.Sprint(fires); got != want {
					t.Errorf("ran the fires %s, want %s", got, want)
				}
				if misfire != elastic.MisfireAll && c.count(observe.Missed) == 0 {
					t.Error("no event reports the missed fires")
				}
			})
		})
	}
}

// A lost reply is settled without another run.
func TestFailover_LostReplyRepeatsNoRun(t *testing.T) {
	for _, lost := range []struct {
		name  string
		fault memory.Fault
	}{
		{"applied", memory.Fault{LoseReply: true, Broken: true}},
		{"not applied", memory.Fault{LoseRequest: true, Broken: true}},
		{"applied, found out late", memory.Fault{LoseReply: true}},
		{"refused", memory.Fault{Refuse: true}},
	} {
		for write := 1; write <= 2; write++ {
			t.Run(fmt.Sprintf("write %d %s", write, lost.name), func(t *testing.T) {
				bubble(t, func(c *cluster) {
					c.jobs = []elastic.Job{{
						Name:     "report",
						Schedule: "0/30 * * * * ?",
						Shards:   3,
						Failover: true,
						Misfire:  elastic.MisfireAll,
					}}
					a := c.start("a", elastic.WithSessionTTL(20*time.Second))
					c.pass(15 * time.Second)
					a.client.OnRequest(func(r memory.Request) memory.Fault {
						if r.Kind == memory.Transact && r.N == write {
							return lost.fault
						}
						return memory.Fault{}
					})
					c.pass(60 * time.Second)
					runs := c.find(func(r *ran) bool { return r.err == nil && !r.end.IsZero() })
					if len(runs) != 6 || c.total() != 6 {
						t.Errorf("%d runs, %d of them succeeded; want 6 and 6", c.total(), len(runs))
					}
				})
			})
		}
	}
}

// The fleet recovers, whichever write is lost: of joining, of the spec, of the
// assignment, of claims and of results.
func TestFailover_AnyLostWrite(t *testing.T) {
	// From the start of an instance on: joining, writing the spec, assigning,
	// claiming, completing.
	for write := 1; write <= 12; write++ {
		for name, fault := range map[string]memory.Fault{
			"reply lost":   {LoseReply: true, Broken: true},
			"request lost": {LoseRequest: true, Broken: true},
			"refused":      {Refuse: true},
		} {
			t.Run(fmt.Sprintf("%s of write %d", name, write), func(t *testing.T) {
				bubble(t, func(c *cluster) {
					c.jobs = []elastic.Job{{
						Name:     "report",
						Schedule: "0/10 * * * * ?",
						Shards:   4,
						Failover: true,
						Misfire:  elastic.MisfireAll,
					}}
					hook := func(r memory.Request) memory.Fault {
						if r.Kind == memory.Transact && r.N == write {
							return fault
						}
						return memory.Fault{}
					}
					start := time.Now()
					a := c.startWith("a", hook)
					b := c.start("b")
					c.pass(75 * time.Second)
					for shard := range 4 {
						if missing := c.missing("report", shard, start.Add(10*time.Second), start.Add(70*time.Second),
							10*time.Second); len(missing) > 0 {
							t.Errorf("shard %d: fires that never succeeded: %v", shard, missing)
						}
					}
					if !c.balanced("report", "a", "b") {
						t.Errorf("the owners are %v, want half of the shards each", c.owners("report"))
					}
					_, _ = a, b
				})
			})
		}
	}
}

// Transactions that are too large for the store are split.
func TestFailover_SplitsLargeTransactions(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Shards: 50, Failover: true}}
		c.start("a")
		c.pass(35 * time.Second)
		if got := len(c.find(func(r *ran) bool { return r.err == nil })); got != 150 {
			t.Errorf("%d runs, want 150", got)
		}
	}, memory.MaxOps(5))
}

// An instance repeats a run that a record attributes to it and that it does
// not run.
func TestFailover_RepeatsRunThatOwnerLacks(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Failover: true}}
		ghost := failover.Record{}.Begin(time.Now().Add(-time.Minute), "ghost@never", time.Now())
		c.put("runs/report/0", ghost.Encode())
		c.start("a")
		c.until("the ghost's run is repeated", func() bool {
			return len(c.find(func(r *ran) bool { return r.attempt == 2 && r.fence > ghost.Fence })) == 1
		})
		c.pass(20 * time.Second)
		if got := len(c.find(func(r *ran) bool { return r.attempt == 1 })); got < 2 {
			t.Errorf("%d fires ran after that, want at least 2", got)
		}
	})
}
