package etcd

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/sessions"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestSessionKnowsOfItsEndBeforeOthersDo(t *testing.T) {
	storetest.SessionKnowsOfItsEndBeforeOthersDo(t, backend(server(t)))
}

func TestSessionOutlivesACutThatIsShorterThanItself(t *testing.T) {
	t.Parallel()
	storetest.SessionOutlivesACutThatIsShorterThanItself(t, backend(server(t)), ttl)
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
	storetest.SessionSurvivesACrashOfTheServer(t, backend(server(t)), ttl)
}

func TestLostSessionIsRevokedInTheBackground(t *testing.T) {
	storetest.LostSessionIsEndedInTheBackground(t, backend(server(t)), lose)
}

func TestServerRaisesAShortTTL(t *testing.T) {
	t.Parallel()
	e := server(t, "--election-timeout", "2100")
	s := openAt(t, e.Addr(), storetest.Namespace())
	session, err := s.NewSession(t.Context(), store.SessionOptions{TTL: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "TTL", session.TTL(), 4*time.Second) // 1.5 elections, rounded up
	if d := time.Until(session.Deadline()); d <= 3*time.Second || d > 4*time.Second-sessions.Margin(4*time.Second) {
		t.Errorf("the deadline is in %v", d)
	}
}

func TestClosedStoreLeavesNothingBehind(t *testing.T) {
	e := server(t)
	raw := admin(t, e)
	storetest.ClosedStoreLeavesNothingBehind(t, backend(e), lose, func(namespace string) {
		reply, err := raw.Get(t.Context(), newKeyspace(namespace).root, clientv3.WithPrefix())
		if err != nil {
			t.Fatal(err)
		}
		storetest.Equal(t, "keys left", len(reply.Kvs), 0)
	})
}

func TestCloseEndsWhileTheServerIsAway(t *testing.T) {
	storetest.CloseEndsWhileTheServerIsAway(t, backend(server(t)))
}

func TestServerThatSwallowsEverythingIsLeftForAnother(t *testing.T) {
	t.Parallel()
	storetest.ServerThatSwallowsEverythingIsLeftForAnother(t, backend(server(t)))
}
