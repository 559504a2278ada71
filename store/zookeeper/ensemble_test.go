package zookeeper

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance/servers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// A leader that dies costs some seconds of commits, and neither a session nor a change nor the truth about a
// transaction.
func TestLostLeaderCostsNoSession(t *testing.T) {
	t.Parallel()
	ensemble := servers.StartZooKeeperEnsemble(t, 3)
	var addrs []string
	for _, z := range ensemble {
		addrs = append(addrs, z.Addr())
	}
	s := openAt(t, strings.Join(addrs, ","), storetest.Namespace())
	n, err := s.NewSession(storetest.Bounded(t, storetest.Patience), store.SessionOptions{TTL: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", nil)}})
	w, err := s.Watch(t.Context(), "d")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()

	leaders := 0
	for _, z := range ensemble {
		if z.IsLeader() {
			leaders++
			z.Kill()
		}
	}
	storetest.Equal(t, "leaders", leaders, 1)
	said := map[string]error{}
	for i, after := 0, 0; after < 5; i++ {
		key := fmt.Sprintf("d/%d", i)
		_, err := s.Commit(storetest.Bounded(t, time.Second), store.Txn{Session: n, Do: []store.Op{store.Create(key, nil)}})
		switch said[key] = err; {
		case err == nil:
			after++
		case n.Err() != nil:
			t.Fatalf("the session is lost: %v", err)
		case !errors.Is(err, store.ErrUnknown) && !errors.Is(err, store.ErrUnavailable):
			t.Fatal(err)
		}
		backoff.Sleep(t.Context(), 20*time.Millisecond)
	}
	storetest.Equal(t, "the session's key", storetest.Read(t, s, "live/me"), "")
	there := map[string]bool{}
	entries, err := s.List(storetest.Bounded(t, storetest.Patience), "d")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		there[e.Key] = true
	}
	for key, err := range said {
		switch {
		case err == nil && !there[key]:
			t.Errorf("%s was committed and is absent", key)
		case errors.Is(err, store.ErrUnavailable) && there[key]:
			t.Errorf("%s is there, and the commit said %v", key, err)
		}
	}
	seen := map[string]bool{}
	for len(seen) < len(there) {
		u, err := w.Next(storetest.Bounded(t, storetest.Patience))
		if err != nil {
			t.Fatalf("the watch has told %d of %d keys: %v", len(seen), len(there), err)
		}
		if u.Reset {
			clear(seen)
		}
		for _, e := range u.Entries {
			seen[e.Key] = true
		}
	}
}
