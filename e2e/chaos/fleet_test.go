package chaos

import (
	"cmp"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/e2e/fenced"
	"github.com/elasticjob-go/elastic/e2e/internal/worker"
	"github.com/elasticjob-go/elastic/internal/checker"
)

const (
	// patience bounds each wait of a test. It is long even for an overloaded
	// machine.
	patience = time.Minute

	// bound is the time beyond the TTL that a recovery may take on a busy
	// machine.
	bound = 3 * time.Second

	// skew is the error of clocks in a mix, well within failover.MaxSkew.
	skew = 2 * time.Second
)

// fleet is a store, a resource, and processes that share jobs.
type fleet struct {
	*worker.Fleet
	t        *testing.T
	kind     kind
	load     load
	members  []member
	resource *fenced.Server
	args     []string // of every worker
	jobs     []elastic.Job

	environment []string
	command     func(*exec.Cmd) // changes how a worker is started
	places      []*place
	did         map[string]int               // faults, by what they are
	tolerate    func(checker.Violation) bool // what a row does not promise; nil: nothing
	putBack     bool                         // the store was: it gives fences again
}

// newFleet starts a new store for a test, and no process yet.
func newFleet(t *testing.T, k kind, l load) *fleet {
	t.Helper()
	schedule, err := cron.Parse(l.schedule, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	l.ttl, l.nodes = cmp.Or(l.ttl, k.ttl), cmp.Or(l.nodes, *nodesFlag)
	f := &fleet{
		t:           t,
		kind:        k,
		load:        l,
		jobs:        l.list(),
		did:         map[string]int{},
		environment: l.environment,
	}
	shards := map[string]int{}
	for _, j := range f.jobs {
		shards[j.Name] = j.Shards
	}
	f.Fleet = worker.NewFleet(t, worker.Settings{
		Jobs:     shards,
		Schedule: schedule,
		Patience: patience,
		TTL:      l.ttl,
		Bound:    bound + k.late(l.ttl) + l.skew,
	})
	f.Revive = f.revive
	f.resource, err = fenced.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.resource.Close)
	f.URL = "file://" + filepath.Join(f.Dir, "store")
	if !k.alone() {
		f.members = k.start(t, l.nodes)
		f.URL = k.url(f.addrs())
	}
	f.prepare()
	return f
}

// late returns how much later than its TTL the store may end a session.
func (f *fleet) late() time.Duration { return f.kind.late(f.load.ttl) }

func (f *fleet) addrs() (all []string) {
	for _, m := range f.members {
		all = append(all, m.Addr())
	}
	return all
}

// start starts the processes of the load, and returns when every shard has run.
func (f *fleet) start() {
	f.t.Helper()
	n := f.load.places
	if f.kind.alone() {
		n = 1
	}
	for i := range n {
		f.place(fmt.Sprintf("w%d", i)).start()
	}
	f.awaitAll()
}

// awaitStart waits until a place's process starts a run.
func (f *fleet) awaitStart(p *place) checker.Line {
	f.t.Helper()
	return f.Next("a start by "+p.Process.String(), func(l checker.Line) bool {
		return l.Event == "start" && l.PID == p.PID()
	})
}

// awaitRepeat waits for the next attempt of a run.
func (f *fleet) awaitRepeat(run checker.Line) checker.Line {
	f.t.Helper()
	return f.AwaitLine(0, fmt.Sprintf(
		"another attempt of %s/%d, %s", run.Job, run.Shard, run,
	), func(l checker.Line) bool {
		return l.Event == "start" && worker.Of(l) == worker.Of(run) && l.Fire.Equal(run.Fire) && l.Attempt > run.Attempt
	})
}

// awaitAll waits until every shard has completed its due fires. A fire that is
// due for little more than the time of a run does not count.
func (f *fleet) awaitAll() {
	f.t.Helper()
	f.Await("every shard to have completed what is due", func() bool {
		return f.Completed(time.Now().Add(-f.load.work - bound/2))
	})
}
