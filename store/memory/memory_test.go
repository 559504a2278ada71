package memory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// world is a server with clients that are closed at the end of the test.
type world struct {
	*testing.T
	server *memory.Server
}

// simulate runs f in a bubble, with the bubble's time.
func simulate(t *testing.T, f func(w world), options ...memory.Option) {
	vtime.Test(t, func(t *testing.T) { f(world{t, memory.NewServer(options...)}) })
}

func (w world) connect(name string) *memory.Client {
	c := w.server.Connect(name)
	w.Cleanup(func() { c.Heal(); c.OnRequest(nil); c.Close(context.Background()) })
	return c
}

func (w world) session(c *memory.Client, ttl time.Duration) store.Session {
	w.Helper()
	ss, err := c.NewSession(w.Context(), store.SessionOptions{TTL: ttl})
	if err != nil {
		w.Fatalf("new session: %v", err)
	}
	return ss
}

func (w world) watch(c *memory.Client, prefix string) store.Watch {
	w.Helper()
	watch, err := c.Watch(w.Context(), prefix)
	if err != nil {
		w.Fatalf("watch %q: %v", prefix, err)
	}
	return watch
}

func (w world) commit(c *memory.Client, ss store.Session, do ...store.Op) {
	w.Helper()
	if _, err := c.Commit(w.Context(), store.Txn{Session: ss, Do: do}); err != nil {
		w.Fatalf("commit %v: %v", do, err)
	}
}

func (w world) next(watch store.Watch) store.Update {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	u, err := watch.Next(ctx)
	if err != nil {
		w.Fatalf("next: %v", err)
	}
	return u
}

func (w world) wantError(got, want error) {
	w.Helper()
	if !errors.Is(got, want) {
		w.Fatalf("error: got %v, want %v", got, want)
	}
}

// wantDump compares what the server holds, as key=value.
func (w world) wantDump(want ...string) {
	w.Helper()
	var got []string
	for _, e := range w.server.Dump() {
		got = append(got, fmt.Sprintf("%s=%s", e.Key, e.Value))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.Fatalf("store: got %v, want %v", got, want)
	}
}

// within returns a context with a timeout.
func (w world) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), d)
	w.Cleanup(cancel)
	return ctx
}

func TestSessionIsRenewedWhileItsClientLives(t *testing.T) {
	simulate(t, func(w world) {
		c := w.connect("a")
		ss := w.session(c, 10*time.Second)
		w.commit(c, ss, store.CreateEphemeral("k", nil))
		time.Sleep(24 * time.Hour)
		if ss.Err() != nil || !time.Now().Before(ss.Deadline()) {
			t.Fatalf("after a day: err %v, deadline in %v", ss.Err(), time.Until(ss.Deadline()))
		}
		w.wantDump("k=")
	})
}

func TestCutOffSessionIsDoneBeforeTheServerEndsIt(t *testing.T) {
	simulate(t, func(w world) {
		c := w.connect("a")
		ss := w.session(c, 9*time.Second)
		w.commit(c, ss, store.CreateEphemeral("k", nil))
		time.Sleep(4 * time.Second) // one renewal, sent at 3 s
		c.Cut()
		<-ss.Done()
		synctest.Wait()
		w.wantError(ss.Err(), store.ErrSessionLost)
		w.wantDump("k=")
		time.Sleep(time.Until(ss.Deadline().Add(time.Second))) // the margin
		synctest.Wait()
		w.wantDump()
	})
}

func TestHealBeforeTheDeadlineSavesTheSession(t *testing.T) {
	simulate(t, func(w world) {
		c := w.connect("a")
		ss := w.session(c, 9*time.Second)
		w.commit(c, ss, store.CreateEphemeral("k", nil))
		c.Cut()
		time.Sleep(7 * time.Second)
		c.Heal()
		time.Sleep(time.Minute)
		w.wantError(ss.Err(), nil)
		w.wantDump("k=")
	})
}

func TestExpiryByHandTellsTheClientAtOnce(t *testing.T) {
	simulate(t, func(w world) {
		c := w.connect("a")
		ss := w.session(c, time.Minute)
		w.commit(c, ss, store.CreateEphemeral("k", nil), store.Create("stays", nil))
		if !w.server.ExpireSession(ss.ID()) || w.server.ExpireSession(ss.ID()) {
			t.Fatal("want the session to be held once, and not twice")
		}
		<-ss.Done()
		w.wantError(ss.Err(), store.ErrSessionLost)
		w.wantDump("stays=")
		_, err := c.Commit(w.Context(), store.Txn{Session: ss, Do: []store.Op{store.Create("late", nil)}})
		w.wantError(err, store.ErrSessionLost)
	})
}

func TestCrashLeavesKeysToTheTTL(t *testing.T) {
	simulate(t, func(w world) {
		c := w.connect("a")
		ss := w.session(c, 9*time.Second)
		w.commit(c, ss, store.CreateEphemeral("k", nil))
		watch := w.watch(c, "")
		w.next(watch)
		c.Crash()
		_, err := c.Get(w.Context(), "k")
		w.wantError(err, store.ErrClosed)
		_, err = watch.Next(w.Context())
		w.wantError(err, store.ErrClosed)
		w.wantError(c.Close(w.Context()), nil)
		time.Sleep(8 * time.Second)
		w.wantDump("k=")
		time.Sleep(time.Second + 1)
		w.wantDump()
	})
}

func TestCrashBeforeAndAfterTheNthWrite(t *testing.T) {
	for _, after := range []bool{false, true} {
		simulate(t, func(w world) {
			c := w.connect("a")
			ss := w.session(c, 9*time.Second)
			c.OnRequest(func(r memory.Request) memory.Fault {
				switch {
				case r.Kind != memory.Transact || r.N != 2:
					return memory.Fault{}
				case after:
					return memory.Fault{AfterApply: c.Crash}
				default:
					return memory.Fault{BeforeApply: c.Crash}
				}
			})
			w.commit(c, ss, store.Create("1", nil))
			_, err := c.Commit(w.Context(), store.Txn{Session: ss, Do: []store.Op{store.Create("2", nil)}})
			if after {
				w.wantError(err, store.ErrSessionLost) // may have been applied
				w.wantDump("1=", "2=")
				return
			}
			w.wantError(err, store.ErrClosed)
			w.wantDump("1=")
		})
	}
}

func TestLostReplyIsSettledBeforeItIsReported(t *testing.T) {
	txn := func(ss store.Session) store.Txn {
		return store.Txn{Session: ss, Do: []store.Op{store.Create("k", nil)}}
	}
	for _, row := range []struct {
		name    string
		fault   memory.Fault
		want    error
		applied bool // when Commit returns
		later   bool // when all that was under way has arrived
	}{
		{"request lost", memory.Fault{LoseRequest: true}, store.ErrUnknown, false, false},
		{"reply lost", memory.Fault{LoseReply: true}, store.ErrUnknown, true, true},
		{"connection broken before", memory.Fault{LoseRequest: true, Broken: true}, store.ErrUnknown, false, false},
		{"connection broken after", memory.Fault{LoseReply: true, Broken: true}, store.ErrUnknown, true, true},
		{"reply too late", memory.Fault{After: time.Minute}, store.ErrUnknown, true, true},
		{"request too late", memory.Fault{Late: time.Minute}, store.ErrUnknown, false, false},
		{"request a little late", memory.Fault{Late: time.Second}, nil, true, true},
		{"request not sent in time", memory.Fault{Before: time.Minute}, store.ErrUnavailable, false, false},
		{"refused", memory.Fault{Refuse: true}, store.ErrUnavailable, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			simulate(t, func(w world) {
				c := w.connect("a")
				ss := w.session(c, 10*time.Second)
				c.OnRequest(func(r memory.Request) memory.Fault {
					if r.Kind == memory.Transact && r.N == 1 {
						return row.fault
					}
					return memory.Fault{}
				})
				_, err := c.Commit(w.within(3*time.Second), txn(ss))
				w.wantError(err, row.want)
				present := func() bool { return len(w.server.Dump()) == 1 }
				if present() != row.applied {
					t.Fatalf("on return: applied %v, want %v", present(), row.applied)
				}
				time.Sleep(2 * time.Minute)
				if present() != row.later {
					t.Fatalf("later: applied %v, want %v", present(), row.later)
				}
				w.commit(c, ss, store.Create("the session lives", nil))
			})
		})
	}
}

func TestLateTransactionWithoutSessionIsApplied(t *testing.T) {
	simulate(t, func(w world) {
		c := w.connect("a")
		c.OnRequest(func(memory.Request) memory.Fault { return memory.Fault{Late: 5 * time.Second} })
		_, err := c.Commit(w.within(time.Second), store.Txn{Do: []store.Op{store.Create("k", nil)}})
		w.wantError(err, store.ErrUnknown)
		w.wantDump()
		time.Sleep(5 * time.Second)
		w.wantDump("k=")
	})
}

func TestLateTransactionCanLandUntilTheServerEndsTheSession(t *testing.T) {
	for late, want := range map[time.Duration]int{8500 * time.Millisecond: 1, 9500 * time.Millisecond: 0} {
		simulate(t, func(w world) {
			c := w.connect("a")
			ss := w.session(c, 9*time.Second)
			c.OnRequest(func(r memory.Request) memory.Fault {
				if r.Kind != memory.Transact {
					return memory.Fault{}
				}
				return memory.Fault{Late: late, BeforeApply: c.Cut}
			})
			_, err := c.Commit(w.within(time.Second), store.Txn{Session: ss, Do: []store.Op{store.Create("k", nil)}})
			w.wantError(err, store.ErrSessionLost)
			if until := time.Until(ss.Deadline()); until > 0 {
				t.Fatalf("gave up %v before the deadline", until)
			}
			time.Sleep(time.Minute)
			if got := len(w.server.Dump()); got != want {
				t.Fatalf("%v late: %d keys, want %d", late, got, want)
			}
		})
	}
}

func TestTransactionsBesideASealedOneGoThrough(t *testing.T) {
	simulate(t, func(w world) {
		c := w.connect("a")
		ss := w.session(c, 10*time.Second)
		c.OnRequest(func(r memory.Request) memory.Fault {
			switch {
			case r.Kind == memory.Transact && r.N == 1:
				return memory.Fault{LoseReply: true, Broken: true}
			case r.Kind == memory.Transact && r.N <= 10:
				return memory.Fault{Before: time.Second} // overtaken by the seal
			case r.Kind == memory.Seal:
				return memory.Fault{After: 400 * time.Millisecond, LoseReply: r.N < 3}
			default:
				return memory.Fault{}
			}
		})
		errs := make(chan error)
		for i := range 10 {
			go func() {
				_, err := c.Commit(w.within(9*time.Second), store.Txn{Session: ss, Do: []store.Op{store.Create(fmt.Sprint(i), nil)}})
				errs <- err
			}()
		}
		unknown := 0
		for range 10 {
			if err := <-errs; errors.Is(err, store.ErrUnknown) {
				unknown++
			} else if err != nil {
				t.Error(err)
			}
		}
		if got := len(w.server.Dump()); unknown != 1 || got != 10 {
			t.Fatalf("got %d unknown and %d keys, want 1 and 10", unknown, got)
		}
	})
}

func TestCutCallWaitsForHealOrItsContext(t *testing.T) {
	simulate(t, func(w world) {
		c := w.connect("a")
		c.Cut()
		_, err := c.Get(w.within(time.Second), "k")
		w.wantError(err, store.ErrUnavailable)
		w.wantError(err, context.DeadlineExceeded)
		time.AfterFunc(time.Second, c.Heal)
		_, err = c.Get(w.within(2*time.Second), "k")
		w.wantError(err, store.ErrNotFound)
	})
}

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

func TestHistoryTellsAllCommitsInOrder(t *testing.T) {
	simulate(t, func(w world) {
		var got []string
		w.server.OnCommit(func(c memory.Commit) {
			keys := ""
			for _, op := range c.Do {
				keys += " " + op.Key
			}
			got = append(got, fmt.Sprintf("%d %s %s %s%s", c.Rev, c.Client, c.Session, c.Cause, keys))
			w.server.Dump() // a hook may read
		})
		a, b := w.connect("a"), w.connect("b")
		s1, s2 := w.session(a, 3*time.Second), w.session(b, 3*time.Second)
		w.commit(a, s1, store.CreateEphemeral("x", nil), store.CreateEphemeral("y", nil))
		w.commit(b, nil, store.Create("z", nil))
		s2.Close(w.Context())
		a.Cut()
		time.Sleep(4 * time.Second)
		synctest.Wait()
		want := []string{"1 a s1 started", "2 b s2 started", "3 a s1 committed x y", "4 b  committed z", "5 b s2 ended", "6 a s1 expired x y"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	})
}

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

func TestURLsShareAServerUntilTheLastIsClosed(t *testing.T) {
	open := func(url string) *store.Portable {
		s, err := store.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b, other := open("memory://h/ns"), open("memory://h/ns"), open("memory://h/ns2")
	defer other.Close(t.Context())
	if _, err := a.Commit(t.Context(), store.Txn{Do: []store.Op{store.Create("k", nil)}}); err != nil {
		t.Fatal(err)
	}
	a.Close(t.Context())
	if _, err := b.Get(t.Context(), "k"); err != nil {
		t.Fatalf("second client: %v", err)
	}
	if _, err := other.Get(t.Context(), "k"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("other namespace: %v", err)
	}
	b.Close(t.Context())
	b.Close(t.Context())
	c := open("memory://h/ns")
	defer c.Close(t.Context())
	if _, err := c.Get(t.Context(), "k"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("after the last Close: %v", err)
	}
}
