package chaos

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/e2e/internal/worker"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/testservers"
)

// mix runs a fleet with all faults that a seed draws, several at a time.
func mix(t *testing.T, k kind) {
	f := newFleet(t, k, whole)
	f.Patience = 3 * patience // fires that came due during an outage take a third of its time to run
	f.start()
	f.suffer(f.draw())
	f.finish()
}

// draw draws the faults of a mix.
func (f *fleet) draw() []fault {
	if f.kind.alone() { // there is less that can happen, so that it happens more often
		var all []fault
		for _, part := range fit(plan(f.Rand, 3**durationFlag, f.load.ttl, 1, 0)) {
			part.at /= 3
			if n := len(all); n == 0 || part.at > all[n-1].at+all[n-1].lasts+f.load.ttl/4 {
				all = append(all, part)
			}
		}
		return all
	}
	return plan(f.Rand, *durationFlag, f.load.ttl, f.load.places, len(f.members))
}

// step is the begin or the end of a fault.
type step struct {
	at   time.Duration
	of   *fault
	ends bool
}

// suffer runs the planned faults.
func (f *fleet) suffer(faults []fault) {
	f.t.Helper()
	var steps []step
	for i := range faults {
		a := &faults[i]
		steps = append(steps, step{a.at, a, false}, step{a.at + a.lasts, a, true})
	}
	began, hit := time.Now(), map[*fault]func() bool{}
	for len(steps) > 0 {
		slices.SortStableFunc(steps, func(a, b step) int { return int(a.at - b.at) })
		s := steps[0]
		steps = steps[1:]
		worker.Until(began.Add(s.at))
		f.Look()
		switch {
		case !s.ends:
			f.did[s.of.what]++
			hit[s.of] = f.hit(s.of)
		case !hit[s.of](): // not yet
			steps = append(steps, step{s.at + 250*time.Millisecond, s.of, true})
		}
		if time.Since(began) > s.at+patience {
			f.t.Fatalf("%s: made up for in vain for %v", s.of, patience)
		}
	}
}

// hit causes a fault, and returns the repair, which reports whether it has
// succeeded.
func (f *fleet) hit(a *fault) (cure func() bool) {
	f.t.Helper()
	if a.place < 0 {
		return f.hitStore(a)
	}
	p := f.places[a.place]
	cut := func(how func(*testservers.Proxy)) func() bool {
		p.cut(how)
		return always(p.heal)
	}
	switch a.what {
	case "kill":
		p.Kill()
		return always(func() { p.start() })
	case "leave":
		p.Ask()
		return func() bool {
			if p.Left() {
				p.start()
				return true
			}
			return false
		}
	case "freeze", "stutter":
		p.Freeze()
		return always(p.Wake)
	case "clock":
		p.misset(a.amount)
		return always(func() { p.misset(0) })
	case "cut":
		return cut((*testservers.Proxy).Cut)
	case "black hole":
		return cut(func(x *testservers.Proxy) { x.Hold(testservers.Both) })
	case "deaf":
		return cut(func(x *testservers.Proxy) { x.Drop(testservers.ToClient) })
	case "dumb":
		return cut(func(x *testservers.Proxy) { x.Drop(testservers.ToServer) })
	case "mute":
		return cut((*testservers.Proxy).Mute)
	case "slow":
		return cut(func(x *testservers.Proxy) { x.Delay(testservers.Both, a.amount/2) })
	case "flap":
		return f.flap(p, a.amount)
	}
	f.t.Fatalf("%s: unknown fault", a)
	return nil
}

// flap breaks a place's connections again and again.
func (f *fleet) flap(p *place, every time.Duration) func() bool {
	p.cut((*testservers.Proxy).Reset)
	done := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				for _, x := range p.proxies {
					x.Reset()
				}
			case <-done:
				return
			}
		}
	})
	stop := sync.OnceFunc(func() { close(done); group.Wait() })
	f.t.Cleanup(stop)
	return always(func() { stop(); p.heal() })
}

// hitStore causes a fault of the store: of its leader, if it has several
// servers.
func (f *fleet) hitStore(a *fault) func() bool {
	f.t.Helper()
	m := f.leader()
	switch a.what {
	case "crash", "outage":
		f.Act(time.Now(), checker.Kill, nil)
		m.Kill()
		return always(func() {
			m.Restart()
			f.Act(time.Now(), checker.Start, nil)
		})
	case "hang":
		f.Act(time.Now(), checker.Stop, nil)
		m.Pause()
		return always(func() {
			f.Act(time.Now(), checker.Cont, nil)
			m.Resume()
		})
	}
	f.t.Fatalf("%s: unknown fault", a)
	return nil
}

// leader returns the leading server, or the first if none leads.
func (f *fleet) leader() member {
	if len(f.members) > 1 {
		if i := slices.IndexFunc(f.members, member.IsLeader); i >= 0 {
			return f.members[i]
		}
	}
	return f.members[0]
}

func always(do func()) func() bool {
	return func() bool { do(); return true }
}

func TestPlan_DependsOnSeedAlone(t *testing.T) {
	draw := func(seed uint64) []fault {
		return plan(rand.New(rand.NewPCG(seed, 0)), 10*time.Minute, 2*time.Second, 5, 1)
	}
	if !slices.Equal(draw(1), draw(1)) || slices.Equal(draw(1), draw(2)) {
		t.Error("got other faults for the same seed, or the same for another")
	}
	seen := map[string]int{}
	for _, f := range draw(1) {
		seen[f.what]++
	}
	for _, what := range slices.Concat(onPlaces, onStores) {
		if seen[what] == 0 {
			t.Errorf("ten minutes have no fault %q: %v", what, seen)
		}
	}
}

func TestFault_DescribesItself(t *testing.T) {
	got := fault{
		at:     1500 * time.Millisecond,
		lasts:  time.Second,
		what:   "slow",
		place:  2,
		amount: 40 * time.Millisecond,
	}.String()
	for _, want := range []string{"1.50s", "w2", "slow", "1s", "40ms"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want something about %s", got, want)
		}
	}
}
