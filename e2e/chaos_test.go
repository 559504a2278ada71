package e2e

import (
	"flag"
	"slices"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/e2e/internal/worker"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/testservers"
)

var chaosFlag = flag.Duration("chaos", 20*time.Second, "how long the mix of faults goes on")

// patient is a process with its present fault.
type patient struct {
	*worker.Process
	fleet  *fleet
	proxy  *testservers.Proxy // on its way to the store
	url    string
	dead   bool
	frozen bool
	cut    bool
}

// TestMix_NothingLostOrRunTwice causes the faults that the seed draws in three
// processes and their store, several at a time.
func TestMix_NothingLostOrRunTwice(t *testing.T) {
	t.Parallel()
	f := newFleet(t, settings{shards: 8, schedule: "* * * * * ?", work: 200 * time.Millisecond, ttl: 2 * time.Second})
	var all []*patient
	for _, name := range []string{"a", "b", "c"} {
		p := &patient{fleet: f, proxy: testservers.StartProxy(t, f.etcd.Addr())}
		p.url = "etcd://" + p.proxy.Addr() + "/e2e"
		p.Process = f.startOn(name, p.url)
		all = append(all, p)
	}
	f.awaitAll()

	did := map[string]int{}
	for end := time.Now().Add(*chaosFlag); time.Now().Before(end); {
		f.Look()
		if f.Rand.IntN(20) == 0 {
			did["store"]++
			f.etcd.Kill()
			f.Act(time.Now(), checker.Kill, nil)
			f.etcd.Restart()
			f.Act(time.Now(), checker.Start, nil)
		} else {
			did[all[f.Rand.IntN(len(all))].trouble()]++
		}
		worker.Until(time.Now().Add(time.Duration(f.Rand.Int64N(int64(time.Second)))))
	}
	t.Logf("did %v", did)
	for _, p := range all {
		p.cure()
	}
	f.finish()
}

// trouble causes a fault of the process, or repairs the present one, and
// returns its name.
func (p *patient) trouble() string {
	f := p.fleet
	if p.dead {
		p.Process, p.dead = f.startOn(p.Name, p.url), false
		return "start"
	}
	if p.frozen && f.Rand.IntN(2) == 0 {
		p.frozen = false
		p.Wake()
		return "wake"
	}
	if p.cut && f.Rand.IntN(2) == 0 {
		p.heal()
		return "heal"
	}
	// A process that has not run anything may not be ready for a signal yet.
	ready := slices.ContainsFunc(f.Lines, func(l checker.Line) bool { return l.PID == p.PID() })
	switch f.Rand.IntN(4) {
	case 0:
		if ready && !p.frozen && !p.cut {
			p.Ask()
			p.Gone()
			p.dead = true
			return "leave"
		}
	case 1:
		if !p.frozen {
			p.frozen = true
			p.Freeze()
			return "freeze"
		}
	case 2:
		if !p.cut {
			p.cut = true
			p.proxy.Cut()
			f.Act(time.Now(), checker.Cut, p.Process)
			return "cut"
		}
	}
	if p.cut {
		p.heal()
	}
	p.Kill()
	p.dead, p.frozen = true, false
	return "kill"
}

func (p *patient) heal() {
	p.cut = false
	p.proxy.Heal()
	p.fleet.Act(time.Now(), checker.Heal, p.Process)
}

// cure repairs all faults.
func (p *patient) cure() {
	if p.frozen {
		p.frozen = false
		p.Wake()
	}
	if p.cut {
		p.heal()
	}
	if p.dead {
		p.Process, p.dead = p.fleet.startOn(p.Name, p.url), false
	}
}
