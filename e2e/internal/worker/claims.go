package worker

import (
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/internal/checker"
)

// Repeats returns the lines that start a run again. It excepts runs whose
// process, or the store, got no CPU time for so long that it may have cost the
// session.
func (f *Fleet) Repeats(lines []checker.Line) []checker.Line {
	f.mu.Lock()
	still := f.standstills()
	f.mu.Unlock()
	return repeats(lines, f.Lines, still, f.TTL)
}

func repeats(lines, all []checker.Line, still []starvation, ttl time.Duration) (again []checker.Line) {
	for _, l := range lines {
		if l.Event != "start" || l.Attempt == 1 {
			continue
		}
		before := checker.Line{Time: l.Fire} // the process of a run without a start in the journal is unknown
		for _, a := range all {
			if a.Event == "start" && Of(a) == Of(l) && a.Fire.Equal(l.Fire) && a.Attempt == l.Attempt-1 {
				before = a
			}
		}
		// A renewal that came late before the run began may be what ends the
		// session while it runs.
		if !slices.ContainsFunc(still, func(s starvation) bool {
			return (s.pid == 0 || s.pid == before.PID || before.PID == 0) &&
				s.to.After(before.Time.Add(-ttl)) && s.from.Before(l.Time)
		}) {
			again = append(again, l)
		}
	}
	return again
}

// NoRepeats checks that no run was repeated.
func (f *Fleet) NoRepeats() {
	f.t.Helper()
	for _, l := range f.Repeats(f.Lines) {
		f.t.Errorf("%s/%d: got %s, want no second attempts", l.Job, l.Shard, l)
	}
}

// ToldToStop checks that a run whose process was cut off from the store at a
// time was told to stop before it began again. A process that got no CPU time
// may be late by that time, and not more.
func (f *Fleet) ToldToStop(cut time.Time, run, again checker.Line) {
	f.t.Helper()
	end := f.AwaitLine(0, "the end of "+run.String(), func(l checker.Line) bool {
		return l.Event == "end" && Of(l) == Of(run) && l.Fence == run.Fence
	})
	f.mu.Lock()
	own := slices.DeleteFunc(f.starved(), func(s starvation) bool { return s.pid != run.PID && s.pid != 0 })
	f.mu.Unlock()
	// A process gives its session up a tenth of the TTL before its end, so one
	// that lacked less time could still stop.
	late := within(own, cut, end.Time)
	if !end.Time.Before(again.Time.Add(late)) || end.Outcome == "ok" && late < f.TTL/10 {
		f.t.Errorf(
			"%s ended at %s (%s), %s began at %s: want it to be told to stop before",
			run, end.Time, end.Outcome, again, again.Time,
		)
	}
	f.t.Logf("it was told to stop %v before its run began elsewhere", again.Time.Sub(end.Time).Round(time.Millisecond))
}
