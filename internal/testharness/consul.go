package testharness

import (
	"fmt"
	"testing"

	"github.com/elasticjob-go/elastic/conformance"
	"github.com/elasticjob-go/elastic/internal/testservers"
)

// Consul is the harness of the driver for Consul.
func Consul(t testing.TB) conformance.Harness {
	t.Helper()
	return newRemote(t, kind{
		scheme: "consul", params: "?session_ttl_min=1s",
		start: func(t testing.TB, members int) (all []server) {
			for _, c := range testservers.StartConsulCluster(t, members) {
				all = append(all, c)
			}
			return all
		},
		tap: func(*space) tap { return ofHTTP },
		// A change arrives in the answer to a waiting query, which is then sent
		// again.
		budget: conformance.Budget{
			Get:         1,
			List:        1,
			Commit:      1,
			NewSession:  2,
			WatchStart:  2,
			WatchChange: 1,
			IdleMinute:  40,
		},
		expire: func(t testing.TB, n *space, id string) {
			t.Helper()
			if _, err := n.servers[0].(*testservers.Consul).Ask("PUT", "session/destroy/"+id, ""); err != nil {
				t.Fatal(err)
			}
		},
		// Consul keeps no history for watches except tombstones, for a quarter
		// of an hour. A restore of its whole state wakes all waiting queries,
		// which then find another history.
		compact: func(t testing.TB, s server) {
			t.Helper()
			c := s.(*testservers.Consul)
			c.Restore(c.Snapshot())
		},
		transfer: func(t testing.TB, m *members, leader int) {
			t.Helper()
			server := m.servers[leader].(*testservers.Consul)
			if _, err := server.Ask("POST", "operator/raft/transfer-leader", ""); err != nil {
				t.Fatal(err)
			}
		},
		guard: guardConsul,
	})
}

// guardConsul starts a server with ACLs and tokens with policies.
func guardConsul(t testing.TB) func(t testing.TB, ns string, who conformance.Stranger) (string, []string) {
	t.Helper()
	c := testservers.StartConsul(t, testservers.ConsulOptions{ACLs: true})
	return func(t testing.TB, ns string, who conformance.Stranger) (string, []string) {
		t.Helper()
		var token string
		switch who {
		case conformance.Impostor:
			token = "bad0bad0-0000-4000-8000-00000000bad0"
		case conformance.Nobody:
			token = c.Policy(`node_prefix "" { policy = "read" }`)
		case conformance.Reader:
			token = c.Policy(fmt.Sprintf(`key_prefix "%s/" { policy = "read" } node_prefix "" { policy = "read" }`, ns))
		default:
			token = c.Policy(
				fmt.Sprintf(
					`key_prefix "%s/" { policy = "write" } session_prefix "" { policy = "write" } `+
						`node_prefix "" { policy = "read" }`,
					ns,
				),
			)
		}
		return "consul://" + c.Addr() + "/" + ns + "?token=" + token, []string{token}
	}
}
