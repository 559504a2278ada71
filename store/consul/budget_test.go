package consul

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// requests counts what a store sends, by what it is for.
type requests struct {
	mu   sync.Mutex
	sent map[string]int
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (r *requests) tap(next http.RoundTripper) http.RoundTripper {
	r.sent = map[string]int{}
	return roundTrip(func(q *http.Request) (*http.Response, error) {
		r.mu.Lock()
		r.sent[what(q)]++
		r.mu.Unlock()
		return next.RoundTrip(q)
	})
}

// what a request is for: txn, renew, get, list, or wait, which is a list that
// waits.
func what(q *http.Request) string {
	query := q.URL.Query()
	path := strings.Split(strings.TrimPrefix(q.URL.Path, "/v1/"), "/")
	switch {
	case path[0] == "kv" && query.Has("index"):
		return "wait"
	case path[0] == "kv" && query.Has("recurse"):
		return "list"
	case path[0] == "kv":
		return "get"
	case path[0] == "session":
		return path[1]
	}
	return path[0]
}

// take returns what was sent since the last call, such as "get:1 txn:2".
func (r *requests) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(r.sent)) {
		all = append(all, fmt.Sprintf("%s:%d", kind, r.sent[kind]))
	}
	clear(r.sent)
	return strings.Join(all, " ")
}

func (r *requests) count(kind string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent[kind]
}

func TestBudgets(t *testing.T) {
	t.Parallel()
	c := server(t)
	var r requests
	s := openAt(t, c.Addr(), storetest.Namespace(), r.tap)
	storetest.Equal(t, "open", r.take(), "txn:1")
	n := newSession(t, s)
	storetest.Equal(t, "start a session", r.take(), "create:1 txn:1")

	var create store.Txn
	for i := range maxOps {
		create.Do = append(create.Do, store.Create(fmt.Sprintf("k/%d", i), []byte("v")))
	}
	create.Session = n
	v := storetest.Commit(t, s, create)
	storetest.Equal(t, "create 63 keys in a session", r.take(), "txn:1")
	storetest.Commit(t, s, store.Txn{Session: n, If: []store.Cond{store.At("k/1", v[1]), store.Exists("k/2")}, Do: []store.Op{store.Set("k/1", nil), store.Delete("k/0")}})
	storetest.Equal(t, "compare and set", r.take(), "txn:1")
	_, err := s.Commit(t.Context(), store.Txn{Session: n, If: []store.Cond{store.At("k/1", v[1])}, Do: []store.Op{store.Set("k/1", nil)}})
	storetest.WantConflict(t, err, "k/1", store.Changed)
	storetest.Equal(t, "a conflict, with its reason", r.take(), "txn:1")
	storetest.Read(t, s, "k/1")
	storetest.Equal(t, "get", r.take(), "get:1")
	if _, err := s.List(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "list 62 keys", r.take(), "list:1")

	m := storetest.Follow(t, s, "k")
	m.Next()
	storetest.Await(t, "the watch to have begun", func() bool { return r.count("wait") > 0 })
	storetest.Await(t, "it to be known who leads", func() bool { return r.count("status") > 0 })
	storetest.Equal(t, "start the first watch", r.take(), "list:1 status:1 wait:1")
	const changes = 20
	for i := range changes {
		storetest.Commit(t, s, storetest.Do(store.Set("k/1", fmt.Append(nil, i))))
	}
	m.UntilHas("k/1", "19")
	if waits := r.count("wait"); waits > changes+1 {
		t.Errorf("%d changes were asked for %d times", changes, waits)
	}
	m.Watch.Close()
	r.take()
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "end a session", r.take(), "destroy:1")
}

// A prefix without keys is as old as all of Consul's store: what waits for it
// is answered whenever something near it is written. That costs requests, and
// these are bounded.
func TestEmptyPrefixIsNotAskedForAtEveryWrite(t *testing.T) {
	t.Parallel()
	c := server(t)
	var r requests
	ns := storetest.Namespace()
	s, other := openAt(t, c.Addr(), ns, r.tap), openAt(t, c.Addr(), ns)
	m := storetest.Follow(t, s, "empty")
	m.Next()
	storetest.Commit(t, other, storetest.Do(store.Create("near", nil)))
	storetest.Await(t, "a wait", func() bool { return r.count("wait") > 0 })
	r.take()
	const writes = 2000
	start := time.Now()
	for i := range writes {
		storetest.Commit(t, other, storetest.Do(store.Set("near", fmt.Append(nil, i))))
	}
	took := time.Since(start)
	woken := r.count("wait")
	if woken == 0 {
		t.Log("Consul has changed: writes elsewhere answered nobody who waits for an empty prefix")
	}
	if most := 15 + int(took/(mostNoise/2)); woken > most {
		t.Errorf("asked %d times in %v while %d foreign keys were written, want %d at most", woken, took, writes, most)
	}
	storetest.Commit(t, other, storetest.Do(store.Create("empty/no-more", []byte("1"))))
	m.UntilHas("empty/no-more", "1")
}

// What an instance costs the store while nothing happens: with the defaults 18
// renewals a minute, which are sign of life enough for all its watches, two
// requests for each of these, and six to see who leads.
func TestIdleStoreAsksForNothingElse(t *testing.T) {
	t.Parallel()
	c := server(t)
	var r requests
	s := openAt(t, c.Addr(), storetest.Namespace(), r.tap)
	s.wait, s.probeEvery = 2*time.Second, 1200*time.Millisecond
	n := brief(t, s)
	const watches = 6
	for i := range watches {
		storetest.Commit(t, s, storetest.Do(store.Create(fmt.Sprintf("w/%d/k", i), nil)))
		storetest.Follow(t, s, fmt.Sprintf("w/%d", i)).Next()
	}
	storetest.Await(t, "the watches to have begun", func() bool { return r.count("wait") >= watches })
	before := n.Deadline()
	storetest.Await(t, "a renewal", func() bool { return n.Deadline().After(before) })

	r.take()
	const renewed = 8
	start, first := time.Now(), n.Deadline()
	storetest.Await(t, "more renewals", func() bool { return n.Deadline().Sub(first) >= (renewed-1)*n.Granted/renewals })
	took := time.Since(start)
	r.mu.Lock()
	defer r.mu.Unlock()
	for kind, most := range map[string]int{
		"renew":  int(took/(n.Granted/renewals)) + 1,
		"wait":   watches * (int(took/s.wait) + 1),
		"status": int(took/s.leaderEvery) + 1, // who leads
	} {
		if got := r.sent[kind]; got > most {
			t.Errorf("%d requests to %s in %v, want at most %d", got, kind, took, most)
		}
		delete(r.sent, kind)
	}
	if len(r.sent) > 0 {
		t.Errorf("asked for more in %v: %v", took, r.sent)
	}
	const watchesOfAnInstance, reads = 3, 3
	aMinute := time.Minute/(store.DefaultTTL/renewals) + watchesOfAnInstance*time.Minute/wait + time.Minute/leaderEvery + reads
	if aMinute > 40 {
		t.Errorf("an idle instance with the defaults makes %d requests a minute, want at most 40", aMinute)
	}
}

// Without a session there is nobody else to be heard of.
func TestWatchWithoutASessionIsKeptByProbes(t *testing.T) {
	t.Parallel()
	c := server(t)
	var r requests
	s := openAt(t, c.Addr(), storetest.Namespace(), r.tap)
	s.probeEvery = 300 * time.Millisecond
	m := storetest.Follow(t, s, "")
	m.Next()
	r.take()
	start := time.Now()
	storetest.Await(t, "probes", func() bool { return r.count("get") >= 4 })
	if took := time.Since(start); took < 3*s.probeEvery {
		t.Errorf("4 probes in %v", took)
	}
	storetest.Equal(t, "stale", m.Last.Stale, false)
}
