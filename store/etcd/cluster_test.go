package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance/servers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

func hosts(cluster []*servers.Etcd) string {
	var all []string
	for _, e := range cluster {
		all = append(all, e.Addr())
	}
	return strings.Join(all, ",")
}

func leader(t *testing.T, cluster []*servers.Etcd) *servers.Etcd {
	t.Helper()
	var found *servers.Etcd
	storetest.Await(t, "a leader", func() bool {
		for _, e := range cluster {
			if e.IsLeader() {
				found = e
			}
		}
		return found != nil
	})
	return found
}

// A leader that dies or freezes costs some seconds of commits, and neither a session nor a change nor the truth about
// a transaction.
func TestLostLeaderCostsNoSession(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ fault, heal func(e *servers.Etcd) }{
		"killed": {(*servers.Etcd).Kill, (*servers.Etcd).Restart},
		"frozen": {(*servers.Etcd).Pause, (*servers.Etcd).Resume},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := servers.StartEtcdCluster(t, 3)
			s := hasty(openAt(t, hosts(cluster), storetest.Namespace()))
			n, err := s.NewSession(t.Context(), store.SessionOptions{TTL: 6 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			m := storetest.Follow(t, s, "")
			const key = "live/counter"
			v := storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral(key, []byte("0"))}})[0]

			lost := leader(t, cluster)
			c.fault(lost)
			counted, deadline, unclear := 0, n.Deadline(), 0
			storetest.Await(t, "30 commits and renewals that another leader has confirmed", func() bool {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				r, err := s.Commit(ctx, store.Txn{Session: n, If: []store.Cond{store.At(key, v)}, Do: []store.Op{store.Set(key, fmt.Append(nil, counted+1))}})
				switch {
				case err == nil:
					counted, v = counted+1, r.Versions[0]
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

// A member that is cut off from the others answers no read, renews no lease, and does not keep its watches in the dark.
func TestMinorityIsNotTrusted(t *testing.T) {
	t.Parallel()
	cluster := servers.StartEtcdCluster(t, 3)
	ns := storetest.Namespace()
	s, other := hasty(openAt(t, cluster[0].Addr(), ns)), openAt(t, hosts(cluster[1:]), ns)
	n := newSession(t, s)
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", nil), store.Create("k", []byte("before"))}})
	m := storetest.Follow(t, s, "")
	m.UntilHas("k", "before")

	cluster[1].Pause()
	cluster[2].Pause()
	m.Until("stale", func() bool { return m.Last.Stale })
	_, err := s.Get(storetest.Bounded(t, 300*time.Millisecond), "k")
	storetest.WantError(t, err, store.ErrUnavailable)
	<-n.Done()
	if late := time.Since(n.Deadline()); late > 300*time.Millisecond {
		t.Errorf("the session ended %v after its deadline", late)
	}
	cluster[1].Resume()
	cluster[2].Resume()
	m.Until("not stale", func() bool { return !m.Last.Stale })
	v := storetest.Commit(t, other, storetest.Do(store.Set("k", []byte("after"))))[0]
	m.UntilHas("k", "after")
	e, err := s.Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "version read through the member", e.Version, v)
}
