package memory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

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
