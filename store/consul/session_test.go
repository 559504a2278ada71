package consul

import (
	"errors"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/sessions"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	"github.com/hashicorp/consul/api"
)

func TestSessionKnowsOfItsEndBeforeOthersDo(t *testing.T) {
	t.Parallel()
	storetest.SessionKnowsOfItsEndBeforeOthersDo(t, backend(server(t)))
}

// What the URL's fail-over bound rests on. The figure is in
// docs/guide/stores/consul.md.
func TestKeysOfADeadProcessAreGoneAfterTwiceTheTTL(t *testing.T) {
	t.Parallel()
	c := server(t)
	p, s, other := backend(c).BehindProxy(t)
	n := brief(t, s)
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", []byte("up"))}})
	m := storetest.Follow(t, other, "live")
	m.UntilHas("live/me", "up")
	p.Cut()
	renewed := n.Deadline().Add(sessions.Margin(ttl) - ttl) // when the last renewal was sent
	m.Until("the key to go", func() bool { return len(m.Content) == 0 })
	took := time.Since(renewed)
	t.Logf("gone %v after the last renewal, TTL %v", took, ttl)
	if bound := ttl + capsFor(0, ttl).ExpiryLag; took < ttl || took > bound {
		t.Errorf("gone %v after the last renewal, want %v to %v", took, ttl, bound)
	}
}

func TestSessionOutlivesACutThatIsShorterThanItself(t *testing.T) {
	t.Parallel()
	storetest.SessionOutlivesACutThatIsShorterThanItself(t, backend(server(t)), 2*ttl)
}

func TestSessionThatBeganSlowlyIsRenewedInTime(t *testing.T) {
	t.Parallel()
	storetest.SessionThatBeganSlowlyIsRenewedInTime(t, backend(server(t)))
}

// A connection that has gone silent is replaced before the session ends.
func TestSession_SilentConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	storetest.SilentConnectionIsReplacedBeforeItCostsTheSession(t, backend(server(t)))
}

func TestSessionSurvivesACrashOfTheServer(t *testing.T) {
	t.Parallel()
	storetest.SessionSurvivesACrashOfTheServer(t, backend(server(t)), 30*time.Second)
}

func TestLostSessionIsDestroyedInTheBackground(t *testing.T) {
	t.Parallel()
	storetest.LostSessionIsEndedInTheBackground(t, backend(server(t)), lose)
}

// Consul ends a session with the health of its node unless told otherwise; a
// process would lose its work to a hiccup of the agent's gossip.
func TestSessionDependsOnNoHealthCheck(t *testing.T) {
	t.Parallel()
	c := server(t)
	s, raw := openAt(t, c.Addr(), storetest.Namespace()), admin(t, c)
	n := newSession(t, s)
	info, _, err := raw.Session().Info(n.Identity, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(info.NodeChecks)+len(info.Checks)+len(info.ServiceChecks) > 0 || info.Behavior != api.SessionBehaviorDelete || info.Name != t.Name() || info.TTL != "60000ms" {
		t.Errorf("got the session %+v", info)
	}
}

// The servers' setting is the last word. What the URL says of it is only
// believed.
func TestTTLThatTheServersRefuseIsTold(t *testing.T) {
	t.Parallel()
	c := server(t, testservers.ConsulOptions{Args: []string{"-hcl", `session_ttl_min = "10s"`}})
	s, err := storetest.Open(t, c.URL("ns")+short+"&session_ttl=3s", storetest.Patience)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = s.NewSession(t.Context(), store.SessionOptions{})
	storetest.WantError(t, err, store.ErrInvalid)
	storetest.Mention(t, err, "Invalid Session TTL", "10s")
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	usual, err := storetest.Open(t, c.URL("ns")+"?session_ttl=3s", storetest.Patience)
	if err != nil {
		t.Fatal(err)
	}
	n, err := usual.NewSession(t.Context(), store.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "TTL", n.TTL(), 10*time.Second)
	storetest.Equal(t, "lag", usual.Caps().ExpiryLag, 11*time.Second)
}

// Until the agent's node is in the catalogue sessions are refused (Consul issue
// 819), and a moment later they are not.
func TestSessionOfAYoungAgentIsWaitedFor(t *testing.T) {
	t.Parallel()
	c := server(t)
	young := &refusing{err: &statusError{500, `rpc error making call: Missing node registration`}, path: "/v1/session/create"}
	s := openAt(t, c.Addr(), storetest.Namespace(), young.tap)
	young.arm(3)
	newSession(t, s)
	storetest.Equal(t, "refusals left", young.left(), 0)
}

func TestClosedStoreLeavesNothingBehind(t *testing.T) {
	c := server(t)
	raw := admin(t, c)
	storetest.ClosedStoreLeavesNothingBehind(t, backend(c), lose, func(namespace string) {
		storetest.Await(t, "all keys to be gone", func() bool {
			pairs, _, err := raw.KV().List(newKeyspace(namespace).root, nil)
			return err == nil && len(pairs) == 0
		})
	})
}

func TestCloseEndsWhileTheServerIsAway(t *testing.T) {
	storetest.CloseEndsWhileTheServerIsAway(t, backend(server(t)))
}

// A snapshot that is put back takes sessions with it that were begun after it,
// and their processes are told.
func TestRestoredSnapshotEndsTheSessionsThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	c := server(t)
	s := openAt(t, c.Addr(), storetest.Namespace())
	known := start(t, s, 5*time.Second)
	snapshot := c.Snapshot()
	unknown := start(t, s, 5*time.Second)
	storetest.Commit(t, s, store.Txn{Session: unknown, Do: []store.Op{store.CreateEphemeral("live/me", nil)}})
	c.Restore(snapshot)
	<-unknown.Done()
	storetest.WantError(t, unknown.Err(), store.ErrSessionLost)
	storetest.Equal(t, "its key", storetest.Read(t, s, "live/me"), "-")
	_, err := s.Commit(t.Context(), store.Txn{Session: known, Do: []store.Op{store.Create("k", nil)}})
	if err != nil && !errors.Is(err, store.ErrSessionLost) {
		t.Error(err)
	}
}
