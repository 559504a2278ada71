package etcd

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance/servers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/lifetime"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// The central case of safety: nobody sees the keys of a session go before the session knows.
func TestSessionKnowsOfItsEndBeforeOthersDo(t *testing.T) {
	e := server(t)
	for name, fault := range map[string]func(p *servers.Proxy){
		"black hole":   func(p *servers.Proxy) { p.Hold(servers.Both) },
		"cut":          (*servers.Proxy).Cut,
		"held replies": func(p *servers.Proxy) { p.Hold(servers.ToClient) }, // renewals arrive, unknown to us
		"lost replies": func(p *servers.Proxy) { p.Drop(servers.ToClient) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, s, other := behindProxy(t, e)
			n := newSession(t, s)
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

func TestSessionOutlivesACutThatIsShorterThanItself(t *testing.T) {
	t.Parallel()
	e := server(t)
	p, s, other := behindProxy(t, e)
	n := newSession(t, s)
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
		storetest.Equal(t, "the key is there", (storetest.Read(t, other, "live/me") != "-"), true)
	}
}

// A router that forgets a connection says nothing. A session must not be lost to it when a new connection would do.
func TestSilentConnectionIsReplacedBeforeItCostsTheSession(t *testing.T) {
	t.Parallel()
	e := server(t)
	p := servers.StartProxy(t, e.Addr())
	s := openAt(t, p.Addr(), storetest.Namespace())
	session, err := s.NewSession(t.Context(), store.SessionOptions{TTL: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	before := session.Deadline()
	p.Mute() // the connection that there is, for ever
	storetest.Await(t, "a renewal on another connection", func() bool { return session.Deadline().After(before) })
	if err := session.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestSessionSurvivesACrashOfTheServer(t *testing.T) {
	t.Parallel()
	e := server(t)
	s := openAt(t, e.Addr(), storetest.Namespace())
	n := newSession(t, s)
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", nil)}})
	e.Kill()
	e.Restart()
	before := n.Deadline()
	storetest.Await(t, "a renewal", func() bool { return n.Deadline().After(before) || n.Err() != nil })
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.Set("live/me", nil)}})
}

// The process itself gives the keys up that it no longer believes in, so that nobody waits for the TTL.
func TestLostSessionIsRevokedInTheBackground(t *testing.T) {
	e := server(t)
	s := openAt(t, e.Addr(), storetest.Namespace())
	long, err := s.NewSession(t.Context(), store.SessionOptions{TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	n := long.(*session)
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", nil)}})
	n.life.End(store.ErrSessionLost)
	storetest.Await(t, "the key to go", func() bool { return storetest.Read(t, s, "live/me") == "-" })
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
	if d := time.Until(session.Deadline()); d <= 3*time.Second || d > 4*time.Second-lifetime.Margin(4*time.Second) {
		t.Errorf("the deadline is in %v", d)
	}
}

func TestClosedStoreLeavesNothingBehind(t *testing.T) {
	e := server(t)
	raw := admin(t, e)
	if _, err := raw.Get(t.Context(), "connect"); err != nil {
		t.Fatal(err)
	}
	storetest.NoGoroutineLeft(t)
	s := openAt(t, e.Addr(), storetest.Namespace())
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
	reply, err := raw.Get(t.Context(), s.layout.root, clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "keys left", len(reply.Kvs), 0)

	_, err = s.Get(t.Context(), "k")
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
	e := server(t)
	storetest.NoGoroutineLeft(t)
	s := openAt(t, e.Addr(), storetest.Namespace())
	newSession(t, s)
	storetest.Follow(t, s, "")
	e.Pause()
	defer e.Resume()
	start := time.Now()
	err := s.Close(storetest.Bounded(t, 100*time.Millisecond))
	storetest.WantError(t, err, store.ErrUnavailable)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}

// One of two servers swallows everything, and then the other: the session goes on by the one that answers, and so do
// transactions and watches.
func TestServerThatSwallowsEverythingIsLeftForAnother(t *testing.T) {
	t.Parallel()
	e := server(t)
	ns := storetest.Namespace()
	one, two := servers.StartProxy(t, e.Addr()), servers.StartProxy(t, e.Addr())
	s, other := openAt(t, one.Addr()+","+two.Addr(), ns), openAt(t, e.Addr(), ns)
	n, err := s.NewSession(t.Context(), store.SessionOptions{TTL: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	m := storetest.Follow(t, s, "w")
	for i, p := range []*servers.Proxy{one, two} {
		before, value := n.Deadline(), fmt.Sprint(i)
		p.Hold(servers.Both)
		storetest.Await(t, "renewals by the other server", func() bool { return n.Deadline().After(before.Add(5*time.Second)) || n.Err() != nil })
		storetest.Equal[error](t, "the session", n.Err(), nil)
		storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.Create("k"+value, nil)}})
		storetest.Commit(t, other, storetest.Do(store.Create("w/"+value, []byte(value))))
		m.UntilHas("w/"+value, value)
		p.Heal()
	}
}
