package sessions

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// born returns a life with a first renewal, and counts its ends.
func born(t *testing.T) (l *Lifetime, ends *int) {
	ends = new(int)
	l = New(func(error) { *ends++ })
	l.Renewed(time.Now(), ttl)
	return l, ends
}

func TestLifetime_EndsMarginEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l, ends := born(t)
		go l.Watch(ttl)
		<-l.Context().Done()
		if got, want := time.Since(start), ttl-Margin(ttl); got != want {
			t.Errorf("ended after %v, want %v", got, want)
		}
		if l.Err() != store.ErrSessionLost || *ends != 1 {
			t.Errorf("ended %d times, with %v", *ends, l.Err())
		}
	})
}

func TestRenewed_CountsFromSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l, _ := born(t)
		time.Sleep(6 * time.Second) // virtual
		l.Renewed(start.Add(5*time.Second), ttl)
		if got := l.Deadline().Sub(start); got != 14*time.Second {
			t.Errorf("the deadline is at %v, want 14s", got)
		}
		l.Renewed(start.Add(time.Second), ttl)
		if got := l.Deadline().Sub(start); got != 14*time.Second {
			t.Errorf("a late answer has moved the deadline to %v", got)
		}
	})
}

func TestLifetime_NeverRevives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ends := born(t)
		time.Sleep(ttl) // virtual; no timer looks
		l.Renewed(time.Now(), ttl)
		if l.Err() != store.ErrSessionLost {
			t.Errorf("the life goes on: %v", l.Err())
		}
		l.End(errors.New("another reason"))
		if l.Err() != store.ErrSessionLost || *ends != 1 {
			t.Errorf("ended %d times, with %v", *ends, l.Err())
		}
	})
}

// Code of a process that stood still may run before its timers do.
func TestErr_ReadsClockItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := born(t)
		time.Sleep(ttl) // virtual
		select {
		case <-l.Done():
		default:
			t.Error("Done is open after the deadline")
		}
	})
}

// A machine that was suspended wakes with a wall clock that is past the
// deadline.
func TestSuspendedLifeIsOverOnWaking(t *testing.T) {
	l, _ := born(t)
	done := make(chan struct{})
	go func() { l.Watch(ttl); close(done) }()
	l.mu.Lock()
	l.deadline = l.deadline.Round(0).Add(-ttl) // what is left of it by the wall clock, which has moved on by the TTL
	l.mu.Unlock()
	<-done
	if l.Err() != store.ErrSessionLost {
		t.Errorf("got %v", l.Err())
	}
}

func TestDeadlinePassesByEitherClock(t *testing.T) {
	deadline := time.Now().Add(10 * time.Second)
	before, after := deadline.Add(-time.Second), deadline.Add(time.Second)
	for _, c := range []struct {
		name            string
		monotonic, wall time.Time
		want            bool
	}{
		{"awake, in time", before, before.Round(0), false},
		{"awake, too late", after, after.Round(0), true},
		{"suspended: the monotonic clock stood still", before, after.Round(0), true},
		{"the wall clock was set back", after, before.Round(0), true},
		{"at the deadline", deadline, deadline.Round(0), true},
	} {
		if got := passed(deadline, c.monotonic, c.wall); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
