package conformance

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// Fault is something that a harness can do to the store, or know about it: the
// name of an interface that its namespaces, or the harness itself, implement.
type Fault string

// The faults. All but Clusters and Credentials are a namespace's.
const (
	Expire      Fault = "Expirer"
	Cut         Fault = "Cutter"
	Compact     Fault = "Compacter"
	Restart     Fault = "Restarter"
	Pause       Fault = "Pauser"
	Wires       Fault = "Wirer"
	Budgets     Fault = "Budgeter"
	Clusters    Fault = "Clusterer"
	Credentials Fault = "Guarder"
)

var faults = []Fault{Expire, Cut, Compact, Restart, Pause, Wires, Budgets, Clusters, Credentials}

// Expirer ends sessions from outside.
type Expirer interface {
	// ExpireSession makes the server end a session at once, as if its TTL had
	// passed or as an operator can: etcd revokes the lease, Consul destroys the
	// session. It returns when the server has done so.
	ExpireSession(t testing.TB, id string)
}

// Cutter separates one process from the servers.
type Cutter interface {
	// Cut makes the network between one store and the servers drop everything
	// in both directions, without closing a connection. s is the store that
	// Open returned. Other stores are not affected.
	Cut(t testing.TB, s store.Store)

	// Heal ends Cut. Connections may break then. It does nothing if s was not
	// cut.
	Heal(t testing.TB, s store.Store)
}

// Compacter makes servers forget.
type Compacter interface {
	// Compact makes the server forget the history of the namespace that watches
	// resume from, as far as it can. Other namespaces may be affected.
	Compact(t testing.TB)
}

// Restarter restarts servers.
type Restarter interface {
	// Restart kills the server, starts it again with its data, and returns when
	// it answers. Other namespaces may be affected.
	Restart(t testing.TB)
}

// Pauser freezes servers.
type Pauser interface {
	// Pause freezes the server: connections stay open and nothing answers.
	// Other namespaces may be affected.
	Pause(t testing.TB)

	// Resume ends Pause. It does nothing if the server is not frozen.
	Resume(t testing.TB)
}

// Wirer gives access to the network between one store and the servers.
type Wirer interface {
	// Wire returns the network of a store that Open returned. It is called once
	// for each store.
	Wire(t testing.TB, s store.Store) Wire
}

// Wire is the network between one store and the servers. Other stores are not
// affected.
type Wire interface {
	DropRequests()         // what the store sends is lost, until Heal
	DropReplies()          // what the servers send is lost, until Heal, and what the store sends arrives
	Delay(d time.Duration) // everything arrives later by d in each direction, until Heal
	Trickle()              // replies arrive a few bytes at a time, until Heal
	Reset()                // connections break; new ones work
	Heal()                 // ends the above; connections that lost something break

	// Hold delays what the store sends from now on. Orphan then breaks the
	// store's connections, while the delayed messages stay in flight; the store
	// can make new connections that work. Release delivers the delayed
	// messages, and returns when the servers have handled them, as far as can
	// be seen.
	Hold()
	Orphan()
	Release()

	// Requests returns how many messages the store has sent, renewals included.
	Requests() int
}

// Budgeter states what operations may cost.
type Budgeter interface {
	// Budget returns the most messages from a store to the servers, connections
	// and sessions being there already.
	Budget() Budget
}

// Budget is the most messages for one operation of each kind.
type Budget struct {
	Get, List, Commit int // with a session, and its directories there
	NewSession        int
	WatchStart        int
	WatchChange       int // one change that is told
	IdleMinute        int // one session of the default TTL, three watches, nothing to do
}

// Clusterer has clusters of three servers.
type Clusterer interface {
	// Cluster returns the cluster that the harness has for cases; they take
	// turns. Between cases all members run.
	Cluster(t testing.TB) Cluster
}

// Cluster is three servers that agree by majority.
type Cluster interface {
	// New is Harness.New, on the cluster.
	New(t testing.TB) Members
}

// Members is a namespace on a cluster. Open opens stores that know of all
// members.
type Members interface {
	Namespace

	// OpenAt opens a store that knows some of the members only.
	OpenAt(t testing.TB, members ...int) store.Store

	// Leader returns the member that leads, or -1 while there is none.
	Leader() int

	Kill(t testing.TB, member int)   // as a crash does
	Start(t testing.TB, member int)  // again, after Kill; returns when it serves
	Pause(t testing.TB, member int)  // it answers nothing, and connections stay open
	Resume(t testing.TB, member int) // ends Pause

	// Transfer has another member lead, in good order, and returns when one
	// does.
	Transfer(t testing.TB)

	// Isolate separates a member from the others, not from its clients, until
	// Rejoin. If these servers can't be separated, it returns an error with the
	// reason.
	Isolate(member int) error
	Rejoin(member int) error
}

// Guarder has servers with authentication.
type Guarder interface {
	// Guarded returns a namespace on such a server, which its owner may do
	// everything in.
	Guarded(t testing.TB) Guarded
}

// Guarded is a namespace with permissions. Open opens it as its owner.
type Guarded interface {
	Namespace

	// OpenAs opens the namespace as another client, and returns the error if
	// that is refused. Secrets are the passwords and tokens that were given to
	// the driver.
	OpenAs(t testing.TB, who Stranger) (s store.Store, secrets []string, err error)
}

// Stranger is a client with fewer permissions than the owner.
type Stranger string

// The strangers.
const (
	Impostor Stranger = "with a wrong password" // or a token that does not exist
	Nobody   Stranger = "without rights"        // known, and no rights in the namespace
	Reader   Stranger = "that may only read"    // known, and may read the namespace
)

// has reports whether a harness, or its namespaces, can cause a fault.
func has(h Harness, ns Namespace, f Fault) bool {
	var ok bool
	switch f {
	case Expire:
		_, ok = ns.(Expirer)
	case Cut:
		_, ok = ns.(Cutter)
	case Compact:
		_, ok = ns.(Compacter)
	case Restart:
		_, ok = ns.(Restarter)
	case Pause:
		_, ok = ns.(Pauser)
	case Wires:
		_, ok = ns.(Wirer)
	case Budgets:
		_, ok = ns.(Budgeter)
	case Clusters:
		_, ok = h.(Clusterer)
	case Credentials:
		_, ok = h.(Guarder)
	}
	return ok
}
