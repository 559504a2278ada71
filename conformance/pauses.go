package conformance

import (
	"errors"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// pauses: a server that stands still costs time, not truth.
func pauses() []testCase {
	return []testCase{
		{name: "FLT/PausedServer", run: pausedServer, needs: []Fault{Pause}, alone: true},
		{name: "FLT/RestartUnderLoad", run: restartUnderLoad, needs: []Fault{Restart}, alone: true},
	}
}

// Calls end in time while the server stands still, and the session that it
// can't renew then ends by the holder's own clock.
func pausedServer(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(t.brief())
	a.do(ss, store.CreateEphemeral("d/eph", nil), store.Create("d/lasting", []byte("v")))
	f := t.follow(b, "d")
	f.untilEqual(a.list("d"))
	p, ended := t.ns.(Pauser), t.timed(ss)
	p.Pause(t.TB)
	t.Cleanup(func() { p.Resume(t.TB) })
	const bound = 200 * time.Millisecond
	var outcomes []outcome
	for i := range 3 {
		since := time.Now()
		_, err := a.Get(t.within(bound), "d/lasting")
		t.want("get from a server that stands still", err, store.ErrUnavailable)
		if took := time.Since(since); took > bound+slack {
			t.Fatalf("get took %v, want %v at most", took, bound)
		}
		key := fmt.Sprintf("d/%d", i)
		_, err = b.Commit(t.within(bound), store.Txn{Do: []store.Op{store.Create(key, nil)}})
		t.want("commit to a server that stands still", err, store.ErrUnavailable, store.ErrUnknown)
		outcomes = append(outcomes, outcome{key: key, err: err})
	}
	t.wantDone("the server stands still", ss, ss.TTL()+slack, store.ErrSessionLost)
	t.wantInTime(<-ended)
	_, err := a.Commit(t.ctx(), store.Txn{Session: ss, Do: []store.Op{store.Set("d/lasting", []byte("late"))}})
	t.want("commit in a session that is over", err, store.ErrSessionLost)
	p.Resume(t.TB)
	t.eventually(patience, "both stores can be read again", func() bool {
		_, err := a.Get(t.within(time.Second), "d/lasting")
		_, err2 := b.Get(t.within(time.Second), "d/lasting")
		return err == nil && err2 == nil
	})
	a.wantValue("d/lasting", "v")
	t.eventually(t.expired(ss)+t.caps.ExpiryLag, "the key of the lost session is gone", func() bool {
		_, err := b.Get(t.ctx(), "d/eph")
		return err != nil
	})
	now := map[string]bool{}
	for _, e := range b.list("d") {
		now[e.Key] = true
	}
	for _, o := range outcomes {
		if errors.Is(o.err, store.ErrUnavailable) && now[o.key] {
			t.Fatalf("%s was not applied, says %v, and is there", o.key, o.err)
		}
	}
	f.untilEqual(b.list("d"))
	next := a.session(t.brief())
	a.do(next, store.Set("d/lasting", []byte("after")))
	f.untilEqual(b.list("d"))
}

// The server is killed and started while transactions run: each outcome is
// true, and nothing that was acknowledged is lost.
func restartUnderLoad(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(max(15*time.Second, 3*t.steady()))
	const n = 200
	var outcomes []outcome
	restarted := make(chan struct{})
	started := make(chan struct{})
	go func() {
		defer close(restarted)
		<-started
		t.ns.(Restarter).Restart(t.TB)
	}()
	running := true
	for i := 0; i < n && (running || i < 20); i++ {
		key := fmt.Sprintf("d/%03d", i)
		_, err := a.Commit(t.within(2*time.Second), store.Txn{Session: ss, Do: []store.Op{store.Create(key, nil)}})
		outcomes = append(outcomes, outcome{key: key, err: err})
		if i == 5 {
			close(started)
		}
		select {
		case <-restarted:
			running = false
		default:
		}
	}
	<-restarted
	t.eventually(patience, "the store can be read after the restart", func() bool {
		_, err := b.List(t.within(time.Second), "d")
		return err == nil
	})
	now := map[string]bool{}
	for _, e := range b.list("d") {
		now[e.Key] = true
	}
	for i, o := range outcomes {
		outcomes[i].there = now[o.key]
	}
	if ss.Err() != nil { // it could not be settled, and says so
		kept := outcomes[:0]
		for _, o := range outcomes {
			if o.err == nil {
				kept = append(kept, o)
			}
		}
		outcomes = kept
	}
	t.wantTrue(b, "d", outcomes)
}
