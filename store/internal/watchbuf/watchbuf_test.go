package watchbuf

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// at is a state of a key; the value says which.
func at(key string, created uint64, version store.Version) store.Entry {
	return store.Entry{Key: key, Created: created, Version: version, Value: fmt.Appendf(nil, "%d.%d", created, version)}
}

func set(key string, created uint64, version store.Version) Change {
	return Change{Entry: at(key, created, version)}
}

func gone(key string) Change { return Change{store.Entry{Key: key}, true} }

// told empties the buffer and says what was in it, such as "reset a=1.2 -b
// stale".
func told(t *testing.T, m *Buffer) string {
	t.Helper()
	u, ok, err := m.take()
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return "nothing"
	}
	var words []string
	if u.Reset {
		words = append(words, "reset")
	}
	for _, e := range u.Entries {
		words = append(words, e.Key+"="+string(e.Value))
	}
	for _, key := range u.Deleted {
		words = append(words, "-"+key)
	}
	if u.Stale {
		words = append(words, "stale")
	}
	return strings.Join(words, " ")
}

func TestNext_LastStateOfEachKeyOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(m *Buffer)
		want string
	}{
		{"nothing", func(m *Buffer) {}, "nothing"},
		{"a sign of life", func(m *Buffer) { m.Apply(nil) }, "nothing"},
		{"a change", func(m *Buffer) { m.Apply([]Change{set("a", 1, 2)}) }, "a=1.2"},
		{"two changes of a key", func(m *Buffer) { m.Apply([]Change{set("a", 1, 2)}); m.Apply([]Change{set("a", 1, 3)}) }, "a=1.3"},
		{"what is known", func(m *Buffer) { m.Apply([]Change{set("a", 1, 1)}) }, "nothing"},
		{"a known key that is deleted", func(m *Buffer) { m.Apply([]Change{gone("a")}) }, "-a"},
		{"an unknown key that is deleted", func(m *Buffer) { m.Apply([]Change{gone("x")}) }, "nothing"},
		{"a key that comes and goes", func(m *Buffer) { m.Apply([]Change{set("x", 9, 9), gone("x")}) }, "nothing"},
		{"a known key that goes and comes back with its old version", func(m *Buffer) { m.Apply([]Change{gone("a"), set("a", 9, 1)}) }, "a=9.1"},
		{"a known key that changes and goes", func(m *Buffer) { m.Apply([]Change{set("a", 1, 2), gone("a")}) }, "-a"},
		{"an old state after a newer one is pending", func(m *Buffer) { m.Apply([]Change{set("a", 1, 2), set("a", 1, 1)}) }, "a=1.2"},
		{"a reset", func(m *Buffer) { m.Reset([]store.Entry{at("b", 2, 1)}) }, "reset b=2.1"},
		{"a reset to what is known", func(m *Buffer) { m.Reset([]store.Entry{at("a", 1, 1), at("b", 2, 1)}) }, "reset a=1.1 b=2.1"},
		{"a reset after a change", func(m *Buffer) { m.Apply([]Change{set("a", 1, 2), gone("b")}); m.Reset(nil) }, "reset"},
		{"a deletion after a reset", func(m *Buffer) { m.Reset([]store.Entry{at("a", 1, 1)}); m.Apply([]Change{gone("a"), gone("b")}) }, "reset"},
		{"a known state after a reset", func(m *Buffer) { m.Reset(nil); m.Apply([]Change{set("a", 1, 1)}) }, "reset a=1.1"},
		{"lost contact", func(m *Buffer) { m.LostContact() }, "stale"},
		{"contact lost and found", func(m *Buffer) { m.LostContact(); m.Apply(nil) }, "nothing"},
		{"contact lost after a change", func(m *Buffer) { m.Apply([]Change{set("a", 1, 2)}); m.LostContact() }, "a=1.2 stale"},
		{"the content as it is known", func(m *Buffer) { m.Replace([]store.Entry{at("a", 1, 1), at("b", 2, 1)}) }, "nothing"},
		{"another content", func(m *Buffer) { m.Replace([]store.Entry{at("b", 2, 2), at("c", 3, 3)}) }, "b=2.2 c=3.3 -a"},
		{"another content and back", func(m *Buffer) {
			m.Replace([]store.Entry{at("c", 3, 3)})
			m.Replace([]store.Entry{at("a", 1, 1), at("b", 2, 1)})
		}, "nothing"},
		{"another content after a reset", func(m *Buffer) { m.Reset([]store.Entry{at("a", 1, 1)}); m.Replace([]store.Entry{at("c", 3, 3)}) }, "reset c=3.3"},
	} {
		m := New()
		m.Reset([]store.Entry{at("b", 2, 1), at("a", 1, 1)})
		if got, want := told(t, m), "reset a=1.1 b=2.1"; got != want {
			t.Fatalf("first: got %q, want %q", got, want)
		}
		c.do(m)
		if got := told(t, m); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if got := told(t, m); got != "nothing" {
			t.Errorf("%s: told twice: %q", c.name, got)
		}
	}
}

func TestNext_TellsContactIsBack(t *testing.T) {
	m := New()
	m.Reset(nil)
	told(t, m)
	m.LostContact()
	if got := told(t, m); got != "stale" {
		t.Errorf("got %q", got)
	}
	m.Apply(nil)
	if u, ok, _ := m.take(); !ok || u.Stale {
		t.Errorf("got %+v, %v, want an update that is not stale", u, ok)
	}
}

// A sign of life counts from when it came, not from when the driver gets round
// to it.
func TestNext_TellsWhenHeard(t *testing.T) {
	m := New()
	m.Reset(nil)
	told(t, m)
	reset := m.heard
	for _, c := range []struct{ at, want time.Duration }{{-time.Second, 0}, {time.Second, time.Second}, {0, time.Second}} {
		m.HeardAt(reset.Add(c.at))
		m.LostContact()
		if u, _, _ := m.take(); u.AsOf.Sub(reset) != c.want {
			t.Errorf("heard of %v after the reset: told %v", c.at, u.AsOf.Sub(reset))
		}
		m.HeardAt(reset)
		if u, ok, _ := m.take(); !ok || u.Stale {
			t.Errorf("got %+v, %v, want an update that is not stale", u, ok)
		}
	}
}

// However a driver hears of a store, and however slow the reader is, the reader
// ends with what the store has, is told of no deletion of what it does not
// know, and never of the same write twice.
func TestNext_EndsWithStoresContent(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		m, content, reader := New(), map[string]store.Entry{}, map[string]store.Entry{}
		m.Reset(nil)
		next := uint64(0)
		read := func() {
			u, ok, _ := m.take()
			if !ok {
				return
			}
			if u.Reset {
				clear(reader)
			}
			for _, e := range u.Entries {
				if known, ok := reader[e.Key]; ok && writeOf(known) == writeOf(e) {
					t.Fatalf("seed %d: %s at %s is told twice", seed, e.Key, e.Value)
				}
				reader[e.Key] = e
			}
			for _, key := range u.Deleted {
				if _, ok := reader[key]; !ok {
					t.Fatalf("seed %d: %s was never told of and is deleted", seed, key)
				}
				delete(reader, key)
			}
		}
		all := func() (entries []store.Entry) {
			for _, e := range content {
				entries = append(entries, e)
			}
			return entries
		}
		for range 60 {
			key := string(rune('a' + r.IntN(4)))
			next++
			var c Change
			switch old, there := content[key]; {
			case there && r.IntN(3) == 0:
				delete(content, key)
				c = gone(key)
			case there:
				c = set(key, old.Created, old.Version+1)
			default:
				c = set(key, next, 1) // as ZooKeeper counts
			}
			if !c.Deleted {
				content[key] = c.Entry
			}
			switch r.IntN(8) {
			case 0:
				m.Reset(all())
			case 1, 2:
				m.Replace(all())
			default:
				m.Apply([]Change{c})
				if r.IntN(2) == 0 {
					m.Apply([]Change{c})
				}
			}
			if r.IntN(3) == 0 {
				read()
			}
		}
		read()
		if got, want := describe(reader), describe(content); got != want {
			t.Fatalf("seed %d: the reader has %s, the store %s", seed, got, want)
		}
	}
}

func describe(content map[string]store.Entry) string {
	var all []string
	for key, e := range content {
		all = append(all, key+"="+string(e.Value))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestNext_WaitsForNewsContextOrEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.Next(ctx); err != context.DeadlineExceeded {
			t.Errorf("without news: %v", err)
		}
		start := time.Now()
		time.AfterFunc(time.Second, func() { m.Reset(nil) })
		u, err := m.Next(t.Context())
		if err != nil || !u.Reset || u.AsOf.Sub(start) != time.Second || !m.HeardSince(u.AsOf) || m.HeardSince(u.AsOf.Add(1)) {
			t.Errorf("got %+v, %v", u, err)
		}
		end := errors.New("the end")
		time.AfterFunc(time.Second, func() { m.End(end); m.End(store.ErrClosed); m.Reset(nil) })
		for range 2 {
			if _, err := m.Next(t.Context()); err != end {
				t.Errorf("got %v, want the first end", err)
			}
		}
	})
}
