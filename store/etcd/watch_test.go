package etcd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance/servers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/mailbox"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// hasty makes a store look for signs of life more often, so that tests need not wait for seconds.
func hasty(s *driver) *driver {
	s.probeEvery, s.patience, s.lines.silence = 600*time.Millisecond, 400*time.Millisecond, 100*time.Millisecond
	return s
}

func TestWatchSaysStaleWithinItsBoundAndCatchesUp(t *testing.T) {
	for name, fault := range map[string]func(p *servers.Proxy){
		"black hole":      func(p *servers.Proxy) { p.Hold(servers.Both) },
		"replies only":    func(p *servers.Proxy) { p.Hold(servers.ToClient) },
		"lost replies":    func(p *servers.Proxy) { p.Drop(servers.ToClient) },
		"cut":             (*servers.Proxy).Cut,
		"forgotten lines": func(p *servers.Proxy) { p.Mute() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := server(t)
			p, s, other := behindProxy(t, e)
			hasty(s)
			storetest.Commit(t, other, storetest.Do(store.Create("w/kept", []byte("0")), store.Create("w/gone", []byte("0"))))
			m := storetest.Follow(t, s, "w")
			m.UntilHas("w/gone", "0")

			start := time.Now()
			fault(p)
			m.Until("stale", func() bool { return m.Last.Stale })
			if took, bound := time.Since(start), s.probeEvery+s.patience; took > bound+500*time.Millisecond {
				t.Errorf("stale after %v, the bound is %v", took, bound)
			}
			if m.Last.AsOf.After(start.Add(100 * time.Millisecond)) {
				t.Errorf("claims to have heard of the store at %v, which was cut off at %v", m.Last.AsOf, start)
			}
			if name != "forgotten lines" {
				storetest.Commit(t, other, storetest.Do(store.Set("w/kept", []byte("1")), store.Delete("w/gone"), store.Create("w/new", nil), store.Create("w/short", nil)))
				storetest.Commit(t, other, storetest.Do(store.Delete("w/short")))
				p.Heal()
			}
			m.Until("not stale", func() bool { return !m.Last.Stale })
			m.SameAsList(other, "w")
			storetest.Commit(t, other, storetest.Do(store.Set("w/kept", []byte("2"))))
			m.UntilHas("w/kept", "2")
		})
	}
}

func TestWatchResetsWhenTheHistoryIsCutOff(t *testing.T) {
	e := server(t)
	p, s, other := behindProxy(t, e)
	hasty(s)
	raw := admin(t, e)
	storetest.Commit(t, other, storetest.Do(store.Create("w/a", []byte("0")), store.Create("w/b", []byte("0"))))
	m := storetest.Follow(t, s, "w")
	m.UntilHas("w/a", "0")
	storetest.Equal(t, "resets", m.Resets, 1)

	p.Cut()
	for i := range 10 {
		storetest.Commit(t, other, storetest.Do(store.Set("w/a", fmt.Append(nil, i))))
	}
	storetest.Commit(t, other, storetest.Do(store.Delete("w/b")))
	now, err := raw.Get(t.Context(), "now")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Compact(t.Context(), now.Header.Revision); err != nil {
		t.Fatal(err)
	}
	p.Heal()
	m.Until("a reset", func() bool { return m.Resets == 2 && !m.Last.Stale })
	m.SameAsList(other, "w")
}

func TestWatchOutlivesTheServer(t *testing.T) {
	t.Parallel()
	e := server(t)
	ns := storetest.Namespace()
	s, other := hasty(openAt(t, e.Addr(), ns)), openAt(t, e.Addr(), ns)
	m := storetest.Follow(t, s, "w")
	for round, end := range []func(){e.Kill, e.Pause} {
		value := fmt.Sprint(round)
		m.Until("not stale", func() bool { return !m.Last.Stale })
		end()
		m.Until("stale", func() bool { return m.Last.Stale })
		e.Restart()
		if round == 0 {
			storetest.Commit(t, other, storetest.Do(store.Create("w/a", []byte(value))))
		} else {
			storetest.Commit(t, other, storetest.Do(store.Set("w/a", []byte(value))))
		}
		m.UntilHas("w/a", value)
	}
}

// A watch of revisions that a server restored from a backup has not reached yet would wait for them in silence.
func TestWatchResetsWhenTheStoreGoesBack(t *testing.T) {
	t.Parallel()
	e := server(t)
	ns := storetest.Namespace()
	s, other := hasty(openAt(t, e.Addr(), ns)), openAt(t, e.Addr(), ns)
	storetest.Commit(t, other, storetest.Do(store.Create("w/a", []byte("0"))))
	m := storetest.Follow(t, s, "w")
	m.UntilHas("w/a", "0")
	// The same watch, as if it had come from a store that was far ahead.
	n := &watch{store: s, prefix: "w", box: mailbox.New()}
	n.ctx, n.cancel = context.WithCancel(s.running.Context())
	defer n.cancel()
	s.running.AddWatch(n, func() { n.run(s.revision.Load() + 1_000_000) })
	m = storetest.NewMirror(t, n)
	m.UntilHas("w/a", "0")
	storetest.Equal(t, "resets", m.Resets, 1)
	storetest.Commit(t, other, storetest.Do(store.Set("w/a", []byte("1"))))
	m.UntilHas("w/a", "1")
}

func TestCommitIsNeverSplitOverTwoUpdates(t *testing.T) {
	e := server(t)
	ns := storetest.Namespace()
	s, other := openAt(t, e.Addr(), ns), openAt(t, e.Addr(), ns)
	const keys, rounds = 100, 100
	var create store.Txn
	for i := range keys {
		create.Do = append(create.Do, store.Create(fmt.Sprintf("w/%d", i), []byte("0")))
	}
	storetest.Commit(t, other, create)
	m := storetest.Follow(t, s, "w")
	done := make(chan error, 1)
	go func() {
		for round := 1; round <= rounds; round++ {
			var set store.Txn
			for i := range keys {
				set.Do = append(set.Do, store.Set(fmt.Sprintf("w/%d", i), fmt.Appendf(bulk[:1000:1000], "%d", round)))
			}
			if _, err := other.Commit(context.Background(), set); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	last := fmt.Sprintf("%s%d", bulk[:1000], rounds)
	m.Until("the last round", func() bool {
		values := slices.Compact(slices.Sorted(maps.Values(m.Content)))
		if len(values) > 1 {
			t.Fatalf("an update shows %d rounds at once", len(values))
		}
		return m.Content["w/0"] == last
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// What a reader has missed costs memory for the keys that there are, not for what has happened to them.
func TestSlowReaderIsToldTheLastStateOnly(t *testing.T) {
	e := server(t)
	ns := storetest.Namespace()
	s, other := openAt(t, e.Addr(), ns), openAt(t, e.Addr(), ns)
	storetest.Commit(t, other, storetest.Do(store.Create("w/set", []byte("0")), store.Create("w/gone", nil), store.Create("w/again", nil)))
	m := storetest.Follow(t, s, "w")
	m.Next()
	created, err := s.Get(t.Context(), "w/again")
	if err != nil {
		t.Fatal(err)
	}
	storetest.Commit(t, other, storetest.Do(store.Delete("w/gone"), store.Delete("w/again")))
	storetest.Commit(t, other, storetest.Do(store.Create("w/again", []byte("new"))))
	for i := range 300 {
		key := fmt.Sprintf("w/passing/%d", i)
		storetest.Commit(t, other, storetest.Do(store.Create(key, bulk)))
		storetest.Commit(t, other, storetest.Do(store.Delete(key), store.Set("w/set", fmt.Append(nil, i))))
	}
	w, last := m.Watch.(*watch), storetest.Commit(t, other, storetest.Do(store.Set("w/set", []byte("last"))))[0]
	storetest.Await(t, "the changes to arrive", func() bool { return w.seen.Load() >= int64(last) })
	storetest.Equal(t, "keys kept", w.box.Len(), 3)
	u := m.Next()
	storetest.Equal(t, "update", fmt.Sprint(u.Reset, len(u.Entries), u.Deleted), "false 2 [w/gone]")
	if u.Entries[0].Key != "w/again" || u.Entries[0].Created <= created.Created {
		t.Errorf("got %v, want w/again, created later than %d", u.Entries[0], created.Created)
	}
}

func TestEndOfContextEndsNextOnly(t *testing.T) {
	e := server(t)
	s := openAt(t, e.Addr(), storetest.Namespace())
	start, cancel := context.WithCancel(context.Background())
	w, err := s.Watch(start, "w")
	if err != nil {
		t.Fatal(err)
	}
	cancel() // bounds the start only
	m := storetest.NewMirror(t, w)
	m.Next()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := w.Next(ctx); err != context.DeadlineExceeded {
		t.Fatalf("got %v", err)
	}
	storetest.Commit(t, s, storetest.Do(store.Create("w/a", []byte("1"))))
	m.UntilHas("w/a", "1")
	w.Close()
	w.Close()
	_, err = w.Next(context.Background())
	storetest.WantError(t, err, store.ErrClosed)
}

// Events that a server sends again, or late, must not take the reader back in time.
func TestOldEventsAreIgnored(t *testing.T) {
	e := server(t)
	s := openAt(t, e.Addr(), storetest.Namespace())
	w := &watch{store: s, prefix: "w"}
	v1 := storetest.Commit(t, s, storetest.Do(store.Create("w/a", []byte("1"))))[0]
	v2 := storetest.Commit(t, s, storetest.Do(store.Set("w/a", []byte("2"))))[0]
	var got []*clientv3.Event
	for reply := range s.client.Watch(t.Context(), s.layout.key("w/a"), clientv3.WithRev(int64(v1))) {
		if got = append(got, reply.Events...); len(got) == 2 {
			break
		}
	}
	storetest.Equal(t, "changes after 0", len(w.changes(got, 0)), 2)
	storetest.Equal(t, "changes after the first", len(w.changes(got, int64(v1))), 1)
	storetest.Equal(t, "changes after the second", len(w.changes(got, int64(v2))), 0)
}
