package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
)

// SessionKnowsOfItsEndBeforeOthersDo is the central case of safety: no other
// session sees the keys of a session go before the session knows.
func SessionKnowsOfItsEndBeforeOthersDo(t *testing.T, b Backend) {
	for name, fault := range map[string]func(p *testservers.Proxy){
		"black hole":   func(p *testservers.Proxy) { p.Hold(testservers.Both) },
		"cut":          (*testservers.Proxy).Cut,
		"held replies": func(p *testservers.Proxy) { p.Hold(testservers.ToClient) }, // renewals arrive, unknown to us
		"lost replies": func(p *testservers.Proxy) { p.Drop(testservers.ToClient) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, s, other := b.BehindProxy(t)
			n := Session(t, s, b.TTL)
			Commit(t, s, In(n, store.CreateEphemeral("live/me", []byte("up"))))
			m := Follow(t, other, "live")
			m.UntilHas("live/me", "up")
			fault(p)
			m.Until("the key to go", func() bool { return len(m.Content) == 0 })
			select {
			case <-n.Done():
			default:
				t.Error("others saw the session's key go, and the session does not know")
			}
			WantError(t, n.Err(), store.ErrSessionLost)
			if gone := m.Last.AsOf; gone.Before(n.Deadline()) {
				t.Errorf("the key went at %v, before the deadline %v", gone, n.Deadline())
			}
		})
	}
}

// SessionOutlivesACutThatIsShorterThanItself for a session with a TTL, and cuts
// of a quarter of it.
func SessionOutlivesACutThatIsShorterThanItself(t *testing.T, b Backend, ttl time.Duration) {
	p, s, other := b.BehindProxy(t)
	n := Session(t, s, ttl)
	Commit(t, s, In(n, store.CreateEphemeral("live/me", nil)))
	for _, fault := range []func(){p.Reset, p.Cut, func() { p.Hold(testservers.Both) }} {
		before := n.Deadline()
		fault()
		backoff.Sleep(t.Context(), ttl/4) // the length of the fault
		p.Heal()
		Await(t, "a renewal", func() bool { return n.Deadline().After(before) })
		if err := n.Err(); err != nil {
			t.Fatal(err)
		}
		Equal(t, "the key", Read(t, other, "live/me"), "")
	}
}

// SessionThatBeganSlowlyIsRenewedInTime though most of its TTL, which counts
// from when it was asked for, has passed when it is there.
func SessionThatBeganSlowlyIsRenewedInTime(t *testing.T, b Backend) {
	const ttl = 4 * time.Second
	p, s, _ := b.BehindProxy(t)
	Equal(t, "k", Read(t, s, "k"), "-") // which connects
	p.Hold(testservers.ToClient)
	defer time.AfterFunc(ttl*13/20, p.Heal).Stop()
	n := Session(t, s, ttl)
	before := n.Deadline()
	Await(t, "a renewal", func() bool { return n.Deadline().After(before) || n.Err() != nil })
	if err := n.Err(); err != nil {
		t.Fatal(err)
	}
}

// SilentConnectionIsReplacedBeforeItCostsTheSession when a new connection would
// do. A router that forgets a connection says nothing.
func SilentConnectionIsReplacedBeforeItCostsTheSession(t *testing.T, b Backend) {
	p, s, _ := b.BehindProxy(t)
	n := Session(t, s, 5*time.Second)
	before := n.Deadline()
	p.Mute() // the connections that there are, for ever
	Await(t, "a renewal on another connection", func() bool { return n.Deadline().After(before.Add(time.Second)) || n.Err() != nil })
	if err := n.Err(); err != nil {
		t.Fatal(err)
	}
	Equal(t, "k", Read(t, s, "k"), "-")
}

// SessionSurvivesACrashOfTheServer if the server is back within a TTL.
func SessionSurvivesACrashOfTheServer(t *testing.T, b Backend, ttl time.Duration) {
	s := b.Open(t, b.Server.Addr(), Namespace())
	n := Session(t, s, ttl)
	Commit(t, s, In(n, store.CreateEphemeral("live/me", nil)))
	b.Server.Kill()
	b.Server.Restart()
	before := n.Deadline()
	Await(t, "a renewal", func() bool { return n.Deadline().After(before) || n.Err() != nil })
	Commit(t, s, In(n, store.Set("live/me", nil)))
}

// LostSessionIsEndedInTheBackground by the process itself, which gives the keys
// up that it no longer believes in, so that no client waits for the store to do
// it. lose has a session find out that it is lost.
func LostSessionIsEndedInTheBackground(t *testing.T, b Backend, lose func(n store.Session)) {
	s := b.Open(t, b.Server.Addr(), Namespace())
	n := Session(t, s, time.Hour)
	Commit(t, s, In(n, store.CreateEphemeral("live/me", nil)))
	lose(n)
	Await(t, "the key to go", func() bool { return Read(t, s, "live/me") == "-" })
}

// ClosedStoreLeavesNothingBehind in the process or in the store, and does
// nothing any more. lose has a session find out that it is lost; wantEmpty
// fails the test unless the store holds nothing of a namespace, and leaves no
// goroutine itself.
func ClosedStoreLeavesNothingBehind(t *testing.T, b Backend, lose func(n store.Session), wantEmpty func(namespace string)) {
	wantEmpty(Namespace()) // which connects
	NoGoroutineLeft(t)
	ns := Namespace()
	s := b.Open(t, b.Server.Addr(), ns)
	// A server that is short of processors may answer too late for b.TTL.
	n := Session(t, s, time.Hour)
	lose(Session(t, s, b.TTL))
	w := Follow(t, s, "")
	Follow(t, s, "other")
	Commit(t, s, In(n, store.CreateEphemeral("live/me", nil)))
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
	WantError(t, <-waiting, store.ErrClosed)
	WantError(t, n.Err(), store.ErrClosed)
	wantEmpty(ns)

	_, err := s.Get(t.Context(), "k")
	WantError(t, err, store.ErrClosed)
	_, err = s.List(t.Context(), "k")
	WantError(t, err, store.ErrClosed)
	_, err = s.Commit(t.Context(), Do(store.Create("k", nil)))
	WantError(t, err, store.ErrClosed)
	_, err = s.NewSession(t.Context(), store.SessionOptions{})
	WantError(t, err, store.ErrClosed)
	_, err = s.Watch(t.Context(), "k")
	WantError(t, err, store.ErrClosed)
}

// CloseEndsWhileTheServerIsAway although there is a session to say farewell to,
// and leaves no goroutine.
func CloseEndsWhileTheServerIsAway(t *testing.T, b Backend) {
	NoGoroutineLeft(t)
	s := b.Open(t, b.Server.Addr(), Namespace())
	Session(t, s, b.TTL)
	Follow(t, s, "")
	b.Server.Pause()
	defer b.Server.Resume()
	start := time.Now()
	err := s.Close(Bounded(t, 100*time.Millisecond))
	WantError(t, err, store.ErrUnavailable)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}

// ServerThatSwallowsEverythingIsLeftForAnother of two, and then the other way
// round: the session goes on by the one that answers, and so do transactions
// and watches.
func ServerThatSwallowsEverythingIsLeftForAnother(t *testing.T, b Backend) {
	ns := Namespace()
	one, two := testservers.StartProxy(t, b.Server.Addr()), testservers.StartProxy(t, b.Server.Addr())
	s, other := b.Open(t, one.Addr()+","+two.Addr(), ns), b.Open(t, b.Server.Addr(), ns)
	n := Session(t, s, 10*time.Second)
	m := Follow(t, s, "w")
	for i, p := range []*testservers.Proxy{one, two} {
		before, value := n.Deadline(), fmt.Sprint(i)
		p.Hold(testservers.Both)
		Await(t, "renewals by the other server", func() bool { return n.Deadline().After(before.Add(5*time.Second)) || n.Err() != nil })
		Equal[error](t, "the session", n.Err(), nil)
		Commit(t, s, In(n, store.Create("k"+value, nil)))
		Commit(t, other, Do(store.Create("w/"+value, []byte(value))))
		m.UntilHas("w/"+value, value)
		p.Heal()
	}
}
