package chaos

import (
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/e2e/fenced"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// finish lets the fleet settle, drains all processes, and runs the checkers.
func (f *fleet) finish() figures {
	f.t.Helper()
	h := f.settle()
	log := f.resource.Log()
	tolerated := 0
	found := slices.DeleteFunc(h.Check(), func(v checker.Violation) bool {
		if f.tolerate == nil || !f.tolerate(v) {
			return false
		}
		if tolerated++; tolerated <= 3 {
			f.t.Logf("not promised otherwise: %s", v)
		}
		return true
	})
	if tolerated > 3 {
		f.t.Logf("and %d more like that", tolerated-3)
	}
	wrong := fenced.Check(log)
	if !f.putBack {
		wrong = append(wrong, fenced.Shared(log)...)
	}
	f.Report(h, found)
	for _, w := range wrong {
		f.t.Errorf("the resource: %s", w)
	}
	f.Keep(h, len(found)+len(wrong) > 0)
	g := tally(h, found, log, wrong)
	g.run, g.did = f.t.Name(), f.did
	g.report(f.t)
	return g
}

// settle waits until the effects of the faults are over, drains all processes,
// and returns the history.
func (f *fleet) settle() checker.History {
	f.t.Helper()
	f.AwaitEverybody()
	f.awaitAll()
	if !f.kind.alone() {
		f.Await("instances that are gone to be gone from the store", func() bool {
			ok := f.onlyTheLiving()
			if !ok {
				time.Sleep(100 * time.Millisecond) // each look is a read of the store
			}
			return ok
		})
	}
	end := f.AwaitQuiet()
	f.LeaveAll()
	f.Look()
	h := f.History()
	h.End, h.Final = end, f.Content("")
	return h
}

// onlyTheLiving reports whether the store holds no instance of a process that
// is gone.
func (f *fleet) onlyTheLiving() bool {
	living := map[int]bool{}
	for _, p := range f.places {
		living[p.PID()] = p.Running()
	}
	for _, e := range f.Content(layout.Instances) {
		if i, err := layout.DecodeInstance(e.Value); err == nil && !living[i.PID] {
			return false
		}
	}
	return true
}
