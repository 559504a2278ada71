package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/e2e/internal/worker"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/testservers"
)

// quick is a job whose shards are busy a third of the time: a fleet that lost a
// process catches up in seconds.
var quick = settings{shards: 6, schedule: "* * * * * ?", work: 300 * time.Millisecond, ttl: 3 * time.Second}

// trio starts three processes, and returns when every shard has run.
func trio(t *testing.T, s settings) *fleet {
	t.Helper()
	f := newFleet(t, s)
	for _, name := range []string{"a", "b", "c"} {
		f.start(name)
	}
	f.awaitAll()
	return f
}

func TestKill_EveryFireCompletes(t *testing.T) {
	onEveryStore(t, everyFireCompletesWhereverInItsRunAProcessIsKilled)
}

func everyFireCompletesWhereverInItsRunAProcessIsKilled(t *testing.T, on kind) {
	f := trio(t, quick.at(on))
	after := func(d time.Duration) func() *worker.Process { // the start of a run
		return func() *worker.Process {
			l := f.awaitStart(f.Rand.IntN(quick.shards))
			worker.Until(l.Time.Add(d))
			return f.worker(l)
		}
	}
	around := func(d time.Duration) func() *worker.Process { // a fire
		return func() *worker.Process {
			l := f.awaitStart(f.Rand.IntN(quick.shards))
			worker.Until(f.Schedule.Next(time.Now().Add(-d)).Add(d))
			return f.worker(l)
		}
	}
	end := func(d time.Duration) func() *worker.Process { // the end of a run, as its handler saw it
		return func() *worker.Process {
			l := f.awaitStart(f.Rand.IntN(quick.shards))
			f.Await("the end of "+l.String(), func() bool { return f.ended(l) })
			worker.Until(l.Time.Add(quick.work + d))
			return f.worker(l)
		}
	}
	for _, point := range []struct {
		name   string
		victim func() *worker.Process // returns at that point
	}{
		{"before the fire", around(-30 * time.Millisecond)},
		{"at the fire", around(0)},
		{"while it claims", around(2 * time.Millisecond)},
		{"while it claims, a little later", around(5 * time.Millisecond)},
		{"right after the start", after(0)},
		{"early in the run", after(quick.work / 10)},
		{"in the first half", after(quick.work / 3)},
		{"in the second half", after(quick.work * 2 / 3)},
		{"near the end", after(quick.work * 95 / 100)},
		{"just before the end", after(quick.work - 2*time.Millisecond)},
		{"at the end", after(quick.work)},
		{"while it records the result", end(4 * time.Millisecond)},
		{"while it records the result, a little later", end(7 * time.Millisecond)},
		{"after the result is recorded", end(50 * time.Millisecond)},
	} {
		w := point.victim()
		w.Kill()
		f.Look()
		cut := f.Unfinished(w)
		t.Logf("%s: killed %s while it ran %d shards", point.name, w, len(cut))
		for _, l := range cut {
			f.awaitRepeat(l)
		}
		f.start(w.Name)
	}
	mustNotPass(t, f.Rand, f.finish())
}

func TestFreeze_LosesRunsAndDoesNoHarm(t *testing.T) {
	onEveryStore(t, aFrozenProcessLosesItsRunsAndDoesNoHarmWhenItWakes)
}

func aFrozenProcessLosesItsRunsAndDoesNoHarmWhenItWakes(t *testing.T, on kind) {
	f := trio(t, quick.at(on))
	// While it runs, and while it does not.
	for _, at := range []time.Duration{quick.work / 2, quick.work + 100*time.Millisecond} {
		l := f.awaitStart(f.Rand.IntN(quick.shards))
		worker.Until(l.Time.Add(at))
		w := f.worker(l)
		w.Freeze()
		f.Look()
		cut := f.Unfinished(w)
		t.Logf("froze %s while it ran %d shards", w, len(cut))
		for _, l := range cut {
			again := f.awaitRepeat(l)
			if again.Fence <= l.Fence {
				t.Errorf("got fence %d for %s, want more than the frozen one's, %d", again.Fence, again, l.Fence)
			}
		}
		// It wakes so late that its shards run elsewhere, or will.
		next := f.AwaitLine(len(f.Lines), "the shard to run elsewhere", func(n checker.Line) bool {
			return n.Event == "start" && n.Shard == l.Shard && n.PID != w.PID()
		})
		w.Wake()
		for _, l := range cut {
			f.Await("the end of "+l.String(), func() bool { return f.ended(l) })
		}
		what := "the process that woke to run shards again, after " + next.String()
		f.AwaitLine(len(f.Lines), what, func(n checker.Line) bool {
			return n.Event == "start" && n.PID == w.PID()
		})
	}
	f.finish()
}

// midway waits until a run is half done, and returns it. It takes another run
// if the test came too late.
func (f *fleet) midway() checker.Line {
	f.t.Helper()
	for {
		l := f.awaitStart(f.Rand.IntN(f.settings.shards))
		if worker.Until(l.Time.Add(f.settings.work / 2)); time.Since(l.Time) < f.settings.work*3/4 {
			return l
		}
	}
}

func TestDrain_FinishesRunsAndMovesShardsAtOnce(t *testing.T) {
	t.Parallel()
	s := quick
	s.ttl = 20 * time.Second // so that waiting for it would show
	f := trio(t, s)
	for range 2 {
		w := f.worker(f.midway())
		w.Ask()
		f.Look()
		running := f.Unfinished(w)
		w.Gone()
		f.Look()
		if len(running) == 0 {
			t.Errorf("%s ran nothing when it was asked to leave: nothing is shown", w)
		}
		for _, l := range running {
			if !f.ended(l) {
				t.Errorf("%s left without finishing %s", w, l)
			}
			next := f.AwaitLine(0, "the next fire elsewhere", func(n checker.Line) bool {
				return n.Event == "start" && n.Shard == l.Shard && n.Fire.After(l.Fire)
			})
			if late := next.Time.Sub(next.Fire) - f.Starved(next.Fire, next.Time); late > 2*time.Second {
				t.Errorf("%s began %v after its fire, want at once", next, late)
			}
		}
		f.start(w.Name)
		f.awaitAll()
	}
	f.finish()
	f.NoRepeats()
}

func TestDrain_HandsOverUnfinishedRuns(t *testing.T) {
	t.Parallel()
	s := settings{
		shards:   3,
		schedule: "0/4 * * * * ?",
		work:     2 * time.Second,
		ttl:      20 * time.Second,
		drain:    200 * time.Millisecond,
	}
	f := trio(t, s)
	l := f.awaitStart(f.Rand.IntN(s.shards))
	w := f.worker(l)
	worker.Until(l.Time.Add(s.work / 4))
	w.Ask()
	asked := time.Now()
	w.Gone()
	again := f.awaitRepeat(l)
	if took := again.Time.Sub(asked) - f.Starved(asked, again.Time); took > s.drain+2*time.Second {
		t.Errorf(
			"%s began %v after %s was asked to leave, want soon after the drain timeout of %v",
			again, took, w, s.drain,
		)
	}
	t.Logf("handed over after %v", again.Time.Sub(asked).Round(time.Millisecond))
	f.start(w.Name)
	f.finish()
}

func TestRollingRestart_RepeatsNothing(t *testing.T) {
	t.Parallel()
	f := trio(t, quick)
	for _, w := range f.Processes()[:3] {
		worker.Until(f.awaitStart(-1).Time.Add(time.Duration(f.Rand.Int64N(int64(time.Second)))))
		w.Ask()
		w.Gone()
		again := f.start(w.Name)
		f.AwaitLine(len(f.Lines), fmt.Sprintf("%s to run shards", again), func(l checker.Line) bool {
			return l.PID == again.PID()
		})
	}
	f.finish()
	f.NoRepeats()
}

func TestKill_FleetContinuesAfterDeathOfAll(t *testing.T) {
	t.Parallel()
	f := trio(t, quick)
	l := f.awaitStart(f.Rand.IntN(quick.shards))
	worker.Until(l.Time.Add(quick.work / 2))
	all := f.Processes()
	for _, w := range all {
		w.Kill()
	}
	f.Look()
	worker.Until(l.Time.Add(2 * time.Second)) // fires come due without an instance
	for _, w := range all {
		f.start(w.Name)
	}
	for _, w := range all {
		for _, l := range f.Unfinished(w) {
			f.awaitRepeat(l)
		}
	}
	f.finish()
}

func TestCut_HandlersEndBeforeTakeOver(t *testing.T) {
	onEveryStore(t, aProcessThatIsCutOffFromTheStoreStopsBeforeItsShardsBeginElsewhere)
}

func aProcessThatIsCutOffFromTheStoreStopsBeforeItsShardsBeginElsewhere(t *testing.T, on kind) {
	s := settings{
		shards:   3,
		schedule: "0/4 * * * * ?",
		work:     3 * time.Second,
		ttl:      3 * time.Second,
		on:       on,
	}
	f := newFleet(t, s)
	proxy := testservers.StartProxy(t, f.server.Addr())
	cut := f.startOn("a", s.on.url(proxy.Addr()))
	f.start("b")
	f.start("c")
	f.awaitAll()
	run := f.AwaitLine(len(f.Lines), "a run of the process that will be cut off", func(l checker.Line) bool {
		return l.Event == "start" && l.PID == cut.PID()
	})
	proxy.Cut()
	at := time.Now()
	f.Act(at, checker.Cut, cut)
	again := f.awaitRepeat(run)
	f.ToldToStop(at, run, again)
	proxy.Heal()
	f.Act(time.Now(), checker.Heal, cut)
	f.AwaitLine(len(f.Lines), "it to run shards again", func(l checker.Line) bool {
		return l.Event == "start" && l.PID == cut.PID()
	})
	f.finish()
}

func TestStoreDown_CostsNoFire(t *testing.T) {
	onEveryStore(t, aStoreThatWasDownCostsNoFire)
}

func aStoreThatWasDownCostsNoFire(t *testing.T, on kind) {
	f := trio(t, quick.at(on))
	for _, down := range []time.Duration{0, quick.ttl + time.Second} { // too short to cost sessions, and long enough
		f.awaitStart(f.Rand.IntN(quick.shards))
		f.server.Kill()
		f.Act(time.Now(), checker.Kill, nil)
		worker.Until(time.Now().Add(down))
		f.server.Restart()
		f.Act(time.Now(), checker.Start, nil)
		f.awaitAll()
	}
	f.finish()
}
