package zookeeper

import (
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// What each operation costs a server, counted on the way to it. A change of
// these numbers is a change of the driver's price.
func TestBudgets(t *testing.T) {
	t.Parallel()
	z := server(t)
	p := startTap(t, z.Addr())
	ns := storetest.Namespace()
	other := openAt(t, z.Addr(), ns)
	s := openAt(t, p.addr(), ns)
	// The TTLs that are granted are asked for, twice; and a read.
	storetest.Equal(t, "open", p.take(), "arm:1 children:1 close:2 connect:3 disarm:1 sync:1")
	storetest.Commit(t, s, storetest.Do(store.Create("a/k", []byte("1"))))
	storetest.Equal(t, "first key of a directory", p.take(), "directory:3 multi:2") // one is tried before the one above it is there
	session := func() store.Session {                                               // of ten seconds, so that a busy machine has no part in the numbers
		n, err := s.NewSession(storetest.Bounded(t, storetest.Patience), store.SessionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := session()
	storetest.Equal(t, "first session", p.take(), "connect:1 directory:3 multi:2")
	var w *storetest.Mirror
	for _, c := range []struct {
		what string
		do   func()
		want string
	}{
		{"key of a directory that is there", func() { storetest.Commit(t, s, storetest.Do(store.Create("a/l", nil))) }, "multi:1"},
		{"get", func() { storetest.Read(t, s, "a/k") }, "data:1 multi:1"},
		{"get of nothing", func() { storetest.Read(t, s, "a/absent") }, "data:1 multi:1"},
		{"list", func() { s.List(t.Context(), "") }, "children:2 data:2 multi:1"},
		{"commit", func() {
			storetest.Commit(t, s, store.Txn{Session: n, If: []store.Cond{store.Exists("a/l")}, Do: []store.Op{store.Set("a/k", []byte("2"))}})
		}, "multi:1"},
		{"conflict", func() {
			_, err := s.Commit(t.Context(), store.Txn{Session: n, Do: []store.Op{store.Create("a/k", nil)}})
			storetest.WantConflict(t, err, "a/k", store.Present)
		}, "multi:1"},
		{"watch", func() { w = storetest.Follow(t, s, "a"); w.Next() }, "arm:1 children:1 data:2 multi:1"},
		{"change", func() {
			storetest.Commit(t, other, storetest.Do(store.Set("a/k", []byte("3"))))
			w.UntilHas("a/k", "3")
		}, "data:1"},
		{"unwatch", func() { w.Watch.Close(); awaitTap(t, p, "disarm:1") }, ""},
		{"session's end", func() { n.Close(t.Context()) }, "close:1"},
		{"second session", func() { session() }, "connect:1 multi:1"},
	} {
		c.do()
		if c.want != "" {
			storetest.Equal(t, c.what, p.take(), c.want)
		}
	}
}

// awaitTap waits until exactly this was asked.
func awaitTap(t *testing.T, p *tap, want string) {
	t.Helper()
	got := ""
	storetest.Await(t, want, func() bool {
		if more := p.take(); more != "" {
			got = more
		}
		return got == want
	})
}

// Whatever the number of watches, a change is read once, and keys that change
// while others are being read are read together.
func TestWatchesShareTheReadOfAChange(t *testing.T) {
	t.Parallel()
	z := server(t)
	p := startTap(t, z.Addr())
	ns := storetest.Namespace()
	other := openAt(t, z.Addr(), ns)
	s := openAt(t, p.addr(), ns)
	storetest.Commit(t, other, storetest.Do(store.Create("a/b/k", []byte("-"))))
	var all []*storetest.Mirror
	for i := range 60 {
		m := storetest.Follow(t, s, []string{"", "a", "a/b"}[i%3])
		m.UntilHas("a/b/k", "-")
		all = append(all, m)
	}
	p.take()
	const changes = 20
	for i := range changes {
		value := fmt.Sprint(i)
		storetest.Commit(t, other, storetest.Do(store.Set("a/b/k", []byte(value))))
		for _, m := range all {
			m.UntilHas("a/b/k", value)
		}
	}
	storetest.Equal(t, "reads of 20 changes by 60 watches", p.take(), "data:20")

	const burst = 500
	for i := range burst {
		storetest.Commit(t, other, storetest.Do(store.Set("a/b/k", fmt.Append(nil, "burst ", i))))
	}
	for _, m := range all {
		m.UntilHas("a/b/k", fmt.Sprint("burst ", burst-1))
	}
	if n := p.sum(); n > burst+2 { // a sync of the probe may be among them
		t.Errorf("%d requests for %d changes", n, burst)
	}
}

// An idle process asks for 40 things a minute at the most.
func TestIdleStoreAsksForNothingElse(t *testing.T) {
	t.Parallel()
	z := server(t)
	p := startTap(t, z.Addr())
	s := openAt(t, p.addr(), storetest.Namespace())
	n, err := s.NewSession(t.Context(), store.SessionOptions{}) // of ten seconds
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		storetest.Follow(t, s, fmt.Sprint("w/", i)).Next()
	}
	p.sum()
	p.mu.Lock()
	clear(p.counts)
	p.mu.Unlock()
	start, first := time.Now(), n.Deadline()
	storetest.Await(t, "renewals", func() bool { return n.Deadline().Sub(first) >= 12*time.Second })
	took := time.Since(start)
	got, allowed := p.sum(), 40*took.Minutes()
	t.Logf("%d requests in %v: %.0f a minute", got, took, float64(got)/took.Minutes())
	if float64(got) > allowed+2 { // either kind may have just begun another interval
		t.Errorf("%d requests in %v, at most %.0f are allowed", got, took, allowed)
	}
	storetest.Equal[error](t, "the session", n.Err(), nil)
}
