package sessions

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

const ttl = 10 * time.Second

var errBroken = errors.New("the connection is broken")

// alive is a session that lives for a TTL, and its guard at version 1.
func alive() (*Guard[int], *Lifetime) {
	life := New(func(error) {})
	life.Renewed(time.Now(), ttl)
	g := &Guard[int]{}
	g.Store(1)
	return g, life
}

// further is a store that moves the marker.
func further(from int) (int, error) { return from + 1, nil }

func TestSeal_MovesMarker(t *testing.T) {
	g, life := alive()
	at, err := g.Seal(life, ttl, 1, further)
	storetest.Equal(t, "error", err, nil)
	storetest.Equal(t, "the marker", at, 2)
	storetest.Equal(t, "the guard", g.Load(), 2)
	storetest.Equal(t, "the session's end", life.Err(), nil)
}

func TestSeal_TriesUntilAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, life := alive()
		attempts := 0
		at, err := g.Seal(life, ttl, 1, func(from int) (int, error) {
			if attempts++; attempts < 5 {
				return 0, errBroken
			}
			return further(from)
		})
		if at != 2 || err != nil || attempts != 5 {
			t.Errorf("got %d, %v after %d attempts", at, err, attempts)
		}
	})
}

// The session's end does what the seal would have done: the store ends it, too,
// before another client goes on.
func TestSeal_UnacknowledgedEndsWithSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, life := alive()
		began := time.Now()
		go life.Watch(ttl)
		_, err := g.Seal(life, ttl, 1, func(int) (int, error) { return 0, errBroken })
		storetest.WantError(t, err, store.ErrSessionLost)
		storetest.WantError(t, life.Err(), store.ErrSessionLost)
		storetest.Equal(t, "given up after", time.Since(began), ttl-Margin(ttl))
	})
}

func TestSeal_MissingMarkerEndsSession(t *testing.T) {
	g, life := alive()
	attempts := 0
	_, err := g.Seal(life, ttl, 1, func(int) (int, error) {
		attempts++
		return 0, fmt.Errorf("%w: no such key", store.ErrSessionLost)
	})
	storetest.WantError(t, err, store.ErrSessionLost)
	storetest.WantError(t, life.Err(), store.ErrSessionLost)
	storetest.Equal(t, "attempts", attempts, 1)
}

func TestSeal_RefusedAfterSession(t *testing.T) {
	g, life := alive()
	life.End(store.ErrClosed)
	_, err := g.Seal(life, ttl, 1, func(int) (int, error) { t.Error("tried"); return 0, nil })
	storetest.WantError(t, err, store.ErrSessionLost)
	storetest.WantError(t, life.Err(), store.ErrClosed)
}

func TestSeal_OneWriteServesSameVersion(t *testing.T) {
	g, life := alive()
	const transactions = 10
	var began, ended sync.WaitGroup
	began.Add(transactions)
	writes := 0
	for range transactions {
		ended.Go(func() {
			began.Done()
			at, err := g.Seal(life, ttl, 1, func(from int) (int, error) {
				writes++
				began.Wait()
				return further(from)
			})
			if at != 2 || err != nil {
				t.Errorf("got %d, %v", at, err)
			}
		})
	}
	ended.Wait()
	storetest.Equal(t, "writes", writes, 1)
}

func TestSeal_LearnedVersionCounts(t *testing.T) {
	g, life := alive()
	attempts := 0
	at, err := g.Seal(life, ttl, 1, func(from int) (int, error) {
		attempts++
		g.Learn(from, 7) // by a transaction that was refused: the store has done it, and the answer is lost
		return 0, errBroken
	})
	if at != 7 || err != nil || attempts != 1 {
		t.Errorf("got %d, %v after %d attempts", at, err, attempts)
	}
}

func TestLearn_LateChangesNothing(t *testing.T) {
	g, life := alive()
	if _, err := g.Seal(life, ttl, 1, further); err != nil {
		t.Fatal(err)
	}
	g.Learn(1, 9) // of a transaction that was conditional on what was known before
	storetest.Equal(t, "the guard", g.Load(), 2)
	g.Learn(2, 3)
	storetest.Equal(t, "the guard", g.Load(), 3)
}
