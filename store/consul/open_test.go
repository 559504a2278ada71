package consul

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	"github.com/hashicorp/consul/api"
)

func TestOpenNamesTheHostsThatDontAnswer(t *testing.T) {
	storetest.NoGoroutineLeft(t)
	storetest.OpenNamesTheHostsThatDontAnswer(t, map[string]string{
		"consul://SILENT/ns":                 "not answered",
		"consul://REFUSING/ns":               "connection refused",
		"consul://REFUSING,SILENT/ns":        "connection refused",
		"consul://REFUSING/ns?token=hunter2": "connection refused",
	})
}

// One of three agents is enough, whatever the other two do: at the start, and
// when the one that was used has gone.
func TestOneAgentOfThreeIsEnough(t *testing.T) {
	t.Parallel()
	c := server(t)
	silent, refuses := storetest.Silent(t), storetest.Refusing(t)
	first := testservers.StartProxy(t, c.Addr())
	start := time.Now()
	s := openAt(t, strings.Join([]string{refuses, silent, first.Addr()}, ","), storetest.Namespace())
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
	storetest.Commit(t, s, storetest.Do(store.Create("k", nil)))

	second := testservers.StartProxy(t, c.Addr())
	s = openAt(t, strings.Join([]string{refuses, first.Addr(), silent, second.Addr()}, ","), storetest.Namespace())
	n := start6(t, s)
	m := storetest.Follow(t, hasty(s), "")
	m.Next()
	for round, leave := range []func(){first.Cut, func() { first.Heal(); second.Hold(testservers.Both) }} {
		leave()
		start := time.Now()
		var err error
		storetest.Await(t, "a commit through another agent", func() bool {
			_, err = s.Commit(storetest.Bounded(t, 3*time.Second), storetest.Do(store.Create(fmt.Sprintf("round/%d", round), []byte("1"))))
			return err == nil
		})
		took := time.Since(start)
		t.Logf("round %d: another agent was found after %v", round, took)
		if bound := s.timeout + 2*time.Second; took > bound {
			t.Errorf("round %d: another agent was found after %v, want %v at most", round, took, bound)
		}
		m.UntilHas(fmt.Sprintf("round/%d", round), "1")
		before := n.Deadline()
		storetest.Await(t, "a renewal", func() bool { return n.Deadline().After(before) || n.Err() != nil })
		if n.Err() != nil {
			t.Fatalf("round %d: the session ended: %v", round, n.Err())
		}
	}
}

// start6 starts a session that survives the search for another agent.
func start6(t *testing.T, s store.Store) *session { t.Helper(); return start(t, s, 20*time.Second) }

func TestOpenRefusesWhatMakesNoSense(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	storetest.OpenRefusesWhatMakesNoSense(t, map[string]string{
		"consul:///ns":                                                           "no host",
		"consul://h/ns?colour=red":                                               "colour",
		"consul://h/ns?tls=maybe":                                                "tls",
		"consul://h/ns?tls=false&ca=x":                                           "contradicts",
		"consul://h/ns?cert=x":                                                   "without the other",
		"consul://user:secret@h/ns":                                              "token_file",
		"consul://h/ns?token=secret&token_env=HOME":                              "one of them",
		"consul://h/ns?token_env=NOT_SET_ANYWHERE":                               "NOT_SET_ANYWHERE",
		"consul://h/ns?token_file=/nowhere/token":                                "/nowhere/token",
		"consul://h/ns?token_file=" + empty:                                      "is empty",
		"consul://h/ns?session_ttl_min=soon":                                     "session_ttl_min",
		"consul://h/" + strings.Repeat("n", 150) + "/" + strings.Repeat("n", 60): "namespace",
	})
}

// fake answers every request as some server does that we can't start here.
func fake(t *testing.T, status int, text string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestOpenRefusesWhatIsNoConsulThatWillDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status     int
		text, says string
	}{
		{http.StatusRequestEntityTooLarge, "Transaction contains too many operations (65 > 64)", "older than Consul 1.14"}, // 0.7 to 1.13
		{http.StatusNotFound, "404 page not found", "no Consul"},
		{http.StatusBadRequest, "Failed to parse body", "Failed to parse body"},
	} {
		start := time.Now()
		_, err := storetest.Open(t, "consul://"+fake(t, c.status, c.text)+"/ns", storetest.Patience)
		storetest.WantError(t, err, store.ErrInvalid)
		storetest.Mention(t, err, c.says)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %v", c.text, took)
		}
	}
	_, err := storetest.Open(t, "consul://"+fake(t, http.StatusBadGateway, "no upstream")+"/ns", 300*time.Millisecond)
	storetest.WantError(t, err, store.ErrUnavailable)
	storetest.Mention(t, err, "502", "no upstream")
}

// An edition without namespaces ignores them in transactions. That must not put
// two teams' jobs in one place.
func TestNamespace_RefusedWithoutEnterprise(t *testing.T) {
	t.Parallel()
	c := server(t)
	for _, param := range []string{"ns=team", "partition=team"} {
		_, err := storetest.Open(t, c.URL("x")+"?"+param, storetest.Patience)
		storetest.WantError(t, err, store.ErrInvalid)
		storetest.Mention(t, err, "Enterprise")
	}
	s := storetest.MustOpen(t, c.URL("x")+"?dc=dc1")
	storetest.Commit(t, s, storetest.Do(store.Create("k", nil)))
	_, err := storetest.Open(t, c.URL("x")+"?dc=nowhere", time.Second)
	storetest.Mention(t, err, "nowhere")
}

// The variables of Consul's own tools are for people. A process that inherits
// them must not write to another place.
func TestEnvironmentHasNoSay(t *testing.T) {
	for name, value := range map[string]string{
		"CONSUL_HTTP_ADDR": "127.0.0.1:1", "CONSUL_HTTP_TOKEN": "wrong", "CONSUL_HTTP_TOKEN_FILE": "/nowhere", "CONSUL_HTTP_SSL": "true",
		"CONSUL_NAMESPACE": "other", "CONSUL_PARTITION": "other", "CONSUL_HTTP_AUTH": "user:password", "HTTP_PROXY": "http://127.0.0.1:1",
	} {
		t.Setenv(name, value)
	}
	c := server(t)
	var seen atomic.Pointer[http.Request]
	s := openAt(t, c.Addr(), "x", func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(q *http.Request) (*http.Response, error) { seen.Store(q); return next.RoundTrip(q) })
	})
	n := newSession(t, s)
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("k", []byte("v"))}})
	storetest.Equal(t, "k", storetest.Read(t, s, "k"), "v")
	if _, _, ok := seen.Load().BasicAuth(); ok {
		t.Error("a password from the environment was sent")
	}
}

// rights makes tokens of a server with ACLs, for the namespace "mine".
func rights(t *testing.T) (c *testservers.Consul, as func(rules string) string) {
	t.Helper()
	c = server(t, testservers.ConsulOptions{ACLs: true})
	return c, func(rules string) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(c.Policy(rules)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return c.URL("mine") + short + "&token_file=" + file
	}
}

const (
	mayRead    = `key_prefix "mine/" { policy = "read" }`
	mayWrite   = `key_prefix "mine/" { policy = "write" }`
	mayBegin   = `session_prefix "" { policy = "write" }`
	mayNothing = `key_prefix "other/" { policy = "write" }`
)

func TestTokensHaveTheRightsOfTheirPolicy(t *testing.T) {
	t.Parallel()
	c, as := rights(t)
	for name, u := range map[string]string{
		"no token":        c.URL("mine"),
		"unknown token":   c.URL("mine") + "?token=11111111-2222-3333-4444-555555555555",
		"other namespace": as(mayNothing + mayBegin),
	} {
		start := time.Now()
		_, err := storetest.Open(t, u, storetest.Patience)
		t.Log(name, err)
		storetest.WantError(t, err, store.ErrPermission)
		storetest.DontMention(t, err, "11111111-2222-3333-4444-555555555555")
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}

	writer := storetest.MustOpen(t, as(mayWrite+mayBegin)) // the least that an instance needs
	n, err := writer.NewSession(t.Context(), store.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Commit(t, writer, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", []byte("1"))}})
	storetest.Follow(t, writer, "").UntilHas("live/me", "1")
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	storetest.Commit(t, writer, storetest.Do(store.Create("k", []byte("1"))))

	reader := storetest.MustOpen(t, as(mayRead))
	storetest.Equal(t, "read", storetest.Read(t, reader, "k"), "1")
	_, err = reader.Commit(t.Context(), storetest.Do(store.Create("new", nil)))
	storetest.WantError(t, err, store.ErrPermission)
	_, err = reader.Commit(t.Context(), storetest.Do(store.Set("k", nil)))
	storetest.WantError(t, err, store.ErrPermission)
	_, err = reader.NewSession(t.Context(), store.SessionOptions{})
	storetest.WantError(t, err, store.ErrPermission)

	sessionless := storetest.MustOpen(t, as(mayWrite))
	_, err = sessionless.NewSession(t.Context(), store.SessionOptions{})
	storetest.WantError(t, err, store.ErrPermission)

	// A transaction with one key that is denied applies nothing.
	partly := storetest.MustOpen(t, as(mayRead+`key_prefix "mine/a/" { policy = "write" }`))
	_, err = partly.Commit(t.Context(), storetest.Do(store.Create("a/k", nil), store.Create("b/k", nil)))
	storetest.WantError(t, err, store.ErrPermission)
	storetest.Equal(t, "a/k", storetest.Read(t, writer, "a/k"), "-")
}

// A list that a token may not read looks empty. The test shows the trap, too.
func TestFilteredReadIsNoEmptyList(t *testing.T) {
	t.Parallel()
	c, as := rights(t)
	writer := storetest.MustOpen(t, as(mayWrite+mayBegin))
	storetest.Commit(t, writer, storetest.Do(store.Create("open/k", nil), store.Create("secret/k", nil)))
	raw := admin(t, c)
	token := c.Policy(mayNothing)
	pairs, meta, err := raw.KV().List("mine/", &api.QueryOptions{Token: token})
	if err != nil || len(pairs) != 0 || !meta.ResultsFilteredByACLs {
		t.Fatalf("Consul has changed: %d keys, filtered %v, %v", len(pairs), meta.ResultsFilteredByACLs, err)
	}
	some := storetest.MustOpen(t, as(mayRead+`key_prefix "mine/secret/" { policy = "deny" }`))
	for _, prefix := range []string{"", "secret"} {
		_, err := some.List(t.Context(), prefix)
		storetest.WantError(t, err, store.ErrPermission)
		_, err = some.Watch(t.Context(), prefix)
		storetest.WantError(t, err, store.ErrPermission)
	}
	_, err = some.Get(t.Context(), "secret/k")
	storetest.WantError(t, err, store.ErrPermission)
	_, err = some.Commit(t.Context(), store.Txn{If: []store.Cond{store.Exists("open/k"), store.Exists("secret/k")}})
	storetest.WantError(t, err, store.ErrPermission)
	if _, err = some.Commit(t.Context(), store.Txn{If: []store.Cond{store.Exists("open/k")}}); err != nil {
		t.Error(err)
	}
	if entries, err := some.List(t.Context(), "open"); err != nil || len(entries) != 1 {
		t.Errorf("what may be read: %d keys, %v", len(entries), err)
	}
}

// Rights that are taken away are missed at once by reads, also by those that
// wait, and never look like an empty store. To those who show no token Consul
// does not even say that it left something out.
func TestRightsThatAreTakenAwayAreMissed(t *testing.T) {
	t.Parallel()
	c := server(t, testservers.ConsulOptions{ACLs: true})
	ask := func(what, body string) string {
		t.Helper()
		text, err := c.Ask("PUT", what, body)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	quoted := func(rules string) string { return fmt.Sprintf(`{"Name":"everybody","Rules":%q}`, rules) }
	var policy struct{ ID string }
	if err := json.Unmarshal([]byte(ask("acl/policy", quoted(mayWrite))), &policy); err != nil {
		t.Fatal(err)
	}
	bearer := `{"Policies":[{"ID":"` + policy.ID + `"}]}`
	ask("acl/token/00000000-0000-0000-0000-000000000002", bearer) // whoever shows none
	var token struct{ SecretID string }
	if err := json.Unmarshal([]byte(ask("acl/token", bearer)), &token); err != nil {
		t.Fatal(err)
	}
	var stores []*store.Portable
	var mirrors []*storetest.Mirror
	for i, u := range []string{c.URL("mine"), c.URL("mine") + "?token=" + token.SecretID} {
		s := storetest.MustOpen(t, u)
		stores = append(stores, s)
		storetest.Commit(t, s, storetest.Do(store.Create(fmt.Sprintf("k/%d", i), nil)))
		m := storetest.Follow(t, s, "k")
		m.UntilHas(fmt.Sprintf("k/%d", i), "")
		mirrors = append(mirrors, m)
	}
	ask("acl/policy/"+policy.ID, quoted(mayNothing))
	ask("kv/mine/k/2", "") // wakes those who wait
	for i, s := range stores {
		var err error
		storetest.Await(t, "the list to be refused", func() bool { _, err = s.List(t.Context(), "k"); return err != nil })
		storetest.WantError(t, err, store.ErrPermission)
		for err = nil; err == nil; {
			var u store.Update
			u, err = mirrors[i].Watch.Next(storetest.Bounded(t, 40*time.Second))
			if len(u.Deleted) > 0 {
				t.Errorf("told that %v were deleted", u.Deleted)
			}
		}
		storetest.WantError(t, err, store.ErrPermission)
	}
}

// A token in a file can be replaced while the process runs.
func TestTokenFileIsReadAgainWhenTheTokenIsRefused(t *testing.T) {
	t.Parallel()
	c := server(t, testservers.ConsulOptions{ACLs: true})
	raw := admin(t, c)
	file := filepath.Join(t.TempDir(), "token")
	token := func() *api.ACLToken {
		t.Helper()
		policy := c.Policy(mayWrite + mayBegin)
		made, _, err := raw.ACL().TokenReadSelf(&api.QueryOptions{Token: policy})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(made.SecretID), 0o600); err != nil {
			t.Fatal(err)
		}
		return made
	}
	old := token()
	s := hasty(openURL(t, c.URL("mine")+short+"&token_file="+file))
	n := start6(t, s)
	m := storetest.Follow(t, s, "")
	m.Next()
	token()
	if _, err := raw.ACL().TokenDelete(old.AccessorID, nil); err != nil {
		t.Fatal(err)
	}
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", []byte("1"))}})
	m.UntilHas("live/me", "1")
	before := n.Deadline()
	storetest.Await(t, "a renewal", func() bool { return n.Deadline().After(before) || n.Err() != nil })
	if n.Err() != nil {
		t.Fatal(n.Err())
	}

	// Without a new one, everything fails and says why.
	now, _, err := raw.ACL().TokenReadSelf(&api.QueryOptions{Token: s.token.get()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.ACL().TokenDelete(now.AccessorID, nil); err != nil {
		t.Fatal(err)
	}
	storetest.Await(t, "the token to be refused", func() bool { _, err = s.Get(t.Context(), "live/me"); return err != nil })
	storetest.WantError(t, err, store.ErrPermission)
	storetest.DontMention(t, err, now.SecretID)
}

func openURL(t *testing.T, rawURL string) *client {
	t.Helper()
	s, err := tryOpen(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(storetest.Bounded(t, time.Second)) })
	return s
}

// A certificate that is renewed in its files is used by the next connection.
func TestCertificate_IsReadAgain(t *testing.T) {
	t.Parallel()
	a := storetest.NewAuthority(t)
	a.Issue("server", storetest.Loopback)
	c := testservers.StartConsul(t, testservers.ConsulOptions{CA: a.CA(), Cert: a.Cert("server"), Key: a.Key("server")})
	storetest.RenewedCertificateIsUsed(t, "consul", c.TLSAddr(), a)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	a, stranger := storetest.NewAuthority(t), storetest.NewAuthority(t)
	a.Issue("server", storetest.Loopback, storetest.Named("consul.example"))
	a.Issue("named", storetest.Named("consul.example"))
	a.Issue("expired", storetest.Loopback, storetest.Expired)
	a.Issue("client")
	c := server(t, testservers.ConsulOptions{CA: a.CA(), Cert: a.Cert("server"), Key: a.Key("server")})
	good, named, expired := c.TLSAddr(), a.Front(c.Addr(), "named"), a.Front(c.Addr(), "expired")
	client := "&cert=" + a.Cert("client") + "&key=" + a.Key("client")

	for _, u := range []string{
		"consul://" + good + "/ns?ca=" + a.CA() + client,
		"consul://" + named + "/ns?ca=" + a.CA() + client + "&server_name=consul.example",
	} {
		s := storetest.MustOpen(t, u)
		n, err := s.NewSession(t.Context(), store.SessionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.CreateEphemeral("live/me", []byte("1"))}})
		storetest.Follow(t, s, "").UntilHas("live/me", "1")
		if err := n.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ url, says string }{
		{"consul://" + good + "/ns?tls=true" + client, "unknown authority"},
		{"consul://" + good + "/ns?ca=" + stranger.CA() + client, "certificate"},
		{"consul://" + named + "/ns?ca=" + a.CA() + client, "127.0.0.1"},
		{"consul://" + expired + "/ns?ca=" + a.CA() + client, "expired"},
		{"consul://" + good + "/ns?ca=" + a.CA(), "certificate"},
	} {
		t.Run(c.says, func(t *testing.T) {
			_, err := storetest.Open(t, c.url, 2*time.Second)
			storetest.WantError(t, err, store.ErrUnavailable)
			storetest.Mention(t, err, c.says)
		})
	}
	// Without TLS it says so, or breaks the connection first.
	if _, err := storetest.Open(t, "consul://"+good+"/ns", 2*time.Second); err == nil {
		t.Error("opened without TLS")
	}
}
