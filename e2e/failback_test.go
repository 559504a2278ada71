package e2e

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/e2e/internal/worker"
	"github.com/elasticjob-go/elastic/internal/checker"
)

// The story that this project began with. B dies while it runs a shard, A takes
// that over, B is back, and A dies, too: before it takes over, while it runs
// what it took over, or after. ElasticJob 3.0.x never fired the shard again
// until its nodes were deleted by hand.
func TestFailback_ShardFiresAfterSecondDeath(t *testing.T) {
	onEveryStore(t, aShardThatFailedOverFiresAgain)
}

func aShardThatFailedOverFiresAgain(t *testing.T, on kind) {
	slow := settings{
		shards:   2,
		schedule: "0/4 * * * * ?",
		work:     2 * time.Second,
		ttl:      3 * time.Second,
		on:       on,
	}
	begin := func(t *testing.T) (f *fleet, a, b *worker.Process, run checker.Line) {
		f = newFleet(t, slow)
		f.start("a")
		f.start("b")
		f.awaitAll()
		one := f.awaitStart(1)
		zero := f.AwaitLine(0, "shard 0 to start, too", func(l checker.Line) bool {
			return l.Event == "start" && l.Shard == 0 && l.Fire.Equal(one.Fire)
		})
		a, b = f.worker(zero), f.worker(one)
		if a == b {
			t.Fatalf("%s runs both shards", a)
		}
		worker.Until(one.Time.Add(slow.work / 4))
		b.Kill()
		return f, a, b, one
	}
	t.Run("before it takes over", func(t *testing.T) {
		t.Parallel()
		f, a, b, run := begin(t)
		a.Kill()
		f.start(b.Name)
		f.awaitRepeat(run)
		f.start(a.Name)
		firesAgain(f, run)
	})
	t.Run("while it runs what it took over", func(t *testing.T) {
		t.Parallel()
		f, a, b, run := begin(t)
		second := f.awaitRepeat(run)
		b = f.start(b.Name)
		worker.Until(second.Time.Add(slow.work * 3 / 4))
		a.Kill()
		if f.Look(); f.ended(second) {
			t.Fatalf("%s had ended before %s was killed: nothing is shown", second, a)
		}
		third := f.awaitRepeat(second)
		if f.worker(third) != b {
			t.Errorf("got %s, want it to run on %s", third, b)
		}
		f.start(a.Name)
		firesAgain(f, third)
	})
	t.Run("after it completed what it took over", func(t *testing.T) {
		t.Parallel()
		f, a, b, run := begin(t)
		second := f.awaitRepeat(run)
		f.start(b.Name)
		f.Await("the end of "+second.String(), func() bool { return f.ended(second) })
		worker.Until(time.Now().Add(50 * time.Millisecond)) // the result is recorded
		a.Kill()
		f.start(a.Name)
		firesAgain(f, second)
	})
}

// The same with a store inside the process: B is A, started again.
func TestFailback_FileStoreSurvivesDeaths(t *testing.T) {
	t.Parallel()
	s := settings{
		shards:   2,
		schedule: "0/4 * * * * ?",
		work:     2 * time.Second,
		ttl:      2 * time.Second,
		on:       files,
	}
	f := newFleet(t, s)
	f.start("a")
	f.awaitAll()
	run := f.awaitStart(1)
	for _, at := range []time.Duration{s.work / 4, s.work * 3 / 4} {
		worker.Until(run.Time.Add(at))
		f.worker(run).Kill()
		f.start("a")
		run = f.awaitRepeat(run)
	}
	f.Await("the end of "+run.String(), func() bool { return f.ended(run) })
	f.worker(run).Kill()
	f.start("a")
	firesAgain(f, run)
}

// firesAgain waits until shard 1 has completed two fires that come later, and
// ends the test.
func firesAgain(f *fleet, after checker.Line) {
	f.t.Helper()
	f.AwaitLine(0, "shard 1 to complete later fires", func(l checker.Line) bool {
		return l.Event == "end" && l.Outcome == "ok" && l.Shard == 1 && l.Fire.Sub(after.Fire) >= 8*time.Second
	})
	f.finish()
}
