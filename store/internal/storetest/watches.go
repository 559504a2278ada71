package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
)

// WatchSaysStaleWithinItsBoundAndCatchesUp after each of the faults that leave
// no connection of a store of use, and after those in which the lines that
// there are go silent, if the driver finds out by itself. bound is how long it
// may take until a reader is told.
func WatchSaysStaleWithinItsBoundAndCatchesUp(t *testing.T, b Backend, bound time.Duration, silentLines bool) {
	for name, fault := range map[string]func(p *testservers.Proxy){
		"black hole":      func(p *testservers.Proxy) { p.Hold(testservers.Both) },
		"replies only":    func(p *testservers.Proxy) { p.Hold(testservers.ToClient) },
		"lost replies":    func(p *testservers.Proxy) { p.Drop(testservers.ToClient) },
		"cut":             (*testservers.Proxy).Cut,
		"forgotten lines": (*testservers.Proxy).Mute,
	} {
		if name == "forgotten lines" && !silentLines {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, s, other := b.BehindProxy(t)
			b.hasten(s)
			Commit(t, other, Do(store.Create("w/kept", []byte("0")), store.Create("w/gone", []byte("0"))))
			m := Follow(t, s, "w")
			m.UntilHas("w/gone", "0")

			start := time.Now()
			fault(p)
			m.Until("stale", func() bool { return m.Last.Stale })
			if took := time.Since(start); took > bound {
				t.Errorf("stale after %v, the bound is %v", took, bound)
			}
			if m.Last.AsOf.After(start.Add(100 * time.Millisecond)) {
				t.Errorf("claims to have heard of the store at %v, which was cut off at %v", m.Last.AsOf, start)
			}
			Commit(t, other, Do(store.Set("w/kept", []byte("1")), store.Delete("w/gone"), store.Create("w/new/deep", nil), store.Create("w/short", nil)))
			Commit(t, other, Do(store.Delete("w/short")))
			p.Heal()
			m.Until("the last state", func() bool { return !m.Last.Stale && m.Content["w/kept"] == "1" })
			m.SameAsList(other, "w")
			Commit(t, other, Do(store.Set("w/kept", []byte("2"))))
			m.UntilHas("w/kept", "2")
			Commit(t, other, Do(store.Create("w/new/later", []byte("3"))))
			m.UntilHas("w/new/later", "3")
		})
	}
}

// WatchOutlivesTheServer: its crash, and its hanging.
func WatchOutlivesTheServer(t *testing.T, b Backend) {
	s, other := b.Two(t)
	b.hasten(s)
	Commit(t, other, Do(store.Create("w/a", nil)))
	m := Follow(t, s, "w")
	for round, end := range []func(){b.Server.Kill, b.Server.Pause} {
		value := fmt.Sprint(round)
		m.Until("not stale", func() bool { return !m.Last.Stale })
		end()
		m.Until("stale", func() bool { return m.Last.Stale })
		b.Server.Restart()
		Commit(t, other, Do(store.Set("w/a", []byte(value))))
		m.UntilHas("w/a", value)
	}
}

// CommitIsNeverSplitOverTwoUpdates, for drivers with AtomicWatch: keys that are
// always set together always have the same value.
func CommitIsNeverSplitOverTwoUpdates(t *testing.T, b Backend, keys, rounds int) {
	s, other := b.Two(t)
	var create store.Txn
	for i := range keys {
		create.Do = append(create.Do, store.Create(fmt.Sprintf("w/%d", i), []byte("0")))
	}
	Commit(t, other, create)
	m := Follow(t, s, "w")
	value := func(round int) []byte { return fmt.Appendf(Bulk[:1000:1000], "%d", round) }
	done := make(chan error, 1)
	go func() {
		for round := 1; round <= rounds; round++ {
			var set store.Txn
			for i := range keys {
				set.Do = append(set.Do, store.Set(fmt.Sprintf("w/%d", i), value(round)))
			}
			if _, err := other.Commit(context.Background(), set); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	m.Until("the last round", func() bool {
		values := slices.Compact(slices.Sorted(maps.Values(m.Content)))
		if len(values) > 1 {
			t.Fatalf("an update shows %d rounds at once", len(values))
		}
		return m.Content["w/0"] == string(value(rounds))
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// SlowReaderIsToldTheLastStateOnly: what a reader has missed costs memory for
// the keys that there are, not for what has happened to them. arrived waits
// until the driver of a watch has heard of a version and keeps so many keys for
// its reader.
func SlowReaderIsToldTheLastStateOnly(t *testing.T, b Backend, passing int, arrived func(s store.Store, w store.Watch, last store.Version, keys int)) {
	s, other := b.Two(t)
	Commit(t, other, Do(store.Create("w/set", []byte("0")), store.Create("w/gone", nil), store.Create("w/again", nil)))
	m := Follow(t, s, "w")
	m.Next()
	created, err := s.Get(t.Context(), "w/again")
	if err != nil {
		t.Fatal(err)
	}
	Commit(t, other, Do(store.Delete("w/gone"), store.Delete("w/again")))
	Commit(t, other, Do(store.Create("w/again", []byte("new"))))
	for i := range passing {
		key := fmt.Sprintf("w/passing/%d", i)
		Commit(t, other, Do(store.Create(key, Bulk)))
		Commit(t, other, Do(store.Delete(key), store.Set("w/set", fmt.Append(nil, i))))
	}
	last := Commit(t, other, Do(store.Set("w/set", []byte("last"))))[0]
	arrived(s, m.Watch, last, 3)
	u := m.Next()
	Equal(t, "update", fmt.Sprint(u.Reset, len(u.Entries), u.Deleted), "false 2 [w/gone]")
	if u.Entries[0].Key != "w/again" || u.Entries[0].Created <= created.Created {
		t.Errorf("got %v, want w/again, created later than %d", u.Entries[0], created.Created)
	}
}
