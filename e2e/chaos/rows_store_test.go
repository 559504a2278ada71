package chaos

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/e2e/internal/worker"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/testservers"
)

// down kills a server and returns what starts it again.
func (f *fleet) down(m member) (up func()) {
	f.Act(time.Now(), checker.Kill, nil)
	m.Kill()
	return func() {
		m.Restart()
		f.Act(time.Now(), checker.Start, nil)
	}
}

func storeCrash(t *testing.T, k kind) {
	f := launch(t, k, small)
	// too short to cost sessions, and long enough
	for _, long := range []time.Duration{0, f.load.ttl / 2, f.load.ttl + 2*time.Second} {
		f.busy()
		f.hits("store down")
		up := f.down(f.members[0])
		worker.Until(time.Now().Add(long))
		up()
		f.awaitAll()
	}
	f.finish()
}

func storeLeaderCrash(t *testing.T, k kind) {
	l := small
	l.nodes, l.ttl = 3, 3*k.ttl
	f := launch(t, k, l)
	for range 3 {
		f.busy()
		f.hits("leader down")
		up := f.down(f.leader())
		worker.Until(time.Now().Add(2 * time.Second))
		f.awaitAll() // without it
		up()
	}
	f.finish()
}

func quorumLoss(t *testing.T, k kind) {
	l := small
	l.nodes = 3
	f := launch(t, k, l)
	f.busy()
	f.hits("quorum lost")
	first, second := f.down(f.members[0]), f.down(f.members[1])
	lost := time.Now()
	worker.Until(lost.Add(5 * f.load.ttl))
	f.Look()
	for _, l := range f.Lines {
		if l.Event == "start" && l.Time.After(lost.Add(time.Second)) {
			t.Errorf(
				"%s/%d began at %s: %s, want nothing to begin without a quorum",
				l.Job, l.Shard, l.Time.Format(time.TimeOnly), l,
			)
		}
	}
	both := make(chan struct{}) // a server is not ready without another
	go func() { defer close(both); second() }()
	first()
	<-both
	f.finish()
}

// minorityFrozen runs an instance that knows only one of three servers, and
// freezes that server. An isolated server would not answer either. The driver's
// own tests isolate servers from each other where that is possible.
func minorityFrozen(t *testing.T, k kind) {
	l := small
	l.nodes = 3
	f := launch(t, k, l)
	p := f.place("attached")
	last := f.members[2]
	for _, m := range f.members {
		if !m.IsLeader() {
			last = m
		}
	}
	p.proxies = []*testservers.Proxy{testservers.StartProxy(t, last.Addr())}
	p.url = k.url([]string{p.proxies[0].Addr()})
	p.start()
	run := f.awaitStart(p)
	worker.Until(run.Time.Add(f.load.work / 2))
	f.hits("follower frozen")
	last.Pause()
	f.Act(time.Now(), checker.Cut, p.Process)
	since := time.Now()
	worker.Until(since.Add(f.load.ttl + f.late()))
	f.Look()
	f.Await("its shards to run elsewhere", func() bool {
		for _, owner := range f.owners() {
			if owner == p.PID() {
				return false
			}
		}
		return true
	})
	last.Resume()
	f.Act(time.Now(), checker.Heal, p.Process)
	f.awaitStart(p)
	f.finish()
}

func partition(t *testing.T, k kind) {
	l := small
	l.schedule, l.work = "0/5 * * * * ?", 4*time.Second
	f := launch(t, k, l)
	for name, how := range map[string]func(*testservers.Proxy){
		"cut": (*testservers.Proxy).Cut, "black hole": func(x *testservers.Proxy) { x.Hold(testservers.Both) },
	} {
		f.AwaitQuiet() // a run that began before the others may be through before it has to be told
		p := f.places[f.Rand.IntN(len(f.places))]
		run := f.awaitStart(p)
		worker.Until(run.Time.Add(500 * time.Millisecond))
		f.hits(name)
		p.cut(how)
		at, cut := time.Now(), f.Unfinished(p.Process)
		for _, l := range cut {
			again := f.awaitRepeat(l)
			f.ToldToStop(at, l, again)
		}
		p.heal()
		f.awaitStart(p)
	}
	f.finish()
}

func oneWay(t *testing.T, k kind) {
	f := launch(t, k, small)
	for _, way := range []struct {
		name string
		lost testservers.Direction
	}{{"answers lost", testservers.ToClient}, {"requests lost", testservers.ToServer}} {
		for _, long := range []time.Duration{f.load.ttl / 3, 2 * f.load.ttl} {
			p := f.busy()
			f.hits(way.name)
			p.cut(func(x *testservers.Proxy) { x.Drop(way.lost) })
			worker.Until(time.Now().Add(long))
			p.heal()
			f.awaitStart(p)
			f.awaitAll()
		}
	}
	f.finish()
}

func latency(t *testing.T, k kind) {
	l := small
	l.schedule, l.ttl = "0/10 * * * * ?", 3*k.ttl // a driver may need several round trips for a commit
	f := launch(t, k, l)
	for _, rtt := range []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond} {
		f.hits(rtt.String())
		for _, p := range f.places {
			for _, x := range p.proxies {
				x.Delay(testservers.Both, rtt/2)
			}
		}
		n := len(f.Lines)
		worker.Until(time.Now().Add(2 * f.load.ttl))
		f.awaitAll()
		for _, l := range f.Repeats(f.Lines[n:]) {
			t.Errorf("%s later: %s/%d: %s, want no session to be lost", rtt, l.Job, l.Shard, l)
		}
	}
	for _, p := range f.places {
		p.cut(func(*testservers.Proxy) {})
		p.heal()
	}
	f.finish()
}

// loss stalls connections as lost packets do: TCP sends them again, and what
// comes later waits for them.
func loss(t *testing.T, k kind) {
	l := small
	l.ttl = 3 * k.ttl
	f := launch(t, k, l)
	for _, p := range f.places {
		p.cut(func(*testservers.Proxy) {})
	}
	for end := time.Now().Add(2 * f.load.ttl); time.Now().Before(end); {
		p := f.places[f.Rand.IntN(len(f.places))]
		f.hits("stall")
		for _, x := range p.proxies {
			x.Hold([]testservers.Direction{testservers.ToServer, testservers.ToClient}[f.Rand.IntN(2)])
		}
		worker.Until(time.Now().Add(200 * time.Millisecond << f.Rand.IntN(3))) // the first tries of TCP
		for _, x := range p.proxies {
			x.Heal()
		}
		worker.Until(time.Now().Add(time.Duration(f.Rand.Int64N(int64(100 * time.Millisecond)))))
		f.Look()
	}
	for _, p := range f.places {
		p.heal()
	}
	f.finish()
	f.NoRepeats()
}

func flapping(t *testing.T, k kind) {
	f := launch(t, k, small)
	p := f.places[0]
	before := p.Files()
	for _, every := range []time.Duration{100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second} {
		f.hits("flap")
		stop := f.flap(p, every)
		worker.Until(time.Now().Add(8 * time.Second))
		stop()
	}
	f.awaitStart(p)
	f.awaitAll()
	f.Await("it to hold no more files and connections than before", func() bool { return p.Files() <= before+2 })
	f.finish()
}

// slowStore stops the servers for half of each second, as a slow disk appears
// to clients.
func slowStore(t *testing.T, k kind) {
	l := small
	l.schedule, l.ttl = "0/4 * * * * ?", 4*k.ttl
	f := launch(t, k, l)
	f.Act(time.Now(), checker.Stop, nil)
	for range 12 {
		f.hits("stall")
		for _, m := range f.members {
			m.Pause()
		}
		worker.Until(time.Now().Add(500 * time.Millisecond))
		for _, m := range f.members {
			m.Resume()
		}
		worker.Until(time.Now().Add(500 * time.Millisecond))
		f.Look()
	}
	f.Act(time.Now(), checker.Cont, nil)
	f.finish()
	f.NoRepeats()
}
