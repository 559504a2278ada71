package zookeeper

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// A server before 3.6, and a proxy that does not know them, answers a
// persistent watch with an error and hangs up.
func TestServerThatIsTooOldIsToldFromOneThatIsAway(t *testing.T) {
	t.Parallel()
	z := server(t)
	p := startTap(t, z.Addr(), opAddWatch)
	ns := storetest.Namespace()
	start := time.Now()
	_, err := storetest.Open(t, "zookeeper://"+p.addr()+"/"+ns, storetest.Patience)
	storetest.WantError(t, err, store.ErrInvalid)
	storetest.Mention(t, err, "3.6", "?watch=classic", p.addr())
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}

	s := storetest.MustOpen(t, "zookeeper://"+p.addr()+"/"+ns+"?watch=classic")
	m := storetest.Follow(t, s, "d")
	m.Next()
	other := openAt(t, z.Addr(), ns)
	for _, value := range []string{"1", "2"} {
		key := "d/e/" + value
		storetest.Commit(t, other, storetest.Do(store.Create(key, []byte(value))))
		m.UntilHas(key, value)
		storetest.Commit(t, other, storetest.Do(store.Set(key, []byte("again"))))
		m.UntilHas(key, "again")
		storetest.Commit(t, other, storetest.Do(store.Delete(key)))
		m.Until("the key is gone", func() bool { return len(m.Content) == 0 })
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	storetest.Equal(t, "persistent watches that were asked for in the end", p.counts[opAddWatch], 1)
}

// Servers that are not ZooKeeper's own but speak its protocol may give another
// session to a client whose session has expired. Nothing of the old one may go
// on in it.
func TestSessionIsLostWhenTheServerGivesAnotherWithoutAWord(t *testing.T) {
	t.Parallel()
	z := server(t)
	p := startTap(t, z.Addr())
	ns := storetest.Namespace()
	s, other := openAt(t, p.addr(), ns), openAt(t, z.Addr(), ns)
	n := newSession(t, s)
	p.mu.Lock()
	p.forget = true
	p.mu.Unlock()
	n.link.current().Close()
	_, err := s.Commit(storetest.Bounded(t, storetest.Patience), store.Txn{Session: n, Do: []store.Op{store.Create("ghost", nil)}})
	storetest.WantError(t, err, store.ErrSessionLost)
	<-n.Done()
	if left := time.Until(n.Deadline()); left < 0 {
		t.Errorf("the session ended %v after its deadline, not when the server said so", -left)
	}
	storetest.Equal(t, "ghost", storetest.Read(t, other, "ghost"), "-")
}

func TestTooManyConnectionsAreNamed(t *testing.T) {
	t.Parallel()
	z := server(t, "maxClientCnxns=1")
	s := openAt(t, z.Addr(), storetest.Namespace())
	_, err := s.NewSession(storetest.Bounded(t, 2*time.Second), store.SessionOptions{})
	storetest.WantError(t, err, store.ErrUnavailable)
	storetest.Mention(t, err, z.Addr(), "no answer to the handshake")
}
