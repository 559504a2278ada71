package sim

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/vtime"
)

var (
	seedFlag  = flag.Uint64("sim.seed", 0, "run this seed alone; if it fails, shrink it and tell its story")
	seedsFlag = flag.Uint64("sim.seeds", defaultSeeds, "how many seeds to run")
	fromFlag  = flag.Uint64("sim.from", 1, "the first of them")
	traceFlag = flag.Bool("sim.trace", false, "with -sim.seed: print everything that happens")
	hunt      = flag.Bool("sim.hunt", false, "stop at the first seed that fails, and say only which and why")
)

// run runs a plan in a bubble of its own.
func run(t *testing.T, p Plan, tracing bool) (r Result) {
	vtime.Test(t, func(*testing.T) { r = Run(p, tracing) })
	return r
}

// campaign runs many seeds, a worker a processor, until enough says so.
type campaign struct {
	mu     sync.Mutex
	failed map[uint64]Result
	counts map[string]int
	took   time.Duration
	nodes  time.Duration // instance-seconds
	next   atomic.Uint64
}

func (c *campaign) run(t *testing.T, first, seeds uint64, enough int) {
	c.failed, c.counts = map[uint64]Result{}, map[string]int{}
	c.next.Store(first)
	t.Run("seeds", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint("worker", i), func(t *testing.T) {
				t.Parallel()
				for {
					seed := c.next.Add(1) - 1
					if seed >= first+seeds || c.bad() >= enough {
						return
					}
					c.take(seed, run(t, NewPlan(seed), false))
				}
			})
		}
	})
}

func (c *campaign) bad() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.failed)
}

func (c *campaign) take(seed uint64, r Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took += r.Took
	c.nodes += r.Took * time.Duration(r.Plan.Nodes)
	for what, n := range r.Counts {
		c.counts[what] += n
	}
	if len(r.Found) > 0 {
		c.failed[seed] = r
	}
}

// Whatever happens to instances, network and clocks, each invariant of the protocol holds.
func TestEveryInvariantHoldsWhateverHappens(t *testing.T) {
	if *seedFlag != 0 {
		alone(t, *seedFlag)
		return
	}
	var c campaign
	began := time.Now()
	c.run(t, *fromFlag, *seedsFlag, map[bool]int{true: 1, false: 5}[*hunt])
	seeds := slices.Sorted(maps.Keys(c.failed))
	for _, seed := range seeds {
		r := c.failed[seed]
		t.Errorf("seed %d, invariants %v: %s", seed, invariants(r.Found), r.Found[0])
	}
	if len(seeds) > 0 && !*hunt {
		alone(t, seeds[0])
	}
	t.Logf("%d seeds, %s of a cluster's time (%s of instances') in %s: %d crashes, %d runs, %d of them repeated, %d commits",
		c.next.Load()-*fromFlag, c.took.Round(time.Second), c.nodes.Round(time.Second), time.Since(began).Round(time.Millisecond),
		c.counts["crash"], c.counts["run"], c.counts["run again"], c.counts["commit committed"])
}

// alone runs one seed, and tells everything about it if it fails.
func alone(t *testing.T, seed uint64) {
	r := run(t, NewPlan(seed), *traceFlag)
	if *traceFlag {
		_, _ = fmt.Fprintf(os.Stderr, "%s\n%s\n", r.Plan, strings.Join(r.Trace, "\n"))
	}
	if len(r.Found) == 0 {
		return
	}
	small := Shrink(r, func(p Plan, tracing bool) Result { return run(t, p, tracing) })
	t.Errorf("%s", small.Story(len(r.Plan.Faults)))
}

func invariants(found []checker.Violation) []int {
	var numbers []int
	for _, v := range found {
		numbers = append(numbers, v.Invariant)
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// A failure that can't be repeated can't be understood.
func TestASeedRepeatsExactly(t *testing.T) {
	for seed := uint64(1); seed <= repeated; seed++ {
		p := NewPlan(seed)
		first, second := run(t, p, true), run(t, p, true)
		if fmt.Sprint(first.Found) != fmt.Sprint(second.Found) {
			t.Errorf("seed %d: %v, then %v", seed, first.Found, second.Found)
		}
		if !slices.Equal(first.Trace, second.Trace) {
			i := 0
			for i < min(len(first.Trace), len(second.Trace)) && first.Trace[i] == second.Trace[i] {
				i++
			}
			t.Errorf("seed %d: %d and %d lines, the first that differs is %d:\n%s\n\n%s", seed, len(first.Trace), len(second.Trace), i, around(first.Trace, i), around(second.Trace, i))
		}
	}
}

func around(trace []string, i int) string {
	return strings.Join(trace[max(0, i-4):min(len(trace), i+4)], "\n")
}

// What never happens is not tested.
func TestEverythingThatShouldHappenHappens(t *testing.T) {
	var c campaign
	c.run(t, 1, 300, 300)
	for _, what := range []string{
		"fault crash", "fault crash at", "fault leave", "fault pause", "fault cut", "fault lose", "fault late", "fault lag", "fault expire", "fault evict", "fault compact",
		"fault step", "fault reshard", "fault resched", "fault disable", "fault recreate", "fault withdraw", "fault overwrite", "fault policy", "fault trigger",
		"run again", "run with a trace", "handed over", "yielded", "abandoned", "triggered", "effect refused", "event stuck", "event panicked", "event missed", "event lost", "event future fire",
		"event took over", "event reclaimed", "commit expired", "commit ended", "left",
		"run of follower", "run of broadcast", "run of unclaimed", "run of once", "run of manual", "run of choosy", "nobody may own", "limit reached", "retry",
		"run of sticky", "run of average", "run of odevity", "run of rotate", "run of single", "run of static",
		"result ok", "result failed", "result skipped", "result replaced",
	} {
		if c.counts[what] == 0 {
			t.Errorf("it never happens in 300 seeds: %s", what)
		}
	}
}

// How many seconds of an instance's life a second of one processor simulates.
func BenchmarkSimulation(b *testing.B) {
	var nodes time.Duration
	testing.Init()
	for i := range b.N {
		p := NewPlan(uint64(i%200 + 1))
		testing.RunTests(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "seed", F: func(t *testing.T) {
			nodes += run(t, p, false).Took * time.Duration(p.Nodes)
		}}})
	}
	b.ReportMetric(nodes.Seconds()/b.Elapsed().Seconds(), "instance-s/s")
}

// Seeds beyond those of every day that have found something, since it was mended.
func TestWhatASeedHasFoundStaysMended(t *testing.T) {
	const late = "the answer to a write for a job that was removed was taken for one for the job of that name that came since"
	for seed, what := range map[uint64]string{
		6016:  "an assignment whose write had an unknown outcome, and was not applied, stayed wrong until the next resync",
		6394:  late,
		10126: late,
		7497:  "the first fences of two records of a shard, one after the other, by clocks that differ, were the same",
		7855:  "a handler that returned when its instance had given it up counted as forgotten: the check was wrong",
	} {
		if r := run(t, Plain(seed), false); len(r.Found) > 0 {
			t.Errorf("seed %d, %s: %s", seed, what, r.Found[0])
		}
	}
	for seed, what := range map[uint64]string{
		15495: "the last five seconds before a moment that a broken clock had written were silent",
		19641: "the engine panicked when a record's removal was refused after its session had ended",
	} {
		if r := run(t, NewPlan(seed), false); len(r.Found) > 0 {
			t.Errorf("seed %d, %s: %s", seed, what, r.Found[0])
		}
	}
}
