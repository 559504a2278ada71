package consul

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance/servers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/lifetime"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	"github.com/hashicorp/consul/api"
)

// The central case of safety: nobody sees the keys of a session go before the session knows.
func TestSessionKnowsOfItsEndBeforeOthersDo(t *testing.T) {
	t.Parallel()
	c := server(t)
	for name, fault := range map[string]func(p *servers.Proxy){
		"black hole":   func(p *servers.Proxy) { p.Hold(servers.Both) },
		"cut":          (*servers.Proxy).Cut,
		"held replies": func(p *servers.Proxy) { p.Hold(servers.ToClient) }, // renewals arrive, unknown to us
		"lost replies": func(p *servers.Proxy) { p.Drop(servers.ToClient) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, s, other := behindProxy(t, c)
			n := brief(t, s)
			storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", []byte("up"))}})
			m := storetest.Follow(t, other, "live")
			m.UntilHas("live/me", "up")
			fault(p)
			m.Until("the key to go", func() bool { return len(m.Content) == 0 })
			select {
			case <-n.Done():
			default:
				t.Error("others saw the session's key go, and the session does not know")
			}
			storetest.WantError(t, n.Err(), store.ErrSessionLost)
			if gone := m.Last.AsOf; gone.Before(n.Deadline()) {
				t.Errorf("the key went at %v, before the deadline %v", gone, n.Deadline())
			}
		})
	}
}

// What the URL's fail-over bound rests on. The figure is in docs/stores/consul.md.
func TestKeysOfADeadProcessAreGoneAfterTwiceTheTTL(t *testing.T) {
	t.Parallel()
	c := server(t)
	p, s, other := behindProxy(t, c)
	n := brief(t, s)
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", []byte("up"))}})
	m := storetest.Follow(t, other, "live")
	m.UntilHas("live/me", "up")
	p.Cut()
	renewed := n.Deadline().Add(lifetime.Margin(ttl) - ttl) // when the last renewal was sent
	m.Until("the key to go", func() bool { return len(m.Content) == 0 })
	took := time.Since(renewed)
	t.Logf("gone %v after the last renewal, TTL %v", took, ttl)
	if bound := ttl + capsFor(0, ttl).ExpiryLag; took < ttl || took > bound {
		t.Errorf("gone %v after the last renewal, want %v to %v", took, ttl, bound)
	}
}

func TestSessionOutlivesACutThatIsShorterThanItself(t *testing.T) {
	t.Parallel()
	c := server(t)
	p, s, other := behindProxy(t, c)
	n := start(t, s, 4*time.Second)
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", nil)}})
	for _, fault := range []func(){p.Reset, p.Cut, func() { p.Hold(servers.Both) }} {
		before := n.Deadline()
		fault()
		backoff.Sleep(t.Context(), ttl/4) // the length of the fault
		p.Heal()
		storetest.Await(t, "a renewal", func() bool { return n.Deadline().After(before) })
		if err := n.Err(); err != nil {
			t.Fatal(err)
		}
		storetest.Equal(t, "the key is there", storetest.Read(t, other, "live/me"), "")
	}
}

// A router that forgets a connection says nothing. A session must not be lost to it when a new connection would do.
func TestSilentConnectionIsReplacedBeforeItCostsTheSession(t *testing.T) {
	t.Parallel()
	c := server(t)
	p := servers.StartProxy(t, c.Addr())
	s := openAt(t, p.Addr(), storetest.Namespace())
	session := start(t, s, 5*time.Second)
	before := session.Deadline()
	p.Mute() // the connections that there are, for ever
	storetest.Await(t, "a renewal on another connection", func() bool { return session.Deadline().After(before) })
	if err := session.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestSessionSurvivesACrashOfTheServer(t *testing.T) {
	t.Parallel()
	c := server(t)
	s := openAt(t, c.Addr(), storetest.Namespace())
	n := start(t, s, 30*time.Second)
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", nil)}})
	c.Kill()
	c.Restart()
	before := n.Deadline()
	storetest.Await(t, "a renewal", func() bool { return n.Deadline().After(before) || n.Err() != nil })
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.Set("live/me", nil)}})
}

// The process itself gives the keys up that it no longer believes in, so that nobody waits for twice the TTL.
func TestLostSessionIsDestroyedInTheBackground(t *testing.T) {
	t.Parallel()
	c := server(t)
	s := openAt(t, c.Addr(), storetest.Namespace())
	n := start(t, s, time.Hour)
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", nil)}})
	n.life.End(store.ErrSessionLost)
	storetest.Await(t, "the key to go", func() bool { return storetest.Read(t, s, "live/me") == "-" })
}

// Consul ends a session with the health of its node unless told otherwise; a process would lose its work to a hiccup of
// the agent's gossip.
func TestSessionDependsOnNoHealthCheck(t *testing.T) {
	t.Parallel()
	c := server(t)
	s, raw := openAt(t, c.Addr(), storetest.Namespace()), admin(t, c)
	n := newSession(t, s)
	info, _, err := raw.Session().Info(n.id, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(info.NodeChecks)+len(info.Checks)+len(info.ServiceChecks) > 0 || info.Behavior != api.SessionBehaviorDelete || info.Name != t.Name() || info.TTL != "60000ms" {
		t.Errorf("got the session %+v", info)
	}
}

// The servers' setting is the last word. What the URL says of it is only believed.
func TestTTLThatTheServersRefuseIsTold(t *testing.T) {
	t.Parallel()
	c := server(t, servers.ConsulOptions{Args: []string{"-hcl", `session_ttl_min = "10s"`}})
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

// Until the agent's node is in the catalogue sessions are refused (Consul issue 819), and a moment later they are not.
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
	if _, _, err := raw.KV().Get("connect", nil); err != nil {
		t.Fatal(err)
	}
	storetest.NoGoroutineLeft(t)
	s := openAt(t, c.Addr(), storetest.Namespace())
	n := newSession(t, s)
	newSession(t, s).life.End(store.ErrSessionLost)
	w := storetest.Follow(t, s, "")
	storetest.Follow(t, s, "other")
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", nil)}})
	waiting := make(chan error, 1)
	go func() {
		for {
			if _, err := w.Watch.Next(context.Background()); err != nil {
				waiting <- err
				return
			}
		}
	}()
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	storetest.WantError(t, <-waiting, store.ErrClosed)
	storetest.WantError(t, n.Err(), store.ErrClosed)
	storetest.Await(t, "all keys to be gone", func() bool {
		pairs, _, err := raw.KV().List(s.layout.root, nil)
		return err == nil && len(pairs) == 0
	})

	_, err := s.Get(t.Context(), "k")
	storetest.WantError(t, err, store.ErrClosed)
	_, err = s.List(t.Context(), "k")
	storetest.WantError(t, err, store.ErrClosed)
	_, err = s.Commit(t.Context(), storetest.Do(store.Create("k", nil)))
	storetest.WantError(t, err, store.ErrClosed)
	_, err = s.NewSession(t.Context(), store.SessionOptions{})
	storetest.WantError(t, err, store.ErrClosed)
	_, err = s.Watch(t.Context(), "k")
	storetest.WantError(t, err, store.ErrClosed)
}

func TestCloseEndsWhileTheServerIsAway(t *testing.T) {
	c := server(t)
	storetest.NoGoroutineLeft(t)
	s := openAt(t, c.Addr(), storetest.Namespace())
	newSession(t, s)
	storetest.Follow(t, s, "")
	c.Pause()
	defer c.Resume()
	start := time.Now()
	err := s.Close(storetest.Bounded(t, 100*time.Millisecond))
	storetest.WantError(t, err, store.ErrUnavailable)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}

// A snapshot that is put back takes sessions with it that were begun after it, and their processes are told.
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
