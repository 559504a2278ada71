package e2e

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	_ "github.com/elasticjob-go/elastic/internal/testservers/containers"
	_ "github.com/elasticjob-go/elastic/store/consul"
	_ "github.com/elasticjob-go/elastic/store/etcd"
	_ "github.com/elasticjob-go/elastic/store/file"
	_ "github.com/elasticjob-go/elastic/store/zookeeper"
)

// server is the server of a fleet's store.
type server interface {
	Addr() string
	Kill()
	Restart()
}

// kind is a store that processes can share.
type kind struct {
	name  string
	query string                                // of its URLs
	start func(t *testing.T) server             // nil: there is no server
	late  func(ttl time.Duration) time.Duration // how much later than the TTL and our bound it may end a session
}

var kinds = []kind{
	{name: "etcd", start: func(t *testing.T) server { return testservers.StartEtcd(t) }, late: onTime},
	{name: "zookeeper", start: func(t *testing.T) server { return testservers.StartZooKeeper(t) }, late: onTime},
	{
		name:  "consul",
		query: "?session_ttl_min=1s",
		start: func(t *testing.T) server { return testservers.StartConsul(t) },
		late:  twice,
	},
}

// files is the file store. The next process finds the content that the one
// before has left.
var files = kind{name: "file", late: onTime}

func onTime(time.Duration) time.Duration    { return 0 }
func twice(ttl time.Duration) time.Duration { return ttl } // Consul lets two TTLs pass

// url is that of the tests' namespace at an address, which is a path if there
// is no server.
func (k kind) url(addr string) string {
	if k.start == nil {
		return k.name + "://" + addr
	}
	return k.name + "://" + addr + "/e2e" + k.query
}

// at is the same, on a kind of store.
func (s settings) at(on kind) settings {
	s.on = on
	return s
}

// onEveryStore runs a test on each kind of store, all at once: what a fleet
// does most is wait.
func onEveryStore(t *testing.T, test func(t *testing.T, on kind)) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			test(t, k)
		})
	}
}
