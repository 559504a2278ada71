package conformance

import (
	"errors"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// want fails the case unless err is one of the sentinels wanted; nil is one,
// too.
func (t *test) want(what string, err error, sentinels ...error) {
	t.Helper()
	for _, want := range sentinels {
		if errors.Is(err, want) {
			return
		}
	}
	t.Fatalf("%s: got error %v, want %v", what, err, sentinels)
}

// eventually fails the case unless cond holds within d. It polls: use a watch
// where there is one.
func (t *test) eventually(d time.Duration, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", d, what)
		}
	}
}

// wantConflict accepts a driver that can't name the key or the reason, but not
// one that names a wrong one.
func (t *test) wantConflict(what string, err error, key string, reason store.ConflictReason) {
	t.Helper()
	t.want(what, err, store.ErrConflict)
	var conflict *store.ConflictError
	if !errors.As(err, &conflict) {
		t.Fatalf("%s: got %v, want a *store.ConflictError", what, err)
	}
	if conflict.Key != "" && conflict.Key != key {
		t.Fatalf("%s: got a conflict on %q, want it on %q", what, conflict.Key, key)
	}
	if conflict.Reason != reason && conflict.Reason != store.Unclear {
		t.Fatalf("%s: got reason %q, want %q", what, conflict.Reason, reason)
	}
}

func (t *test) wantDone(what string, ss store.Session, within time.Duration, want error) {
	t.Helper()
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-ss.Done():
	case <-late.C:
		select {
		case <-ss.Done(): // both were ready
		default:
			t.Fatalf("%s: session is not done within %v", what, within)
		}
	}
	t.want(what+": session", ss.Err(), want)
}

// timed sends, when a session has ended, how long after its deadline that was.
func (t *test) timed(ss store.Session) <-chan time.Duration {
	after := make(chan time.Duration, 1)
	go func() {
		<-ss.Done() // when its store is closed, at the latest
		after <- time.Since(ss.Deadline())
	}()
	return after
}

// wantInTime fails the case if a session ended later after its deadline than a
// timer on a busy machine can.
func (t *test) wantInTime(after time.Duration) {
	t.Helper()
	const most = 500 * time.Millisecond
	if after > most {
		t.Fatalf("the session ended %v after its deadline, want %v at most", after, most)
	}
}

func (t *test) wantAlive(what string, ss store.Session) {
	t.Helper()
	select {
	case <-ss.Done():
		t.Fatalf("%s: session is done: %v", what, ss.Err())
	default:
	}
	if err := ss.Err(); err != nil {
		t.Fatalf("%s: session has error %v and is not done", what, err)
	}
}

// outlive fails the case if the session ends within d.
func (t *test) outlive(what string, ss store.Session, d time.Duration) {
	t.Helper()
	select {
	case <-ss.Done():
		t.Fatalf("%s: session is done: %v", what, ss.Err())
	case <-time.After(d):
		t.wantAlive(what, ss)
	}
	if left := time.Until(ss.Deadline()); left <= 0 {
		t.Fatalf("%s: not done %v after its deadline", what, -left)
	}
}
