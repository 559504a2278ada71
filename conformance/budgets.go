package conformance

import (
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// budgets returns the cases that count messages to the servers, so that no
// driver becomes slower unseen.
func budgets() []testCase {
	need := []Fault{Wires, Budgets}
	return []testCase{
		{name: "BUD/Ops", run: budgetOps, needs: need},
		{name: "BUD/WatchChange", run: budgetWatch, needs: need},
		{name: "BUD/ForeignWrites", run: budgetForeign, needs: need},
		{name: "BUD/IdleInstance", run: budgetIdle, needs: need},
	}
}

// renewals is the largest number of messages that an idle driver with one
// session and n watches sends in a time, rounded up, plus one of each kind.
func renewals(b Budget, d time.Duration) int { return b.IdleMinute*int(d/time.Second+1)/60 + 4 }

// costs fails the case if n calls of f send more than allowed each. Renewals
// may come in between.
func (t *test) costs(w Wire, b Budget, what string, n, each int, f func(i int)) {
	t.Helper()
	before, start := w.Requests(), time.Now()
	for i := range n {
		f(i)
	}
	got, most := w.Requests()-before, n*each+renewals(b, time.Since(start))
	if got > most {
		t.Fatalf("%d times %s: %d requests, want %d each and %d in all at most", n, what, got, each, most)
	}
	t.Logf("%d times %s: %d requests, %d each allowed", n, what, got, each)
}

func budgetOps(t *test) {
	const n = 20
	c := t.open()
	w, b := t.wire(c), t.ns.(Budgeter).Budget()
	ss := c.session(0)
	c.do(ss, store.Create("d/k0", nil), store.Create("d/k1", nil), store.Create("d/k2", nil))
	c.get("d/k0")
	t.costs(w, b, "get", n, b.Get, func(int) { c.get("d/k0") })
	t.costs(w, b, "list of three keys", n, b.List, func(int) { c.list("d") })
	if t.caps.Digest {
		t.costs(w, b, "digest", n, b.Get, func(int) { c.digest("d") })
	}
	t.costs(w, b, "commit", n, b.Commit, func(i int) {
		c.do(ss, store.Set("d/k0", []byte(fmt.Sprint(i))), store.Set("d/k1", nil))
	})
	b.IdleMinute *= n // so many sessions are renewed now, one after the other
	t.costs(w, b, "new session", n, b.NewSession, func(int) { c.session(0) })
	t.costs(w, b, "watch start", n, b.WatchStart+1, func(int) { t.follow(c, "d").reset() })
}

func budgetWatch(t *test) {
	const n = 30
	writer, reader := t.open(), t.open()
	w, b := t.wire(reader), t.ns.(Budgeter).Budget()
	writer.do(nil, store.Create("d/k", nil))
	f := t.follow(reader, "d")
	f.untilEqual(writer.list("d"))
	t.costs(w, b, "a change that a watch tells", n, b.WatchChange, func(i int) {
		writer.do(nil, store.Set("d/k", []byte(fmt.Sprint(i))))
		f.untilEqual(writer.list("d"))
	})
}

// budgetForeign checks that writes elsewhere cost a watch nothing.
func budgetForeign(t *test) {
	const n = 100
	writer, reader := t.open(), t.open()
	w, b := t.wire(reader), t.ns.(Budgeter).Budget()
	writer.do(nil, store.Create("e/k", nil), store.Create("d/k", nil))
	f := t.follow(reader, "d")
	f.untilEqual(writer.list("d"))
	t.costs(w, b, "a change that no watch asks for", n, 0, func(i int) {
		writer.do(nil, store.Set("e/k", []byte(fmt.Sprint(i))))
		if i == n-1 {
			time.Sleep(300 * time.Millisecond) // a driver that polls does so now
		}
	})
	f.untilEqual(writer.list("d"))
}

// budgetIdle watches an idle instance for a quarter of a minute.
func budgetIdle(t *test) {
	const quarter = 15 * time.Second
	c := t.open()
	w, b := t.wire(c), t.ns.(Budgeter).Budget()
	ss := c.session(0)
	c.do(ss, store.CreateEphemeral("instances/me", nil), store.Create("jobs/k", nil), store.Create("signals/k", nil))
	for _, prefix := range []string{"instances", "jobs", "signals"} {
		f := t.follow(c, prefix)
		f.reset()
	}
	before := w.Requests()
	t.outlive("idle", ss, quarter)
	if got, most := w.Requests()-before, b.IdleMinute/4+2; got > most {
		t.Fatalf("an idle instance sent %d requests in %v, want %d a minute at most", got, quarter, b.IdleMinute)
	} else {
		t.Logf("an idle instance sent %d requests in %v", got, quarter)
	}
}
