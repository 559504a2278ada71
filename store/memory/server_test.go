package memory_test

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

func TestWeakVersionsStartAgain(t *testing.T) {
	simulate(t, func(w world) {
		c := w.connect("a")
		w.commit(c, nil, store.Create("k", nil))
		before, _ := c.Get(w.Context(), "k")
		w.commit(c, nil, store.Delete("k"))
		w.commit(c, nil, store.Create("k", nil))
		after, _ := c.Get(w.Context(), "k")
		if before.Version != after.Version || before.Created >= after.Created || c.Caps().StrongVersions {
			t.Fatalf("got %+v, then %+v", before, after)
		}
		w.commit(c, nil, store.Set("k", nil))
		if now, _ := c.Get(w.Context(), "k"); now.Version == after.Version {
			t.Fatalf("Set left version %d", now.Version)
		}
	}, memory.WeakVersions())
}

func TestTornListIsNoPointInTime(t *testing.T) {
	simulate(t, func(w world) {
		c := w.connect("a")
		w.commit(c, nil, store.Create("d/a", nil), store.Create("d/z", nil))
		time.AfterFunc(time.Second/2, func() { w.commit(c, nil, store.Set("d/a", []byte("new")), store.Set("d/z", []byte("new"))) })
		got, err := c.List(w.Context(), "d")
		w.wantError(err, nil)
		if len(got) != 2 || string(got[0].Value) != "" || string(got[1].Value) != "new" {
			t.Fatalf("got %v, want old a and new z", got)
		}
	}, memory.TornLists(1, time.Second))
}
