package conformance

import (
	"strconv"

	"github.com/elasticjob-go/elastic/store"
)

// watchFaults returns the cases for watches under faults: a watch survives
// faults of sessions, networks and servers, and then delivers the last state.
func watchFaults() []testCase {
	return []testCase{
		{name: "WAT/SessionIndependent", run: sessionIndependent, needs: []Fault{Expire}},
		{name: "WAT/StaleFlag", run: staleFlag, needs: []Fault{Cut}},
		{name: "WAT/ResumeAfterCut", run: resumeAfterCut, needs: []Fault{Cut}},
		{name: "WAT/Compacted", run: compacted, needs: []Fault{Compact}, alone: true},
		{name: "WAT/CompactedWhileCut", run: compactedWhileCut, needs: []Fault{Cut, Compact}, alone: true},
	}
}

func sessionIndependent(t *test) {
	writer, reader := t.open(), t.open()
	before := t.follow(reader, "d")
	before.reset()
	ss := reader.session(0)
	after := t.follow(reader, "d")
	after.reset()
	reader.do(ss, store.CreateEphemeral("d/eph", nil))
	writer.do(nil, store.Create("d/1", nil))
	t.expire(ss)
	t.wantDone("ended by the server", ss, ss.TTL()+slack, store.ErrSessionLost)
	writer.do(nil, store.Create("d/2", nil))
	t.eventually(t.expired(ss), "the key of the session is gone", func() bool { return len(writer.list("d")) == 2 })
	for _, f := range []*follower{before, after} {
		f.untilEqual(writer.list("d"))
	}
}

func staleFlag(t *test) {
	writer, reader := t.open(), t.open()
	writer.do(nil, store.Create("d/k", nil))
	f := t.follow(reader, "d")
	f.untilEqual(writer.list("d"))
	t.cut(reader)
	f.until("the watch that is cut off says so", func() bool { return f.stale })
	t.heal(reader)
	f.until("the watch says that it is well again, though nothing changed", func() bool { return !f.stale })
	f.untilEqual(writer.list("d"))
	writer.do(nil, store.Set("d/k", []byte("v")))
	f.untilEqual(writer.list("d"))
}

func resumeAfterCut(t *test) {
	writer, reader := t.open(), t.open()
	writer.do(
		nil,
		store.Create("d/stays", nil),
		store.Create("d/changes", nil),
		store.Create("d/goes", nil),
		store.Create("d/again", nil),
	)
	f := t.follow(reader, "d")
	f.untilEqual(writer.list("d"))
	t.cut(reader)
	writer.do(nil, store.Delete("d/goes"), store.Delete("d/again"))
	writer.do(nil, store.Create("d/again", nil), store.Create("d/new", nil))
	for i := range 100 {
		writer.do(nil, store.Set("d/changes", []byte(strconv.Itoa(i))), store.Create("d/blink", nil))
		writer.do(nil, store.Delete("d/blink"))
	}
	want := writer.list("d")
	t.heal(reader)
	f.untilEqual(want)
	writer.do(nil, store.Set("d/stays", []byte("v")))
	f.untilEqual(writer.list("d"))
}

func compacted(t *test) {
	c := t.open()
	c.do(nil, store.Create("d/k", nil), store.Create("d/goes", nil))
	f := t.follow(c, "d")
	f.untilEqual(c.list("d"))
	for i := range 20 {
		c.do(nil, store.Set("d/k", []byte(strconv.Itoa(i))))
	}
	c.do(nil, store.Delete("d/goes"))
	t.ns.(Compacter).Compact(t.TB)
	f.untilEqual(c.list("d"))
	after := t.follow(c, "d")
	after.untilEqual(c.list("d"))
	c.do(nil, store.Set("d/k", []byte("more")))
	f.untilEqual(c.list("d"))
	after.untilEqual(c.list("d"))
}

// The server may have discarded what a watch missed by the time it is back.
// Then the watch starts again and loses nothing.
func compactedWhileCut(t *test) {
	writer, reader := t.open(), t.open()
	writer.do(nil, store.Create("d/k", nil), store.Create("d/goes", nil))
	f := t.follow(reader, "d")
	f.untilEqual(writer.list("d"))
	t.cut(reader)
	writer.do(nil, store.Delete("d/goes"))
	for i := range 20 {
		writer.do(nil, store.Set("d/k", []byte(strconv.Itoa(i))))
	}
	f.until("the watch that is cut off says so", func() bool { return f.stale })
	t.ns.(Compacter).Compact(t.TB)
	want := writer.list("d")
	t.heal(reader)
	f.untilEqual(want)
	writer.do(nil, store.Set("d/k", []byte("more")))
	f.untilEqual(writer.list("d"))
}
