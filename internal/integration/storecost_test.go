package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// A fire costs two commits and no reads, whatever the number of shards.
func TestStoreCost_FireIsTwoCommits(t *testing.T) {
	for _, shards := range []int{1, 6, 100} {
		t.Run(fmt.Sprint(shards, " shards"), func(t *testing.T) {
			bubble(t, func(c *cluster) {
				c.jobs = []elastic.Job{{Name: "report", Schedule: "0/5 * * * * ?", Shards: shards, Failover: true}}
				n := c.start("a")
				c.pass(7 * time.Second)
				before := n.store.Counts()
				c.pass(30 * time.Second)
				if got := n.store.Counts().Sub(before); got.Commits != 6*2 || got.Reads() != 0 {
					t.Errorf("6 fires cost %d commits and %d reads, want 12 and 0", got.Commits, got.Reads())
				}
				if got, want := len(c.find(func(*ran) bool { return true })), 7*shards; got != want {
					t.Errorf("%d runs, want %d", got, want)
				}
			})
		})
	}
}

// Jobs that are due together share their commits.
func TestStoreCost_JobsShareCommits(t *testing.T) {
	bubble(t, func(c *cluster) {
		for i := range 20 {
			c.jobs = append(c.jobs, elastic.Job{Name: fmt.Sprint("job", i), Schedule: "0/5 * * * * ?", Shards: 1})
		}
		n := c.start("a")
		c.pass(7 * time.Second)
		before := n.store.Counts()
		c.pass(5 * time.Second)
		if got := n.store.Counts().Sub(before); got.Commits != 2 || got.Reads() != 0 {
			t.Errorf("20 jobs of one shard that fire together cost %d commits and %d reads, want 2 and 0", got.Commits,
				got.Reads())
		}
	})
}

// A thousand shards begin in as few commits as the size of transactions
// allows.
func TestStoreCost_ThousandShardsBegin(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/30 * * * * ?", Shards: 1000}}
		c.does(sleepFor(10 * time.Second))
		n := c.start("a")
		c.pass(25 * time.Second)
		before := n.store.Counts()
		c.pass(10 * time.Second) // all runs have begun, and none has ended
		perTxn := n.store.Caps().MaxOps - 3
		if got, want := n.store.Counts().Sub(before).Commits, int64((1000+perTxn-1)/perTxn); got != want {
			t.Errorf("1,000 shards began in %d commits, want %d", got, want)
		}
		c.pass(10 * time.Second)
		if got := len(c.find(func(r *ran) bool { return !r.end.IsZero() })); got != 1000 {
			t.Errorf("%d runs ended, want 1,000", got)
		}
	})
}

// A thousand jobs of one shard that are due at one instant begin and end in as
// few commits as the size of transactions allows: three keys to begin, one to
// end.
func TestStoreCost_ThousandJobsFire(t *testing.T) {
	for _, row := range []struct {
		maxOps int
		want   int64
	}{{127, 32}, {256, 18}} {
		t.Run(fmt.Sprint(row.maxOps, " keys a transaction"), func(t *testing.T) {
			bubble(t, func(c *cluster) {
				for i := range 1000 {
					c.jobs = append(c.jobs, elastic.Job{Name: fmt.Sprintf("job-%04d", i), Schedule: "0/30 * * * * ?"})
				}
				c.hook = func(memory.Request) memory.Fault {
					return memory.Fault{Before: time.Millisecond, After: time.Millisecond}
				}
				n := c.start("a")
				c.pass(25 * time.Second)
				before := n.store.Counts()
				c.pass(10 * time.Second)
				if got := n.store.Counts().Sub(before); got.Commits > row.want || got.Reads() != 0 {
					t.Errorf(
						"1,000 jobs took %d commits and %d reads, want at most %d and 0",
						got.Commits,
						got.Reads(),
						row.want,
					)
				}
				if got := len(c.find(func(r *ran) bool { return !r.end.IsZero() })); got != 1000 {
					t.Errorf("%d runs ended, want 1,000", got)
				}
			}, memory.MaxOps(row.maxOps))
		})
	}
}

// An instance that comes to many jobs reads their records by a list for each
// batch of assignments, and not by a read a job.
func TestStoreCost_StartReadsByLists(t *testing.T) {
	const jobs = 300
	const most = 64 + 3 // the last batch may have too few jobs for a list
	bubble(t, func(c *cluster) {
		for i := range jobs {
			c.jobs = append(c.jobs, elastic.Job{Name: fmt.Sprintf("job-%03d", i), Schedule: "0/30 * * * * ?"})
		}
		a := c.start("a")
		c.pass(35 * time.Second)
		if got := a.store.Counts(); got.Reads() > most {
			t.Errorf("%d new jobs cost %d gets and %d lists, want at most %d", jobs, got.Gets, got.Lists, most)
		}
		_ = c.leave(a)
		b := c.start("b")
		c.pass(35 * time.Second)
		if got := b.store.Counts(); got.Reads() > most {
			t.Errorf(
				"%d jobs that ran before cost %d gets and %d lists, want at most %d",
				jobs,
				got.Gets,
				got.Lists,
				most,
			)
		}
		if got, want := len(c.find(func(r *ran) bool { return r.err == nil && r.attempt == 1 })), 2*jobs; got != want {
			t.Errorf("%d runs, want %d", got, want)
		}
	})
}

// An idle job costs the store nothing: 500 jobs cost what one costs.
func TestStoreCost_IdleJobIsFree(t *testing.T) {
	perMinute := map[int]store.Counts{}
	for _, jobs := range []int{1, 500} {
		bubble(t, func(c *cluster) {
			for i := range jobs {
				c.jobs = append(
					c.jobs,
					elastic.Job{Name: fmt.Sprint("yearly", i), Schedule: "0 0 0 1 1 ? 2030", Shards: 3},
				)
			}
			n := c.start("a")
			c.pass(30 * time.Second)
			if opened := n.store.Counts(); opened.Sessions != 1 || opened.Watches > 6 {
				t.Errorf(
					"%d jobs: %d sessions and %d watches, want 1 and at most 6",
					jobs,
					opened.Sessions,
					opened.Watches,
				)
			}
			before := n.store.Counts()
			c.pass(10 * time.Minute)
			perMinute[jobs] = n.store.Counts().Sub(before)
		})
	}
	one, many := perMinute[1], perMinute[500]
	// Once a minute, give or take a tenth, a heartbeat is one write, and a
	// resync lists the six watched prefixes, the heartbeats and the own set of
	// jobs: nine to twelve times here.
	const beats = 12
	if many.Reads() > 8*beats || one.Reads() > 8*beats || many.Commits > beats || one.Commits > beats {
		t.Errorf(
			"ten idle minutes: %d reads, %d commits of 1 job; %d reads, %d commits of 500 jobs; want at most %d and %d",
			one.Reads(),
			one.Commits,
			many.Reads(),
			many.Commits,
			8*beats,
			beats,
		)
	}
}

// The loss of an instance costs one commit and one list a job, and one read
// for all orphaned runs.
func TestStoreCost_LossOfInstance(t *testing.T) {
	const jobs = 10
	bubble(t, func(c *cluster) {
		for i := range jobs {
			c.jobs = append(c.jobs, elastic.Job{
				Name:     fmt.Sprint("job", i),
				Schedule: "0/30 * * * * ?",
				Shards:   4,
				Failover: true,
			})
		}
		c.does(sleepFor(20 * time.Second))
		a, b := c.start("a"), c.start("b")
		c.until("all jobs are shared", func() bool {
			for i := range jobs {
				if !c.balanced(fmt.Sprint("job", i), "a", "b") {
					return false
				}
			}
			return true
		})
		c.until(
			"all shards run",
			func() bool { return len(c.find(func(r *ran) bool { return r.end.IsZero() })) == 4*jobs },
		)
		c.crash(b)
		before := a.store.Counts()
		c.until("all shards run on a", func() bool {
			return len(c.find(func(r *ran) bool { return r.node == a && r.end.IsZero() })) == 4*jobs
		})
		got := a.store.Counts().Sub(before)
		if got.Commits > jobs+1 || got.Lists > jobs || got.Gets > 1 {
			t.Errorf(
				"loss of an instance with shards of %d jobs: %d commits, %d lists, %d gets; want at most %d, %d, 1",
				jobs,
				got.Commits,
				got.Lists,
				got.Gets,
				jobs+1,
				jobs,
			)
		}
		c.pass(25 * time.Second)
	})
}

// Hundreds of orphaned runs are taken over in batches.
func TestStoreCost_OrphansInBatches(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "30 * * * * ?", Shards: 400, Failover: true}}
		c.does(sleepFor(30 * time.Second))
		a, b := c.start("a"), c.start("b")
		c.until("the job is shared", func() bool { return c.balanced("report", "a", "b") })
		c.until(
			"all shards run",
			func() bool { return len(c.find(func(r *ran) bool { return r.end.IsZero() })) == 400 },
		)
		c.crash(b)
		before := a.store.Counts()
		c.until("all shards run on a", func() bool {
			return len(c.find(func(r *ran) bool { return r.node == a && r.end.IsZero() })) == 400
		})
		perTxn := int64(29)
		got := a.store.Counts().Sub(before)
		if want := 1 + (200+perTxn-1)/perTxn; got.Commits > want || got.Reads() != 2 {
			t.Errorf("200 orphans cost %d commits and %d reads, want at most %d and 2", got.Commits, got.Reads(), want)
		}
		c.pass(40 * time.Second)
	}, memory.MaxOps(32))
}
