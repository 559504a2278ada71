package memory_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

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
