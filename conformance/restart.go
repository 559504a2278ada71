package conformance

import (
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// restarts: a server that dies and comes back costs time, not truth. More
// faults of servers belong here: a leader that changes, a quorum that is lost,
// a disk that is full.
func restarts() []testCase {
	return []testCase{
		{name: "FLT/Restart", run: restart, needs: []Fault{Restart}, alone: true},
	}
}

// After a restart acknowledged keys are there and watches catch up. The session
// either lives with its keys or is over without them.
func restart(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(max(8*time.Second, 3*t.steady()))
	a.do(ss, store.CreateEphemeral("d/eph", nil), store.Create("d/lasting", []byte("v")))
	f := t.follow(b, "d")
	f.untilEqual(a.list("d"))
	t.ns.(Restarter).Restart(t.TB)
	t.eventually(patience, "both stores can be read after the restart", func() bool {
		_, err := a.Get(t.within(time.Second), "d/lasting")
		_, err2 := b.Get(t.within(time.Second), "d/lasting")
		return err == nil && err2 == nil
	})
	a.wantValue("d/lasting", "v")
	a.do(nil, store.Set("d/lasting", []byte("after")))
	b.wantValue("d/lasting", "after")
	t.wantAliveWithKeys(a, ss)
	f.untilEqual(b.list("d"))
}

// wantAliveWithKeys accepts a session that is alive and has its key, or is over
// and its key gone in time.
func (t *test) wantAliveWithKeys(c *client, ss store.Session) {
	t.Helper()
	if ss.Err() == nil {
		if got := c.get("d/eph").Owner; got != ss.ID() {
			t.Fatalf("the session lives, and its key is of %q", got)
		}
		t.outlive("after the restart", ss, ss.TTL()*5/4)
		return
	}
	t.eventually(t.expired(ss), "the key of the lost session is gone", func() bool { return len(c.list("d")) == 1 })
}
