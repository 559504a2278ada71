package consul

import (
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	"github.com/hashicorp/consul/api"
)

// hastyBound is until when the readers of a hasty store are told that its
// server is away.
const hastyBound = time.Second // 600 ms + 400 ms

// hasty makes a store look for signs of life more often, so that tests need not
// wait for seconds.
func hasty(s *client) *client {
	s.probeEvery, s.patience, s.silence, s.leaderEvery = 600*time.Millisecond, 400*time.Millisecond, 100*time.Millisecond, 700*time.Millisecond
	return s
}

// In the laboratory a query through a black hole hung until its caller's own
// deadline, whatever it had asked for. Forgotten lines are another matter: see
// the next.
func TestWatchSaysStaleWithinItsBoundAndCatchesUp(t *testing.T) {
	t.Parallel()
	storetest.WatchSaysStaleWithinItsBoundAndCatchesUp(t, backend(server(t)), hastyBound+500*time.Millisecond, false)
}

// A router that forgets the connection of a query that waits says nothing; and
// whoever else asks is answered, on another. In this test even the kernel does
// not notice. What remains is the query's own deadline.
func TestQueryOnAForgottenConnectionIsAskedAgain(t *testing.T) {
	t.Parallel()
	c := server(t)
	var r requests
	ns := storetest.Namespace()
	p := testservers.StartProxy(t, c.Addr())
	s, other := openAt(t, p.Addr(), ns, r.tap), openAt(t, c.Addr(), ns)
	s.wait = 500 * time.Millisecond
	m := storetest.Follow(t, s, "w")
	m.Next()
	storetest.Await(t, "the query to be repeated on its connection", func() bool { return r.count("wait") >= 2 })
	p.Mute()
	storetest.Commit(t, other, storetest.Do(store.Create("w/a", []byte("1"))))
	m.UntilHas("w/a", "1")
}

// If anything that was sent is not answered in time, all that wait ask again at
// once.
func TestUnansweredRequestCastsDoubtOnQueriesThatWait(t *testing.T) {
	t.Parallel()
	c := server(t)
	var r requests
	p := testservers.StartProxy(t, c.Addr())
	ns := storetest.Namespace()
	s, other := openAt(t, p.Addr(), ns, r.tap), openAt(t, c.Addr(), ns)
	m := storetest.Follow(t, s, "w")
	m.Next()
	storetest.Await(t, "the watch to wait", func() bool { return r.count("wait") > 0 })
	// While the watch waits on one connection, a read gets another. That one is
	// idle then, and muted too. Otherwise the Get below would dial a good one.
	storetest.Await(t, "an idle connection beside that of the watch", func() bool {
		storetest.Read(t, s, "k")
		return p.Connections() >= 2
	})
	p.Mute()
	storetest.Commit(t, other, storetest.Do(store.Create("w/a", []byte("1"))))
	s.Get(storetest.Bounded(t, time.Second), "k")
	m.UntilHas("w/a", "1")
}

// But not if its caller was only in a hurry.
func TestHastyCallersBreakNothing(t *testing.T) {
	t.Parallel()
	c := server(t)
	var r requests
	p := testservers.StartProxy(t, c.Addr())
	s := openAt(t, p.Addr()+","+storetest.Refusing(t), storetest.Namespace(), r.tap)
	storetest.Follow(t, s, "w").Next()
	storetest.Await(t, "the watch to wait", func() bool { return r.count("wait") > 0 })
	r.take()
	p.Delay(testservers.Both, 50*time.Millisecond)
	for range 20 {
		_, err := s.Get(storetest.Bounded(t, 10*time.Millisecond), "k")
		storetest.WantError(t, err, store.ErrUnavailable)
	}
	p.Heal()
	storetest.Equal(t, "the host", s.hosts.now().addr, p.Addr())
	storetest.Equal(t, "asked again", r.count("wait")+r.count("list"), 0)
}

// A snapshot that is put back makes Consul forget what was written after it,
// and indexes begin again below those that were told. Whoever waits hears of it
// at once. Who begins to wait a moment later does so for an index that is long
// in coming, and hears of it when Consul lets him go, after half a minute.
func TestWatchResetsWhenTheStoreGoesBack(t *testing.T) {
	t.Parallel()
	c := server(t)
	var r requests
	s := hasty(openAt(t, c.Addr(), storetest.Namespace(), r.tap))
	storetest.Commit(t, s, storetest.Do(store.Create("w/a", []byte("old")), store.Create("w/b", []byte("old"))))
	snapshot := c.Snapshot()
	storetest.Commit(t, s, storetest.Do(store.Set("w/a", []byte("new")), store.Delete("w/b"), store.Create("w/c", nil)))
	m := storetest.Follow(t, s, "w")
	m.UntilHas("w/a", "new")
	resets := m.Resets
	storetest.Await(t, "the watch to wait", func() bool { return r.count("wait") > 0 })
	c.Restore(snapshot)
	m.UntilHas("w/a", "old")
	m.SameAsList(s, "w")
	if m.Resets == resets {
		t.Error("no reset, though the store went back")
	}
	storetest.Commit(t, s, storetest.Do(store.Set("w/a", []byte("on"))))
	m.UntilHas("w/a", "on")
}

// headers changes the index that answers to waiting queries show.
type headers struct {
	change atomic.Pointer[func(index uint64) uint64]
}

func (h *headers) tap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(q *http.Request) (*http.Response, error) {
		answer, err := next.RoundTrip(q)
		if f := h.change.Load(); err == nil && f != nil && (what(q) == "wait" || what(q) == "list") {
			index, _ := strconv.ParseUint(answer.Header.Get("X-Consul-Index"), 10, 64)
			answer.Header.Set("X-Consul-Index", fmt.Sprint((*f)(index)))
		}
		return answer, err
	})
}

// An index goes back when tombstones are removed, too, and may be 0 if a proxy
// or an old server says so. Whoever waits for the old one waits in vain, and
// whoever asks for 0 again and again does not wait at all.
func TestIndexThatGoesBackIsAskedForAnew(t *testing.T) {
	t.Parallel()
	c := server(t)
	for name, change := range map[string]func(uint64) uint64{
		"half": func(i uint64) uint64 { return i / 2 },
		"none": func(uint64) uint64 { return 0 },
	} {
		t.Run(name, func(t *testing.T) {
			var h headers
			var r requests
			ns := storetest.Namespace()
			s, other := openAt(t, c.Addr(), ns, func(next http.RoundTripper) http.RoundTripper { return r.tap(h.tap(next)) }), openAt(t, c.Addr(), ns)
			storetest.Commit(t, other, storetest.Do(store.Create("w/a", []byte("0"))))
			m := storetest.Follow(t, s, "w")
			m.UntilHas("w/a", "0")
			h.change.Store(&change)
			for i := range 5 {
				value := fmt.Sprint(i + 1)
				storetest.Commit(t, other, storetest.Do(store.Set("w/a", []byte(value))))
				m.UntilHas("w/a", value)
			}
			r.take()
			start := time.Now()
			storetest.Await(t, "time to pass", func() bool { return time.Since(start) > time.Second })
			if asked := r.count("wait") + r.count("list"); asked > 20 {
				t.Errorf("asked %d times in a second in which nothing happened", asked)
			}
			h.change.Store(nil)
			storetest.Commit(t, other, storetest.Do(store.Delete("w/a")))
			m.Until("the key to go", func() bool { return len(m.Content) == 0 })
		})
	}
}

func TestNextIndexToWaitFor(t *testing.T) {
	for _, c := range []struct {
		name            string
		from, told, now uint64
		early           bool
		want            uint64
	}{
		{"a change", 5, 5, 9, true, 9},
		{"time was up", 5, 5, 5, false, 5},
		{"asked without waiting, nothing new", 0, 5, 5, true, 5},
		{"went back", 5, 5, 3, false, 0},
		{"went back, asked without waiting", 0, 5, 3, true, 0},
		{"after it went back", 0, 3, 3, true, 3},
		{"an answer for nothing", 5, 5, 5, true, 0},
		{"no index", 5, 5, 0, true, 0},
	} {
		storetest.Equal(t, c.name, next(c.from, c.told, c.now, c.early), c.want)
	}
}

func TestWatchOutlivesTheServer(t *testing.T) {
	t.Parallel()
	storetest.WatchOutlivesTheServer(t, backend(server(t)))
}

func TestCommitIsNeverSplitOverTwoUpdates(t *testing.T) {
	t.Parallel()
	storetest.CommitIsNeverSplitOverTwoUpdates(t, backend(server(t)), 60, 40)
}

func TestSlowReaderIsToldTheLastStateOnly(t *testing.T) {
	t.Parallel()
	storetest.SlowReaderIsToldTheLastStateOnly(t, backend(server(t)), 200, func(s store.Store, w store.Watch, last store.Version, keys int) {
		storetest.Await(t, "the changes to arrive", func() bool { return s.(*client).index.Load() >= uint64(last) })
		storetest.Await(t, "what passed to be forgotten", func() bool { return w.(*watch).box.Len() == keys })
	})
}

// "zz/keep" is what "zz/keepX" begins with, too.
func TestPrefixEndsWithASlash(t *testing.T) {
	t.Parallel()
	c := server(t)
	s, raw := openAt(t, c.Addr(), "zz"), admin(t, c)
	storetest.Commit(t, s, storetest.Do(store.Create("keep/in", nil), store.Create("keepX", nil)))
	pairs, _, err := raw.KV().List("zz/keep", nil)
	if err != nil || len(pairs) != 2 {
		t.Fatalf("Consul has changed: %d keys begin with zz/keep, %v", len(pairs), err)
	}
	entries, err := s.List(t.Context(), "keep")
	if err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "keys", fmt.Sprint(len(entries), " ", entries[0].Key), "1 keep/in")
}

// A plain PUT of names with dots or two slashes is stored elsewhere or nowhere;
// a transaction takes them as they are, and reads are cleaned as paths. Ours
// hold nothing of the kind.
func TestNamesSurviveTheWayThroughAURL(t *testing.T) {
	t.Parallel()
	c := server(t)
	s, raw := openAt(t, c.Addr(), "names"), admin(t, c)
	if ok, _, _, err := raw.KV().Txn(api.KVTxnOps{{Verb: api.KVSet, Key: "names/a/../b", Value: []byte("x")}}, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if pair, _, err := raw.KV().Get("names/a/../b", nil); err == nil && pair != nil {
		t.Fatal("Consul has changed: a name with dots is read as it was written")
	}
	for _, key := range []string{"a/b c", "a/%2e%2e/b", "a/...", "a/ ", " ", "a/?index=1", "a/#", "a/+", "a/=2E", "a/é", "a/日本"} {
		storetest.Commit(t, s, storetest.Do(store.Create(key, []byte(key))))
		storetest.Equal(t, "value", storetest.Read(t, s, key), key)
	}
}
