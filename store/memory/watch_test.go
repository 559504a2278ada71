package memory_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

func TestCutWatchSaysStaleAndThenTheLastState(t *testing.T) {
	simulate(t, func(w world) {
		a, b := w.connect("a"), w.connect("b")
		w.commit(b, nil, store.Create("k", nil), store.Create("gone", nil))
		watch := w.watch(a, "")
		w.next(watch)
		a.Cut()
		w.commit(b, nil, store.Set("k", []byte("2")), store.Delete("gone"))
		if u := w.next(watch); !u.Stale || u.Reset || len(u.Entries)+len(u.Deleted) != 0 {
			t.Fatalf("cut: got %+v, want Stale and nothing else", u)
		}
		_, err := watch.Next(w.within(time.Minute))
		w.wantError(err, context.DeadlineExceeded)
		a.Heal()
		if u := w.next(watch); u.Stale || len(u.Entries) != 1 || string(u.Entries[0].Value) != "2" || fmt.Sprint(u.Deleted) != "[gone]" {
			t.Fatalf("healed: got %+v", u)
		}
		a.Cut()
		w.next(watch)
		a.Heal()
		if u := w.next(watch); u.Stale || len(u.Entries)+len(u.Deleted) != 0 {
			t.Fatalf("healed without a change: got %+v, want an empty Update", u)
		}
	})
}

func TestWatchThatFallsOffTheRingIsReset(t *testing.T) {
	for name, far := range map[string]func(w world, c *memory.Client){
		"commits": func(w world, c *memory.Client) {
			for range 2000 {
				w.commit(c, nil, store.Set("a/k", nil))
			}
		},
		"bytes": func(w world, c *memory.Client) {
			for range 20 {
				w.commit(c, nil, store.Set("a/k", make([]byte, 500<<10)))
			}
		},
		"compaction": func(w world, c *memory.Client) { w.server.Compact() },
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w world) {
				c := w.connect("a")
				w.commit(c, nil, store.Create("a/k", nil), store.Create("b/k", nil))
				watch := w.watch(c, "a")
				w.next(watch)
				far(w, c)
				if u := w.next(watch); !u.Reset || len(u.Entries) != 1 {
					t.Fatalf("got %+v, want a Reset with one entry", u)
				}
				w.commit(c, nil, store.Set("b/k", nil))
				w.commit(c, nil, store.Set("a/k", []byte("x")))
				if u := w.next(watch); u.Reset || len(u.Entries) != 1 || string(u.Entries[0].Value) != "x" {
					t.Fatalf("then: got %+v", u)
				}
			})
		})
	}
}

func TestSlowWatchLagsAndCoalesces(t *testing.T) {
	simulate(t, func(w world) {
		c := w.connect("a")
		w.commit(c, nil, store.Create("k", nil))
		watch := w.watch(c, "")
		w.next(watch)
		c.SlowWatches(10*time.Second, 0)
		start := time.Now()
		w.commit(c, nil, store.Set("k", []byte("1")))
		time.Sleep(time.Second)
		w.commit(c, nil, store.Set("k", []byte("2")))
		for i, want := range []string{"1", "2"} {
			u := w.next(watch)
			if at, due := time.Since(start), time.Duration(10+i)*time.Second; string(u.Entries[0].Value) != want || at != due || u.AsOf != start.Add(at-10*time.Second) {
				t.Fatalf("update %d: got %+v after %v, want %s after %v", i, u, at, want, due)
			}
		}
		c.SlowWatches(0, 10*time.Second)
		for i := range 10 {
			w.commit(c, nil, store.Set("k", []byte(fmt.Sprint(i))))
		}
		if u := w.next(watch); string(u.Entries[0].Value) != "9" {
			t.Fatalf("got %+v, want the last of ten", u)
		}
	})
}
