package testservers

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// Runtime is a way to run servers. The one of this package starts processes of
// this machine. Importing package containers, which is a module of its own,
// adds another:
//
//	import _ "github.com/elasticjob-go/elastic/internal/testservers/containers"
//
// It is used where a container engine answers, unless ELASTIC_TEST_RUNTIME says
// process; docker makes its absence an error. Which one is used, and why, is
// printed when the first server is started.
type Runtime interface {
	// Check returns nil if servers can be started, within seconds, and a few
	// words on what they run in.
	Check() (about string, err error)

	// Group makes room for the members of a cluster, or for a single server.
	// What it starts ends with the test.
	Group(t testing.TB, members int) (Group, error)
}

// Group is where servers run that reach each other.
type Group interface {
	// Listen is the address that members listen on.
	Listen() string

	// Host is where other members reach a member, without a port.
	Host(member int) string

	// Machine returns a member, not started yet.
	Machine(member int, s Spec) (Machine, error)
}

// Spec says what a member runs.
type Spec struct {
	Server string   // etcd, zookeeper or consul
	Args   []string // what follows the program; paths in them are in directories of the test, see testing.T.TempDir
	Ports  []int    // that clients reach on 127.0.0.1, in either runtime
}

// Machine runs one server, in a process or a container.
type Machine interface {
	Start() error   // the first time, or again on what it has stored
	Running() bool  // also while it is paused
	Kill() error    // as a crash does; returns when it is gone, at once if it does not run
	Stop() error    // in good order; returns when it is gone
	Pause() error   // it keeps its connections and answers nothing
	Resume() error  // ends Pause
	Isolate() error // it and the other members don't reach each other, its clients still reach it; or ErrNoIsolation
	Rejoin() error  // ends Isolate
	Output() string // the end of what it has written
}

// ErrNoIsolation says that a runtime can't separate the members of a cluster
// from each other.
var ErrNoIsolation = errors.New(
	"processes on one loopback can't be separated from each other: run with " + runtimeVariable + "=docker",
)

const runtimeVariable = "ELASTIC_TEST_RUNTIME"

// containers is nil unless package containers is linked in, which sets it
// before any test runs.
var containers Runtime

// RegisterContainers adds the runtime that is used where a container engine
// answers. It is for package containers.
func RegisterContainers(r Runtime) { containers = r }

// chosen is the runtime of this process.
var chosen = sync.OnceValues(func() (Runtime, error) {
	r, about, err := choose(os.Getenv(runtimeVariable), containers)
	if err == nil {
		fmt.Fprintln(os.Stderr, "test servers run as "+about)
	}
	return r, err
})

// choose picks a runtime and says why.
func choose(wanted string, containers Runtime) (r Runtime, about string, err error) {
	switch {
	case wanted != "" && wanted != "docker" && wanted != "process":
		return nil, "", fmt.Errorf("%s=%s: want docker, process, or nothing", runtimeVariable, wanted)
	case wanted == "process":
		return local{}, "processes, because " + runtimeVariable + " says so", nil
	case containers == nil && wanted == "docker":
		return nil, "", fmt.Errorf(
			"%s=docker, and the test does not import internal/testservers/containers: "+
				"run it from a module that does, such as internal/testharness",
			runtimeVariable,
		)
	case containers == nil:
		return local{}, "processes, because containers are not linked in", nil
	}
	about, err = containers.Check()
	switch {
	case err == nil:
		return containers, "containers: " + about, nil
	case wanted == "docker":
		return nil, "", fmt.Errorf("%s=docker: %w", runtimeVariable, err)
	default:
		return local{}, "processes, because there are no containers: " + err.Error(), nil
	}
}

// RuntimeName returns docker or process: how the servers of this process run.
// It fails the test if there is no way to.
func RuntimeName(t testing.TB) string {
	t.Helper()
	if _, ok := runtime(t).(local); ok {
		return "process"
	}
	return "docker"
}

func runtime(t testing.TB) Runtime {
	t.Helper()
	r, err := chosen()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// newGroup makes room for servers in the runtime of this process.
func newGroup(t testing.TB, members int) Group {
	t.Helper()
	g, err := runtime(t).Group(t, members)
	if err != nil {
		t.Fatalf("make room for %d servers: %v", members, err)
	}
	return g
}

// process is a server in the machine that the runtime made for it. What the
// machine can't do fails the test.
type process struct {
	t       testing.TB
	name    string // for messages
	machine Machine
}

// newMember returns a server that is not started yet. The end of the test kills
// it, and shows the end of its output if the test failed.
func newMember(t testing.TB, g Group, member int, s Spec) *process {
	t.Helper()
	m, err := g.Machine(member, s)
	if err != nil {
		t.Fatalf("make room for %s: %v", s.Server, err)
	}
	p := &process{t: t, name: s.Server, machine: m}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of the output of %s:\n%s", p.name, m.Output())
		}
		p.kill()
	})
	return p
}

func (p *process) start() error { return p.machine.Start() }

// awaitReady waits until ready returns nil. It gives up when the server ends or
// after a time that is long even for a loaded machine.
func (p *process) awaitReady(ready func() error) error {
	const patience = 60 * time.Second
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		if !p.machine.Running() {
			return fmt.Errorf("%s ended before it was ready:\n%s", p.name, p.machine.Output())
		}
		select {
		case <-deadline:
			return fmt.Errorf("%s is not ready after %v: %w\n%s", p.name, patience, err, p.machine.Output())
		case <-tick.C:
		}
	}
}

func (p *process) kill()   { p.t.Helper(); p.must("kill", p.machine.Kill()) }
func (p *process) stop()   { p.t.Helper(); p.must("stop", p.machine.Stop()) }
func (p *process) pause()  { p.t.Helper(); p.must("pause", p.machine.Pause()) }
func (p *process) resume() { p.t.Helper(); p.must("resume", p.machine.Resume()) }

func (p *process) must(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Errorf("%s %s: %v", what, p.name, err)
	}
}

// portTaken reports whether a server did not start because another process has
// taken one of its ports since it was found free.
func portTaken(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "address already in use") || strings.Contains(text, "port is already allocated")
}
