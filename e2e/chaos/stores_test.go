package chaos

import (
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	_ "github.com/elasticjob-go/elastic/store/consul"
	_ "github.com/elasticjob-go/elastic/store/etcd"
	_ "github.com/elasticjob-go/elastic/store/file"
	_ "github.com/elasticjob-go/elastic/store/zookeeper"
)

// member is a server of a store; most stores have one, or three.
type member interface {
	Addr() string
	IsLeader() bool
	Kill()
	Restart()
	Pause()
	Resume()
}

// kind describes a kind of store. To add one, add a row.
type kind struct {
	name  string
	query string                                 // of its URLs
	start func(t *testing.T, nodes int) []member // nil: there is no server, all instances are one process
	ttl   time.Duration                          // of sessions
	late  func(ttl time.Duration) time.Duration  // how much later than that the store may end one
}

var kinds = []kind{
	{name: "etcd", start: etcd, ttl: 2 * time.Second, late: by(time.Second)}, // it looks twice a second
	// Ticks of half a second. The driver counts from a ping that is older by a
	// quarter of the TTL, so a TTL of two seconds would leave hardly one.
	{name: "zookeeper", start: zooKeeper, ttl: 4 * time.Second, late: by(time.Second)},
	{
		name:  "consul",
		start: consul,
		query: "?session_ttl_min=1s",
		ttl:   2 * time.Second,
		late:  again,
	},
	{name: "file", ttl: 2 * time.Second, late: by(0)},
}

func by(d time.Duration) func(time.Duration) time.Duration {
	return func(time.Duration) time.Duration { return d }
}

// again returns the delay of Consul, which waits twice the TTL before it ends a
// session.
func again(ttl time.Duration) time.Duration { return ttl + time.Second }

func etcd(t *testing.T, nodes int) []member { return members(testservers.StartEtcdCluster(t, nodes)) }
func zooKeeper(t *testing.T, nodes int) []member {
	return members(testservers.StartZooKeeperEnsemble(t, nodes))
}

func consul(t *testing.T, nodes int) []member {
	return members(testservers.StartConsulCluster(t, nodes))
}

func members[M member](list []M) (all []member) {
	for _, m := range list {
		all = append(all, m)
	}
	return all
}

// url returns the URL of the tests' namespace on some servers.
func (k kind) url(addrs []string) string {
	return k.name + "://" + strings.Join(addrs, ",") + "/chaos" + k.query
}

// alone reports whether the whole fleet is one process.
func (k kind) alone() bool { return k.start == nil }
