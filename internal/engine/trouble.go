package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// A store can fail in one place and work in all others: one key that it does
// not take, one watch that it refuses. So each thing that failed has its own
// pause, and a success elsewhere ends neither the pause nor the alarm.

// faults are the things of one kind that failed and have not worked since, such
// as the keys that a lane writes.
type faults struct {
	failing map[string]*fault // by subject
	row     int               // failures since anything of the kind worked
	until   time.Time         // what failed is not tried before, by row
}

// fault is one thing that failed and has not worked since.
type fault struct {
	tries    int
	until    time.Time // it is not tried before
	refused  bool      // the store will take it neither now nor later
	incident *incident
}

// incident is what one alarm is about. It is over when all that belongs to it
// has worked again.
type incident struct {
	job      string // empty: several jobs, or none
	text     string // its code, and what failed
	subjects int
}

// The first pause is short, for a store that changes its leader; the longest is
// below the TTL of a session.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// backoff returns how long to wait before the next try: a random part of a time
// that doubles with each try, so that a fleet does not come back all at once,
// but at least the half of it, so that no loop spins.
func (e *Engine) backoff(tries int) time.Duration {
	d := min(firstPause<<min(tries, 10), longestPause)
	return d/2 + e.random(d/2)
}

// random returns a random duration from zero up to most.
func (e *Engine) random(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return min(max(e.cfg.Rand(most), 0), most)
}

// troubled notes that things of one kind failed together, and returns how long to
// wait before they are tried again. ev has what the alarm says; it is raised
// once, until all of them work again. What fails while nothing of the store has
// worked since the last failure belongs to the alarm that was raised then.
func (e *Engine) troubled(f *faults, subjects []string, ev observe.Event) time.Duration {
	if e.failed != nil {
		return longestPause
	}
	tries, known := 0, (*incident)(nil)
	for _, s := range subjects {
		if x := f.failing[s]; x != nil {
			tries, known = max(tries, x.tries), x.incident
		}
	}
	switch {
	case known != nil:
	case e.latest != nil && e.latest.subjects > 0 && !e.answered:
		known = e.latest
		if known.job != ev.Job {
			known.job = ""
		}
	default:
		known = &incident{job: ev.Job}
		ev.Kind, ev.Shard = observe.Trouble, -1
		ev.Code = storeCode(ev.Err)
		known.text = ev.Code + ": " + ev.Detail
		e.emit(ev)
	}
	e.latest, e.answered = known, false
	pause := max(e.backoff(tries), e.backoff(f.row))
	if refusal(ev.Err) {
		pause = longestPause // it says nothing about other things of the kind
	} else {
		f.row++
		f.until = time.Now().Add(pause)
	}
	if f.failing == nil {
		f.failing = map[string]*fault{}
	}
	for _, s := range subjects {
		x := f.failing[s]
		if x == nil {
			x = &fault{incident: known}
			known.subjects++
			f.failing[s] = x
		}
		x.tries = tries + 1
		x.refused = refusal(ev.Err)
		x.until = time.Now().Add(pause)
	}
	return pause
}

// worked notes that the store did what was asked of it for some subjects.
func (e *Engine) worked(f *faults, subjects ...string) {
	f.row, f.until = 0, time.Time{}
	e.answered = true
	for _, s := range subjects {
		e.forgive(f, s)
	}
}

// forgive forgets that a subject failed, and ends its alarm if it was the last.
func (e *Engine) forgive(f *faults, subject string) {
	x := f.failing[subject]
	if x == nil {
		return
	}
	delete(f.failing, subject)
	x.incident.subjects--
	if x.incident.subjects == 0 {
		e.emit(observe.Event{Kind: observe.Recovered, Job: x.incident.job, Shard: -1})
	}
}

// forgiveAbandoned forgets what failed and is not tried any more, such as the
// record of a shard that another instance has now.
func (e *Engine) forgiveAbandoned(f *faults) {
	for _, s := range slices.Sorted(maps.Keys(f.failing)) {
		if time.Since(f.failing[s].until) > abandonedAfter {
			e.forgive(f, s)
		}
	}
}

// abandonedAfter is well above the longest pause and the time that a try may
// take.
const abandonedAfter = time.Minute

// tries returns how often a subject failed since it last worked.
func (f *faults) tries(subject string) int {
	if x := f.failing[subject]; x != nil {
		return x.tries
	}
	return 0
}

// ended reports whether an error says that the store has ended for good. Not
// for commits: there ErrClosed can be the session's.
func ended(err error) bool {
	return errors.Is(err, store.ErrEnded) || errors.Is(err, store.ErrClosed) && !errors.Is(err, store.ErrSessionLost)
}

// end ends the engine because its store has ended for good: nothing that it
// does can be recorded any more, and waiting does not help. Handlers are told
// at once, and get the grace time to return.
func (e *Engine) end(err error) {
	if e.failed != nil {
		return
	}
	e.emit(observe.Event{Kind: observe.Trouble, Shard: -1, Code: "store_ended", Detail: "the store has ended, and so does this instance", Err: err})
	e.failed = fmt.Errorf("run on a store that has ended: %w", err)
	e.evicted("store_ended", "the store has ended")
	e.drain.on, e.drain.told, e.drain.late = true, true, false
	for _, s := range e.inHandlers() {
		e.cancelRun(s.run, ErrSessionLost)
	}
	e.after(e.cfg.Grace, func() { e.drain.over = true })
}
