package chaos

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/e2e/internal/worker"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/testservers"
)

// place is a machine of a worker: a name, a clock and a path to the store, for
// one process after the other.
type place struct {
	fleet           *fleet
	name            string
	url             string               // of the store, through the proxies
	proxies         []*testservers.Proxy // one to each server; none if there is no server
	clock           string               // file that says by how much its clock is wrong
	*worker.Process                      // the last one
}

// place adds a place to the fleet, without a process.
func (f *fleet) place(name string) *place {
	f.t.Helper()
	p := &place{fleet: f, name: name, clock: filepath.Join(f.Dir, name+".clock")}
	var addrs []string
	for _, m := range f.members {
		proxy := testservers.StartProxy(f.t, m.Addr())
		p.proxies, addrs = append(p.proxies, proxy), append(addrs, proxy.Addr())
	}
	p.url = f.URL
	if len(addrs) > 0 {
		p.url = f.kind.url(addrs)
	}
	f.places = append(f.places, p)
	return p
}

// start starts a process there.
func (p *place) start(more ...string) {
	f := p.fleet
	f.t.Helper()
	args := slices.Concat(f.args, []string{"-name", p.name, "-store", p.url, "-clock", p.clock}, more)
	p.Process = f.Start(p.name, args, func(cmd *exec.Cmd) {
		cmd.Env = append(os.Environ(), f.environment...)
		if f.command != nil {
			f.command(cmd)
		}
	})
}

// revive restarts a process that has ended because the store did not answer at
// its start in time. That is correct behavior: a supervisor would restart it.
func (f *fleet) revive(w *worker.Process) bool {
	i := slices.IndexFunc(f.places, func(p *place) bool { return p.Process == w })
	if i < 0 || w.ExitCode() != 1 || time.Since(w.Started) >= patience ||
		!strings.Contains(w.Tail(), "worker: open store") {
		return false
	}
	f.Act(time.Now(), checker.Exit, w)
	f.did["start in vain"]++
	f.places[i].start()
	return true
}

// cut disturbs the path between a place and the store, and notes it.
func (p *place) cut(how func(*testservers.Proxy)) {
	for _, proxy := range p.proxies {
		how(proxy)
	}
	p.fleet.Act(time.Now(), checker.Cut, p.Process)
}

// heal repairs the path.
func (p *place) heal() {
	for _, proxy := range p.proxies {
		proxy.Heal()
	}
	p.fleet.Act(time.Now(), checker.Heal, p.Process)
}

// misset sets the place's clock wrong by a duration.
func (p *place) misset(by time.Duration) {
	p.fleet.t.Helper()
	if err := os.WriteFile(p.clock, []byte(by.String()), 0o600); err != nil {
		p.fleet.t.Fatal(err)
	}
}

// oldest returns the place whose process came first: it leads.
func (f *fleet) oldest() *place {
	return slices.MinFunc(f.places, func(a, b *place) int { return a.Started.Compare(b.Started) })
}
