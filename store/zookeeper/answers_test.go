package zookeeper

import (
	"fmt"
	"testing"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	"github.com/go-zookeeper/zk"
)

// answers makes the tap answer an operation with an error code, 0 for none.
func (p *tap) answers(op, code int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codes = map[int32]int32{op: code}
}

// An answer with an error code is an answer, also if the code is one that this
// driver and the client library do not know: nothing was done, and nothing is
// sealed. Codes of what went wrong inside the server say nothing of what was
// done.
func TestAnswers_WithAnyCodeAreAnswers(t *testing.T) {
	t.Parallel()
	z := server(t)
	p := startTap(t, z.Addr())
	ns := storetest.Namespace()
	s, other := openAt(t, p.addr(), ns), openAt(t, z.Addr(), ns)
	n := newSession(t, s)
	storetest.Commit(t, s, storetest.In(n, store.Create("k", nil)))
	txn := storetest.In(n, store.Set("k", []byte("1")))
	for code, want := range map[int32]error{
		-101: store.ErrUnavailable,
		-102: store.ErrPermission,
		-103: store.ErrUnavailable,
		-110: store.ErrUnavailable,
		-111: store.ErrUnavailable,
		-113: store.ErrUnavailable,
		-115: store.ErrPermission,
		-119: store.ErrUnavailable,
		-120: store.ErrUnavailable,
		-121: store.ErrUnavailable,
		-122: store.ErrUnavailable,
		-123: store.ErrUnavailable,
		-124: store.ErrPermission,
		-125: store.ErrUnavailable,
		-127: store.ErrUnavailable,
		-199: store.ErrUnavailable,
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			before := n.guard.Load()
			p.answers(opMulti, code)
			_, err := s.Commit(storetest.Bounded(t, storetest.Patience), txn)
			storetest.WantError(t, err, want)
			_, err = s.Commit(storetest.Bounded(t, storetest.Patience), storetest.Do(txn.Do...))
			storetest.WantError(t, err, want)
			if code < -110 && want == store.ErrUnavailable {
				storetest.Mention(t, err, fmt.Sprint(code))
			}
			if code < -103 {
				_, err = s.Get(storetest.Bounded(t, storetest.Patience), "k")
				storetest.WantError(t, err, want)
			}
			p.answers(opMulti, 0)
			storetest.Equal(t, "the guard", n.guard.Load(), before)
			storetest.Equal[error](t, "the session", n.Err(), nil)
			storetest.Equal(t, "k", storetest.Read(t, other, "k"), "")
		})
	}
	p.answers(opMulti, -1)
	_, err := s.Commit(storetest.Bounded(t, storetest.Patience), txn)
	storetest.WantError(t, err, store.ErrUnknown)
	storetest.Mention(t, err, "system error")
	p.answers(opMulti, 0)
	storetest.Commit(t, s, txn)
}

// A quota that is enforced refuses transactions, and says so; when it is
// raised they pass.
func TestAnswers_QuotaExceeded(t *testing.T) {
	t.Parallel()
	z := server(t, "enforceQuota=true")
	ns := storetest.Namespace()
	s := openAt(t, z.Addr(), ns)
	n := newSession(t, s)
	storetest.Commit(t, s, storetest.In(n, store.Create("k", nil)))
	before := n.guard.Load()
	conn, quota := admin(t, z.Addr(), ""), "/zookeeper/quota/"+ns
	for _, node := range []struct{ path, text string }{
		{quota, ""},
		{quota + "/zookeeper_limits", "count=-1,bytes=-1=;byteHardLimit=100;countHardLimit=-1"},
		{quota + "/zookeeper_stats", "count=20,bytes=5000"},
	} {
		if _, err := conn.Create(node.path, []byte(node.text), 0, zk.WorldACL(zk.PermAll)); err != nil {
			t.Fatal(node.path, err)
		}
	}
	for name, txn := range map[string]store.Txn{
		"in a session":          storetest.In(n, store.Set("k", make([]byte, 200))),
		"in a new directory":    storetest.In(n, store.Create("d/e/k", make([]byte, 200))),
		"an ephemeral key":      storetest.In(n, store.CreateEphemeral("e", make([]byte, 200))),
		"without a session":     storetest.Do(store.Create("l", make([]byte, 200))),
		"among others, in none": storetest.Do(store.Set("k", nil), store.Create("l", make([]byte, 200))),
	} {
		_, err := s.Commit(storetest.Bounded(t, storetest.Patience), txn)
		t.Log(name, err)
		storetest.WantError(t, err, store.ErrUnavailable)
		storetest.Mention(t, err, "quota")
	}
	storetest.Equal(t, "the guard", n.guard.Load(), before)
	for _, node := range []string{"/zookeeper_limits", "/zookeeper_stats"} {
		if err := conn.Delete(quota+node, -1); err != nil {
			t.Fatal(err)
		}
	}
	storetest.Commit(t, s, storetest.In(n, store.Create("d/e/k", make([]byte, 200))))
}

// A server that demands that clients authenticate refuses those that don't at
// once, by name.
func TestAnswers_AuthenticationDemanded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config []string
		user   string
		want   error
	}{
		"nobody":               {[]string{"enforce.auth.enabled=true", "enforce.auth.schemes=digest"}, "", store.ErrPermission},
		"a user":               {[]string{"enforce.auth.enabled=true", "enforce.auth.schemes=digest"}, "u:hunter2@", nil},
		"a user, SASL":         {[]string{"sessionRequireClientSASLAuth=true", "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"}, "u:hunter2@", store.ErrPermission},
		"nobody, SASL":         {[]string{"sessionRequireClientSASLAuth=true", "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"}, "", store.ErrPermission},
		"a user, other scheme": {[]string{"enforce.auth.enabled=true", "enforce.auth.schemes=sasl", "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"}, "u:hunter2@", store.ErrPermission},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			z := server(t, c.config...)
			s, err := storetest.Open(t, "zookeeper://"+c.user+z.Addr()+"/ns", storetest.Patience)
			if c.want != nil {
				storetest.WantError(t, err, c.want)
				storetest.Mention(t, err, "demands", z.Addr())
				storetest.DontMention(t, err, "hunter2", "deadline")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			storetest.Commit(t, s, storetest.In(storetest.Session(t, s, ttl), store.Create("k", nil)))
		})
	}
}

// A server that begins to demand authentication says so to clients that are
// there, too.
func TestAnswers_AuthenticationDemandedLater(t *testing.T) {
	t.Parallel()
	z := server(t)
	p := startTap(t, z.Addr())
	s := openAt(t, p.addr(), storetest.Namespace())
	n := newSession(t, s)
	storetest.Commit(t, s, storetest.In(n, store.Create("k", nil)))
	for _, op := range []int32{opMulti, opGetData} {
		p.answers(op, errDemandsAuth.code)
		_, err := s.Get(storetest.Bounded(t, storetest.Patience), "k")
		storetest.WantError(t, err, store.ErrPermission)
		storetest.Mention(t, err, "demands")
	}
	p.answers(opMulti, 0)
	storetest.Equal(t, "k", storetest.Read(t, s, "k"), "")
}
