package testharness

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance"
	"github.com/elasticjob-go/elastic/internal/testservers"
)

// Etcd is the harness of the driver for etcd.
func Etcd(t testing.TB) conformance.Harness {
	t.Helper()
	return newRemote(t, kind{
		scheme: "etcd",
		start: func(t testing.TB, members int) (all []server) {
			for _, e := range testservers.StartEtcdCluster(t, members) {
				all = append(all, e)
			}
			return all
		},
		tap: func(*space) tap { return ofGRPC },
		// A lease is granted and its marker written. A renewal each third of
		// the TTL, and a question for progress every few seconds.
		budget: conformance.Budget{
			Get:         1,
			List:        1,
			Commit:      1,
			NewSession:  2,
			WatchStart:  2,
			WatchChange: 0,
			IdleMinute:  40,
		},
		expire:   expireEtcd,
		compact:  compactEtcd,
		transfer: transferEtcd,
		guard:    guardEtcd,
	})
}

func mustAsk(t testing.TB, s server, what, request string) string {
	t.Helper()
	text, err := s.(*testservers.Etcd).Ask(what, request)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func expireEtcd(t testing.TB, n *space, id string) {
	t.Helper()
	lease, err := strconv.ParseInt(id, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	mustAsk(t, n.servers[0], "lease/revoke", fmt.Sprintf(`{"ID":"%d"}`, lease))
}

func compactEtcd(t testing.TB, s server) {
	t.Helper()
	var now struct{ Header struct{ Revision string } }
	if err := json.Unmarshal([]byte(mustAsk(t, s, "kv/range", `{"key":"AA=="}`)), &now); err != nil {
		t.Fatal(err)
	}
	mustAsk(t, s, "kv/compaction", `{"revision":"`+now.Header.Revision+`","physical":true}`)
}

// transferEtcd makes the leader hand over to another member. It repeats that
// while the member lags too far behind.
func transferEtcd(t testing.TB, m *members, leader int) {
	t.Helper()
	var status struct {
		Header struct {
			Member string `json:"member_id"`
		}
	}
	other := m.servers[(leader+1)%len(m.servers)]
	if err := json.Unmarshal([]byte(mustAsk(t, other, "maintenance/status", "{}")), &status); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		_, err := m.servers[leader].(*testservers.Etcd).Ask(
			"maintenance/transfer-leadership", `{"targetID":"`+status.Header.Member+`"}`,
		)
		if now := m.Leader(); err == nil || now >= 0 && now != leader {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// guardEtcd starts a server with users and roles.
func guardEtcd(t testing.TB) func(t testing.TB, ns string, who conformance.Stranger) (string, []string) {
	t.Helper()
	e := testservers.StartEtcd(t)
	e.Secure()
	return func(t testing.TB, ns string, who conformance.Stranger) (string, []string) {
		t.Helper()
		user, password := ns+"-"+map[conformance.Stranger]string{
			"":                   "owner",
			conformance.Impostor: "owner",
			conformance.Nobody:   "stranger",
			conformance.Reader:   "reader",
		}[who], "s3cret-of-"+ns
		b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
		if who != conformance.Impostor {
			mustAsk(t, e, "auth/user/add", fmt.Sprintf(`{"name":%q,"password":%q}`, user, password))
			mustAsk(t, e, "auth/role/add", fmt.Sprintf(`{"name":%q}`, user))
			mustAsk(t, e, "auth/user/grant", fmt.Sprintf(`{"user":%q,"role":%q}`, user, user))
		}
		rights := map[conformance.Stranger]string{"": "READWRITE", conformance.Reader: "READ"}[who]
		if rights != "" {
			mustAsk(
				t,
				e,
				"auth/role/grant",
				fmt.Sprintf(
					`{"name":%q,"perm":{"permType":%q,"key":%q,"range_end":%q}}`,
					user, rights, b64("/"+ns+"/"), b64("/"+ns+"0"),
				),
			)
		}
		if who == conformance.Impostor {
			password = "wr0ng-of-" + ns
		}
		return fmt.Sprintf("etcd://%s:%s@%s/%s", user, password, e.Addr(), ns), []string{password}
	}
}
