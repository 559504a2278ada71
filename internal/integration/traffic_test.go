package integration

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// traffic counts the commits of a fleet.
type traffic struct {
	commits, failed int64 // failed: refused by a condition; they are in commits as well
	bytes           int64 // written, in failed commits as well
}

func (t traffic) String() string {
	return fmt.Sprintf("%d commits, %d of them failed, %d KB", t.commits, t.failed, t.bytes>>10)
}

// counted is a cluster whose traffic is counted.
type counted struct {
	*cluster
	commits, failed atomic.Int64
}

// newCounted returns a fleet of jobs that never fire. With a latency each
// request and each answer takes a random part of it.
func newCounted(c *cluster, jobs int, latency time.Duration) *counted {
	f := &counted{cluster: c}
	for i := range jobs {
		c.jobs = append(c.jobs, elastic.Job{Name: fmt.Sprintf("job-%05d", i), Schedule: "0 0 0 1 1 ? 2030", Shards: 3})
	}
	c.asked = func(r store.Request) {
		if r.Op != store.RequestCommit {
			return
		}
		f.commits.Add(1)
		if r.Outcome == store.OutcomeConflict {
			f.failed.Add(1)
		}
	}
	if latency > 0 {
		var mu sync.Mutex
		dice := rand.New(rand.NewPCG(1, uint64(jobs)))
		c.hook = func(memory.Request) memory.Fault {
			mu.Lock()
			defer mu.Unlock()
			return memory.Fault{
				Before: time.Duration(dice.Int64N(int64(latency))),
				After:  time.Duration(dice.Int64N(int64(latency))),
			}
		}
	}
	return f
}

// startAll starts instances at one instant.
func (f *counted) startAll(instances int) (all []*node) {
	for i := range instances {
		all = append(all, f.start(fmt.Sprintf("n%02d", i)))
	}
	return all
}

// total returns the traffic so far.
func (f *counted) total() traffic {
	t := traffic{commits: f.commits.Load(), failed: f.failed.Load()}
	for _, n := range f.nodes {
		t.bytes += n.store.Counts().BytesWritten
	}
	return t
}

func (t traffic) since(before traffic) traffic {
	return traffic{t.commits - before.commits, t.failed - before.failed, t.bytes - before.bytes}
}

// assigned fails the test unless each job has an assignment whose owners are
// live.
func (f *counted) assigned(live ...*node) {
	f.t.Helper()
	names := map[string]bool{}
	for _, n := range live {
		names[n.name] = true
	}
	for _, j := range f.jobs {
		owners := f.owners(j.Name)
		if len(owners) != j.Shards {
			f.t.Fatalf("%s has %d owners, want %d", j.Name, len(owners), j.Shards)
		}
		for _, o := range owners {
			if !names[o] {
				f.t.Fatalf("%s is assigned to %s, which is not live", j.Name, o)
			}
		}
	}
}

// perTxn is how many jobs a transaction holds that assigns them: two keys each,
// and the instance's own.
func perTxn(n *node) int64 { return int64(n.store.Caps().MaxOps-1) / 2 }

func batches(jobs int, n *node) int64 { return (int64(jobs) + perTxn(n) - 1) / perTxn(n) }

// eachLatency runs a test on a store that answers at once, which makes every
// race exact, and on one that takes a few milliseconds.
func eachLatency(t *testing.T, f func(t *testing.T, latency time.Duration)) {
	for _, latency := range []time.Duration{0, 5 * time.Millisecond} {
		t.Run(fmt.Sprint("latency ", latency), func(t *testing.T) { f(t, latency) })
	}
}

// Instances that start at one instant with new jobs make few commits, failed
// ones included, and write bytes in proportion to the jobs.
func TestTraffic_ColdStart(t *testing.T) {
	for _, row := range []struct{ instances, jobs int }{{3, 400}, {10, 300}, {10, 1000}, {30, 400}} {
		t.Run(fmt.Sprintf("%d instances, %d jobs", row.instances, row.jobs), func(t *testing.T) {
			eachLatency(t, func(t *testing.T, latency time.Duration) {
				bubble(t, func(c *cluster) {
					f := newCounted(c, row.jobs, latency)
					all := f.startAll(row.instances)
					c.pass(20 * time.Second)
					f.assigned(all...)
					got := f.total()
					most := 2*batches(row.jobs, all[0]) + int64(row.instances) + 10
					t.Logf("%s; %d commits allowed", got, most)
					if got.commits > most {
						t.Errorf("%s; want at most %d commits", got, most)
					}
				})
			})
		})
	}
}

// ownedBy returns how many jobs have a shard on an instance.
func (f *counted) ownedBy(n *node) (jobs int) {
	for _, j := range f.jobs {
		if slices.Contains(f.owners(j.Name), n.name) {
			jobs++
		}
	}
	return jobs
}

// settled starts a fleet and waits until it is at rest.
func (f *counted) settled(instances int) []*node {
	all := f.startAll(instances)
	f.pass(40 * time.Second)
	f.assigned(all...)
	return all
}

// An instance that leaves or crashes costs one assignment commit for each batch
// of jobs that had a shard there, and hardly a failed commit.
func TestTraffic_LossOfInstance(t *testing.T) {
	const instances, jobs = 10, 600
	for _, how := range []string{"leave", "crash"} {
		t.Run(how, func(t *testing.T) {
			eachLatency(t, func(t *testing.T, latency time.Duration) {
				bubble(t, func(c *cluster) {
					f := newCounted(c, jobs, latency)
					all := f.settled(instances)
					gone := all[3]
					affected := f.ownedBy(gone)
					before := f.total()
					if how == "leave" {
						_ = c.leave(gone)
					} else {
						c.crash(gone)
					}
					c.pass(20 * time.Second)
					f.assigned(slices.Delete(slices.Clone(all), 3, 4)...)
					got := f.total().since(before)
					most := batches(affected, all[0]) + leaderGroups + 10
					t.Logf("%d jobs affected: %s; %d commits allowed", affected, got, most)
					if got.commits-got.failed > most || got.failed > instances {
						t.Errorf("%d jobs affected: %s; want at most %d commits that are applied and %d that fail",
							affected, got, most, instances)
					}
				})
			})
		})
	}
}

// leaderGroups is among how many leaders the jobs of a fleet are divided at
// most: each writes the assignments of its own.
const leaderGroups = 8

// A rolling restart, one instance after the other, costs what the losses and
// one rebalancing at each return cost.
func TestTraffic_RollingRestart(t *testing.T) {
	const instances, jobs = 5, 300
	eachLatency(t, func(t *testing.T, latency time.Duration) {
		bubble(t, func(c *cluster) {
			f := newCounted(c, jobs, latency)
			all := f.settled(instances)
			before := f.total()
			most := int64(0)
			for i, n := range all {
				most += 2*batches(f.ownedBy(n), n) + 2*min(leaderGroups, instances) + 5
				_ = c.leave(n)
				c.pass(2 * time.Second)
				all[i] = f.start(n.name)
				c.pass(20 * time.Second)
			}
			f.assigned(all...)
			got := f.total().since(before)
			t.Logf("%s; %d commits allowed", got, most)
			if got.commits > most || got.failed > instances {
				t.Errorf("%s; want at most %d commits, and %d failed", got, most, instances)
			}
		})
	})
}

// At rest a resync of many keys sends digests, and a list only where something
// has changed; and it finds what a watch has missed.
func TestTraffic_ResyncByDigest(t *testing.T) {
	bubble(t, func(c *cluster) {
		f := newCounted(c, 300, 0)
		var listed []string
		c.hook = func(r memory.Request) memory.Fault {
			if r.Kind == memory.List && (r.Key == layout.Jobs || r.Key == layout.Assignments) {
				listed = append(listed, r.Key)
			}
			return memory.Fault{}
		}
		a := f.startAll(1)[0]
		c.pass(3 * time.Minute) // two resyncs
		listed = nil
		before := a.store.Counts()
		c.pass(5 * time.Minute)
		if got := a.store.Counts().Sub(before); len(listed) > 0 || got.Digests < 8 {
			t.Errorf(
				"at rest %d digests were read, and these lists: %q; want at least 8, and none",
				got.Digests,
				listed,
			)
		}
		a.client.SlowWatches(24*time.Hour, 0) // the watch shows nothing from now on
		c.overwrite("job-00007", func(s *layout.Spec) { s.Schedule = "0/10 * * * * ?" })
		c.until("the new schedule is known", func() bool { return c.total() > 0 })
		if !slices.Contains(listed, layout.Jobs) {
			t.Errorf("the jobs were not listed although one has changed: %q", listed)
		}
	})
}

// Without digests the keys are listed in one period of ten.
func TestTraffic_ResyncWithoutDigest(t *testing.T) {
	bubble(t, func(c *cluster) {
		f := newCounted(c, 300, 0)
		lists := 0
		c.hook = func(r memory.Request) memory.Fault {
			if r.Kind == memory.List && (r.Key == layout.Jobs || r.Key == layout.Assignments) {
				lists++
			}
			return memory.Fault{}
		}
		a := f.startAll(1)[0]
		c.pass(time.Minute)
		lists = 0
		before := a.store.Counts()
		c.pass(30 * time.Minute) // 27 to 34 periods
		got := a.store.Counts().Sub(before)
		if got.Digests != 0 || lists < 2*2 || lists > 2*4 {
			t.Errorf("%d digests and %d lists of jobs and assignments in half an hour, want none and 4 to 8",
				got.Digests, lists)
		}
	}, memory.NoDigest())
}

// What a fleet writes when it starts grows with the number of jobs, and not
// with its square.
func TestTraffic_BytesInProportion(t *testing.T) {
	perJob := map[int]int64{}
	for _, jobs := range []int{250, 1000} {
		bubble(t, func(c *cluster) {
			f := newCounted(c, jobs, 5*time.Millisecond)
			f.startAll(5)
			c.pass(20 * time.Second)
			perJob[jobs] = f.total().bytes / int64(jobs)
		})
	}
	if perJob[1000] > perJob[250]*5/4 {
		t.Errorf("a job costs %d bytes among 250 jobs, and %d among 1,000", perJob[250], perJob[1000])
	}
}

// A store that names only the first key of a conflict costs a few more commits,
// and not one for each job.
func TestTraffic_FirstConflictOnly(t *testing.T) {
	const instances, jobs = 5, 400
	bubble(t, func(c *cluster) {
		f := newCounted(c, jobs, 5*time.Millisecond)
		c.opts = []elastic.Option{elastic.WithJoinDelay(0)} // each creates what it sees itself lead, at once
		all := f.startAll(instances)
		c.pass(20 * time.Second)
		f.assigned(all...)
		got := f.total()
		t.Log(got)
		if got.failed > 2*instances*batches(jobs, all[0]) {
			t.Errorf("%s; want at most %d failed", got, 2*instances*batches(jobs, all[0]))
		}
	}, memory.FirstConflict(), memory.NoDigest(), memory.WeakVersions(), memory.MaxOps(128))
}
