package conformance

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/elasticjob-go/elastic/store"
)

// leaks returns the cases that check that closed stores leave nothing behind.
// They run alone, because they count goroutines and connections of the whole
// process.
func leaks() []testCase {
	return []testCase{
		{name: "LKG/OpenClose", run: leakOpenClose, alone: true},
		{name: "LKG/CancelledWatches", run: leakWatches, alone: true},
		{name: "LKG/ClosedSessions", run: leakSessions, alone: true},
		{name: "LKG/FailedOpen", run: leakFailedOpen, needs: []Fault{Credentials}, alone: true},
	}
}

// leavesNothing runs f and fails the case unless the goroutines that it started
// end. A few may stay: of the HTTP or test machinery, not one for each round.
func (t *test) leavesNothing(rounds int, f func()) {
	t.Helper()
	f() // what is made once is made now
	before := runtime.NumGoroutine()
	for range rounds {
		f()
	}
	few := rounds / 4
	defer func() {
		if t.Failed() {
			buf := make([]byte, 1<<20)
			t.Logf("%s", buf[:runtime.Stack(buf, true)])
		}
	}()
	t.eventually(patience, fmt.Sprintf("the goroutines of %d rounds have ended", rounds), func() bool {
		return runtime.NumGoroutine() <= before+few
	})
}

// scope runs the cleanups of a harness at the end of a round, and not of the
// case. A proxy that Open started is not a leak of the driver.
type scope struct {
	testing.TB
	cleanups []func()
}

func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *scope) end() {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
}

func leakOpenClose(t *test) {
	t.leavesNothing(20, func() {
		s := &scope{TB: t.TB}
		defer s.end()
		round := *t
		round.TB = s
		c := round.open()
		ss := c.session(0)
		c.do(ss, store.CreateEphemeral("k", nil))
		for _, prefix := range []string{"a", "b", ""} {
			w, err := c.Watch(t.ctx(), prefix)
			t.want("watch", err, nil)
			_, err = w.Next(t.ctx())
			t.want("next", err, nil)
		}
		t.want("close store", c.Close(t.ctx()), nil)
	})
}

func leakWatches(t *test) {
	c := t.open()
	t.leavesNothing(100, func() {
		w, err := c.Watch(t.ctx(), "d")
		t.want("watch", err, nil)
		w.Next(t.ended())
		t.want("close watch", w.Close(), nil)
		_, err = c.Watch(t.ended(), "d")
		if err == nil {
			t.Fatal("watch with a ctx that has ended: no error")
		}
	})
}

func leakSessions(t *test) {
	c := t.open()
	t.leavesNothing(50, func() {
		ss := c.session(0)
		t.want("close session", ss.Close(t.ctx()), nil)
	})
}

// leakFailedOpen opens the store again and again with a wrong password.
func leakFailedOpen(t *test) {
	g, _ := t.guarded()
	t.leavesNothing(10, func() {
		s, _, err := g.OpenAs(t.TB, Impostor)
		if err == nil { // ZooKeeper does not look at passwords before they are needed
			err = s.Close(t.ctx())
			t.want("close", err, nil)
		}
	})
}
