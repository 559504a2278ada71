package zookeeper

import (
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance/servers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// A renewal counts when the leader must have heard of it, and that is not at once.
func TestDeadlineRestsOnARenewalThatTheLeaderHasHeardOf(t *testing.T) {
	l := &link{}
	l.granted.Store(int64(12 * time.Second)) // heard of after 3 s
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	w := &wire{link: l, answered: []time.Time{at(0)}} // the handshake
	for _, c := range []struct{ ping, want int }{{1, 0}, {2, 0}, {3, 0}, {4, 1}, {5, 2}, {6, 3}, {20, 6}, {21, 6}, {23, 20}} {
		storetest.Equal(t, "after a ping", w.extend(at(c.ping)).Sub(start), time.Duration(c.want)*time.Second)
	}
}

// The central case of safety: nobody sees the keys of a session go before the session knows.
func TestSessionKnowsOfItsEndBeforeOthersDo(t *testing.T) {
	t.Parallel()
	z := server(t)
	for name, fault := range map[string]func(p *servers.Proxy){
		"black hole":   func(p *servers.Proxy) { p.Hold(servers.Both) },
		"cut":          (*servers.Proxy).Cut,
		"held replies": func(p *servers.Proxy) { p.Hold(servers.ToClient) }, // renewals arrive, unknown to us
		"lost replies": func(p *servers.Proxy) { p.Drop(servers.ToClient) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, s, other := behindProxy(t, z)
			n := newSession(t, s)
			storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", []byte("up"))}})
			fault(p)
			storetest.Await(t, "the key to go", func() bool { return storetest.Read(t, other, "live/me") == "-" })
			select {
			case <-n.Done():
			default:
				t.Error("others saw the session's key go, and the session does not know")
			}
			storetest.WantError(t, n.Err(), store.ErrSessionLost)
		})
	}
}

// A router that forgets a connection says nothing. A session must not be lost to it when a new connection would do.
func TestSilentConnectionIsReplacedBeforeItCostsTheSession(t *testing.T) {
	t.Parallel()
	z := server(t)
	p := servers.StartProxy(t, z.Addr())
	s := openAt(t, p.Addr(), storetest.Namespace())
	session, err := s.NewSession(t.Context(), store.SessionOptions{TTL: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	before := session.Deadline()
	p.Mute() // the connections that there are, for ever
	storetest.Await(t, "a renewal on another connection", func() bool { return session.Deadline().After(before.Add(time.Second)) || session.Err() != nil })
	if err := session.Err(); err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "k", storetest.Read(t, s, "k"), "-")
}

// One of two servers swallows everything, and then the other: the session goes on by the one that answers, and so do
// transactions and watches.
func TestServerThatSwallowsEverythingIsLeftForAnother(t *testing.T) {
	t.Parallel()
	z := server(t)
	ns := storetest.Namespace()
	one, two := servers.StartProxy(t, z.Addr()), servers.StartProxy(t, z.Addr())
	s, other := openAt(t, one.Addr()+","+two.Addr(), ns), openAt(t, z.Addr(), ns)
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
