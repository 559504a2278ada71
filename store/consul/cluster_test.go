package consul

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

func addrs(cluster []*testservers.Consul) string {
	var all []string
	for _, c := range cluster {
		all = append(all, c.Addr())
	}
	return strings.Join(all, ",")
}

func leader(t *testing.T, cluster []*testservers.Consul) *testservers.Consul {
	t.Helper()
	var found *testservers.Consul
	storetest.Await(t, "a leader", func() bool {
		for _, c := range cluster {
			if c.IsLeader() {
				found = c
			}
		}
		return found != nil
	})
	return found
}

// talkTo has a store ask one of its hosts from now on.
func talkTo(s *client, c *testservers.Consul) {
	for i, h := range s.hosts.all {
		if h.addr == c.Addr() {
			s.hosts.at.Store(int32(i))
		}
	}
}

// The leader dies or freezes that is the agent which the store talks to, too,
// and that the session was started through: neither the session nor the truth
// about a transaction is lost with it.
func TestLostAgentThatLedCostsNoSession(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ fault, heal func(c *testservers.Consul) }{
		"killed": {(*testservers.Consul).Kill, (*testservers.Consul).Restart},
		"frozen": {(*testservers.Consul).Pause, (*testservers.Consul).Resume},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := testservers.StartConsulCluster(t, 3)
			lost := leader(t, cluster)
			s := hasty(openAt(t, addrs(cluster), storetest.Namespace()))
			talkTo(s, lost)
			n := start(t, s, 30*time.Second)
			m := storetest.Follow(t, s, "")
			const key = "live/counter"
			v := storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral(key, []byte("0"))}})[0]

			c.fault(lost)
			began := time.Now()
			counted, deadline, unclear := 0, n.Deadline(), 0
			storetest.Await(t, "30 commits and renewals that another leader has confirmed", func() bool {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				r, err := s.Commit(ctx, store.Txn{Session: n, If: []store.Cond{store.At(key, v)}, Do: []store.Op{store.Set(key, fmt.Append(nil, counted+1))}})
				switch {
				case err == nil:
					if counted++; counted == 1 {
						t.Logf("the first commit after %v", time.Since(began))
					}
					v = r.Versions[0]
				case errors.Is(err, store.ErrUnknown): // what a read shows is final
					unclear++
					e, err := s.Get(storetest.Bounded(t, storetest.Patience), key)
					if err != nil {
						t.Fatal(err)
					}
					if e.Version != v {
						counted, v = counted+1, e.Version
					}
				case !errors.Is(err, store.ErrUnavailable):
					t.Fatal(err)
				}
				return counted >= 30 && n.Deadline().After(deadline)
			})
			t.Logf("%d unknown outcomes", unclear)
			storetest.Equal(t, "the counter", storetest.Read(t, s, key), fmt.Sprint(counted))
			if err := n.Err(); err != nil {
				t.Errorf("the session ended: %v", err)
			}
			m.UntilHas(key, fmt.Sprint(counted))
			c.heal(lost)
		})
	}
}

// A follower passes a query on to the leader, and waits for a leader that is
// gone until the query's time is up.
func TestWatch_FollowerHearsAnotherLeader(t *testing.T) {
	t.Parallel()
	cluster := testservers.StartConsulCluster(t, 3)
	lost := leader(t, cluster)
	followers := slices.DeleteFunc(slices.Clone(cluster), func(c *testservers.Consul) bool { return c == lost })
	ns := storetest.Namespace()
	s, other := openAt(t, followers[0].Addr(), ns), openAt(t, followers[1].Addr(), ns)
	s.leaderEvery, s.probeEvery = time.Second, time.Hour // whatever else might notice
	storetest.Commit(t, other, storetest.Do(store.Create("w/a", []byte("0"))))
	m := storetest.Follow(t, s, "w")
	m.UntilHas("w/a", "0")
	lost.Pause()
	defer lost.Resume()
	storetest.Await(t, "another leader", func() bool {
		_, err := other.Commit(storetest.Bounded(t, time.Second), storetest.Do(store.Set("w/a", []byte("1"))))
		return err == nil
	})
	committed := time.Now()
	m.UntilHas("w/a", "1")
	t.Logf("told %v after it was committed", time.Since(committed))
}

// A session belongs to the node of the agent that it was started through. When
// that leaves for good, so does the session, and its process is told.
func TestSessionEndsWithTheNodeOfItsAgent(t *testing.T) {
	t.Parallel()
	cluster := testservers.StartConsulCluster(t, 3)
	s := openAt(t, addrs(cluster), storetest.Namespace())
	talkTo(s, cluster[2])
	n := newSession(t, s)
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", nil)}})
	cluster[2].Ask("PUT", "agent/leave", "") // it answers when it has left, or not at all
	storetest.Await(t, "the key to go", func() bool { return storetest.Read(t, s, "live/me") == "-" })
	_, err := s.Commit(t.Context(), store.Txn{Session: n, Do: []store.Op{store.Create("k", nil)}})
	storetest.WantError(t, err, store.ErrSessionLost)
}
