package integration

import (
	"errors"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/store/memory"
)

func nightly() []elastic.Job {
	return []elastic.Job{{
		Name:     "report",
		Schedule: "0/10 * * * * ?",
		Shards:   2,
		Failover: true,
		Misfire:  elastic.MisfireAll,
	}}
}

// A process that is restarted under its exclusive name takes over its runs
// without waiting for the end of its old session.
func TestExclusive_RestartTakesOverAtOnce(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = nightly()
		c.does(sleepFor(4 * time.Second))
		long := []elastic.Option{elastic.WithSessionTTL(time.Hour)}
		a := c.start("pod-0", append(long, elastic.WithExclusiveName("pod-0"))...)
		c.until("it runs both", func() bool { return c.total() == 2 })
		c.pass(time.Second)
		c.crash(a)
		c.start("pod-0", append(long, elastic.WithExclusiveName("pod-0"))...)
		c.pass(time.Second)
		if again := c.find(func(r *ran) bool { return r.attempt == 2 }); len(again) != 2 {
			t.Errorf("%d runs were taken over a second after the restart, want both", len(again))
		}
	})
}

// Of two processes under one exclusive name the first one stops, with the
// error ErrNameTaken.
func TestExclusive_FirstOfTwoStops(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = nightly()
		first := c.start("pod-0", elastic.WithExclusiveName("pod-0"))
		c.pass(12 * time.Second)
		second := c.start("pod-0", elastic.WithExclusiveName("pod-0"))
		first.evicted = append(first.evicted, time.Now())
		c.pass(5 * time.Second)
		<-first.done
		if !errors.Is(first.err, elastic.ErrNameTaken) {
			t.Errorf("the first ended with %v, want ErrNameTaken", first.err)
		}
		c.pass(20 * time.Second)
		if n := len(c.find(func(r *ran) bool { return r.node == second })); n != 4 {
			t.Errorf("the second ran %d times, want both shards twice", n)
		}
	})
}

// An instance with an exclusive name joins again after it lost its session.
func TestExclusive_RejoinsAfterSessionLoss(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = nightly()
		a := c.start("pod-0", elastic.WithExclusiveName("pod-0"))
		c.pass(5 * time.Second)
		a.client.Cut()
		c.pass(20 * time.Second)
		a.client.Heal()
		c.until("it is back", func() bool { return c.balanced("report", "pod-0") })
		before := c.total()
		c.pass(30 * time.Second)
		if n := c.total() - before; n < 4 {
			t.Errorf("%d runs in the next half minute", n)
		}
	})
}

// A name that is not exclusive evicts no other instance.
func TestExclusive_OtherNamesEvictNoInstance(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = nightly()
		c.start("pod-0")
		c.pass(5 * time.Second)
		c.start("pod-0", elastic.WithExclusiveName("pod-0"))
		c.pass(5 * time.Second)
		c.start("pod-0")
		c.pass(5 * time.Second)
		n := 0
		for _, e := range c.server.Dump() {
			if e.Key[:10] == "instances/" {
				n++
			}
		}
		if n != 3 {
			t.Errorf("%d instances are live, want all three", n)
		}
	})
}

// An instance that replaces another joins once, whether the request or its
// answer is lost.
func TestExclusive_JoinSurvivesLostReply(t *testing.T) {
	for name, fault := range map[string]memory.Fault{
		"reply lost":   {LoseReply: true, Broken: true},
		"request lost": {LoseRequest: true, Broken: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(c *cluster) {
				c.jobs = nightly()
				a := c.start("pod-0", elastic.WithExclusiveName("pod-0"), elastic.WithSessionTTL(time.Hour))
				c.pass(12 * time.Second)
				c.crash(a)
				b := c.startWith("pod-0", func(r memory.Request) memory.Fault {
					if r.Kind == memory.Transact && r.N == 1 {
						return fault
					}
					return memory.Fault{}
				}, elastic.WithExclusiveName("pod-0"))
				c.pass(30 * time.Second)
				if n := len(c.find(func(r *ran) bool { return r.node == b })); n < 4 {
					t.Errorf("it ran %d times", n)
				}
			})
		})
	}
}
