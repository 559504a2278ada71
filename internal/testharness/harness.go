// Package testharness runs the conformance suite on every driver of this
// repository. It has a conformance.Harness for each:
//
//	func TestConformance(t *testing.T) { conformance.Run(t, testharness.Etcd(t)) }
//
// The servers come from package testservers, which starts them in containers
// or as processes. The tests of this package run the suite on all drivers and
// print the results as a table.
package testharness

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/elasticjob-go/elastic/conformance"
	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
)

// server has the methods that servers of every kind share.
type server interface {
	Addr() string
	Ready() error
	IsLeader() bool
	Kill()
	Stop()
	Restart()
	Pause()
	Resume()
	Isolate() error
	Rejoin() error
}

// kind holds the differences between harnesses of remote stores.
type kind struct {
	scheme string
	params string // of every URL, with its ?
	start  func(t testing.TB, members int) []server
	tap    func(n *space) tap // looks at what a connection carries
	budget conformance.Budget

	expire   func(t testing.TB, n *space, id string)
	compact  func(t testing.TB, s server)
	transfer func(t testing.TB, m *members, leader int) // it may return before another member leads
	guard    func(t testing.TB) (as func(t testing.TB, ns string, who conformance.Stranger) (string, []string))
}

// remote is the harness of a driver for servers. All namespaces are on one
// server, and each store has its own proxy. A cluster, and a server with
// authentication, start when a case needs them.
type remote struct {
	kind
	t      testing.TB
	single []server

	startCluster func() *cluster
	startGuarded func() func(t testing.TB, ns string, who conformance.Stranger) (url string, secrets []string)
}

func newRemote(t testing.TB, k kind) conformance.Harness {
	t.Helper()
	r := &remote{kind: k, t: t, single: k.start(t, 1)}
	r.startCluster = sync.OnceValue(func() *cluster { return &cluster{remote: r, members: k.start(t, 3)} })
	r.startGuarded = sync.OnceValue(func() func(t testing.TB, ns string, who conformance.Stranger) (string, []string) {
		return k.guard(t)
	})
	return r
}

func (*remote) Lacks() map[conformance.Fault]string { return nil }

func (r *remote) New(testing.TB) conformance.Namespace { return r.space(r.single) }

func (r *remote) space(on []server) *space {
	return &space{
		remote:    r,
		servers:   on,
		name:      namespace(),
		wires:     map[store.Store]*wire{},
		passwords: map[string][]byte{},
	}
}

func (r *remote) Cluster(testing.TB) conformance.Cluster { return r.startCluster() }

var namespaces atomic.Int64

func namespace() string { return fmt.Sprintf("conf%d-%d", os.Getpid(), namespaces.Add(1)) }

// space is a namespace on servers.
type space struct {
	*remote
	servers []server
	name    string
	paused  bool

	mu        sync.Mutex
	wires     map[store.Store]*wire
	passwords map[string][]byte // of ZooKeeper's sessions, by which they can be closed by others
}

func (n *space) Open(t testing.TB) store.Store {
	t.Helper()
	return n.open(t, n.servers)
}

func (n *space) open(t testing.TB, on []server) store.Store {
	t.Helper()
	w := n.wire(t, on)
	s, err := store.Open(t.Context(), n.scheme+"://"+w.addrs()+"/"+n.name+n.params)
	if err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wires[s] = w
	return s
}

// wire puts a proxy before each server.
func (n *space) wire(t testing.TB, on []server) *wire {
	t.Helper()
	w := &wire{}
	for _, s := range on {
		p := testservers.StartProxy(t, s.Addr())
		p.Tap(w.count(n.tap(n)))
		w.proxies = append(w.proxies, p)
	}
	return w
}

func (n *space) Wire(_ testing.TB, s store.Store) conformance.Wire { return n.of(s) }

func (n *space) of(s store.Store) *wire {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.wires[s]
}

func (n *space) Cut(_ testing.TB, s store.Store) {
	n.of(s).each(func(p *testservers.Proxy) { p.Hold(testservers.Both) })
}
func (n *space) Heal(_ testing.TB, s store.Store) { n.of(s).Heal() }

func (n *space) ExpireSession(t testing.TB, id string) { t.Helper(); n.expire(t, n, id) }
func (n *space) Compact(t testing.TB)                  { t.Helper(); n.compact(t, n.servers[0]) }
func (n *space) Restart(t testing.TB)                  { t.Helper(); n.servers[0].Kill(); n.servers[0].Restart() }
func (n *space) Budget() conformance.Budget            { return n.budget }

func (n *space) Pause(testing.TB) { n.servers[0].Pause(); n.paused = true }

func (n *space) Resume(testing.TB) {
	if n.paused {
		n.servers[0].Resume()
	}
	n.paused = false
}
