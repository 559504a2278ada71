package storetest

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// Mirror is the reader of a watch: the content it has been told, and how. It
// fails the test if it is told what makes no sense.
type Mirror struct {
	Content map[string]string // values by key
	Last    store.Update
	Resets  int
	Watch   store.Watch // read it by Next alone

	t testing.TB
}

// Follow begins a watch, which ends with the test.
func Follow(t testing.TB, s store.Store, prefix string) *Mirror {
	t.Helper()
	w, err := s.Watch(Bounded(t, Patience), prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return NewMirror(t, w)
}

// NewMirror reads a watch.
func NewMirror(t testing.TB, w store.Watch) *Mirror { return &Mirror{t: t, Watch: w} }

// Next reads an update.
func (m *Mirror) Next() store.Update {
	m.t.Helper()
	u, err := m.Watch.Next(Bounded(m.t, Patience))
	if err != nil {
		m.t.Fatalf("next: %v; content %v", err, m.Content)
	}
	if u.Reset {
		m.Resets++
		m.Content = map[string]string{}
	}
	for _, e := range u.Entries {
		m.Content[e.Key] = string(e.Value)
	}
	for _, key := range u.Deleted {
		if _, known := m.Content[key]; !known {
			m.t.Errorf("told that %s is deleted, which it was never told of", key)
		}
		delete(m.Content, key)
	}
	m.Last = u
	return u
}

// Until reads on until ok.
func (m *Mirror) Until(what string, ok func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(Patience); !ok(); m.Next() {
		if time.Now().After(deadline) {
			m.t.Fatalf("waited in vain for: %s; content %v", what, m.Content)
		}
	}
}

// UntilHas reads on until a key has a value.
func (m *Mirror) UntilHas(key, value string) {
	m.t.Helper()
	m.Until(key+"="+value, func() bool { return m.Content[key] == value })
}

// SameAsList reads on until the watch shows what a list does, of the same store
// or another one.
func (m *Mirror) SameAsList(s store.Store, prefix string) {
	m.t.Helper()
	entries, err := s.List(Bounded(m.t, Patience), prefix)
	if err != nil {
		m.t.Fatal(err)
	}
	want := map[string]string{}
	for _, e := range entries {
		want[e.Key] = string(e.Value)
	}
	m.Until(fmt.Sprint("the content ", want), func() bool { return maps.Equal(m.Content, want) })
}
