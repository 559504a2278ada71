package engine

import (
	"time"

	"github.com/elasticjob-go/elastic/observe"
)

// pause is the state of not asking a store that does not answer. Nothing is queued meanwhile: who wanted something decides
// anew when it is over, because what was right then may be wrong by then.
type pause struct {
	on      bool
	tries   int
	resumes []func() // what to do when it is over
}

// The first pause is short, for a store that changes its leader; the longest is below anybody's session.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// backoff returns how long to wait before the next try: a random part ("full jitter", so that a fleet does not come back all at
// once) of a time that doubles, but at least the half of it, so that nobody spins.
func (e *Engine) backoff(tries int) time.Duration {
	d := min(firstPause<<min(tries, 10), longestPause)
	return d/2 + e.cfg.Rand(d/2)
}

// troubled notes that the store failed, tells people once, and pauses.
func (e *Engine) troubled(what string, err error) {
	if e.pause.on {
		return
	}
	if e.pause.tries == 0 {
		e.emit(observe.Event{Kind: observe.Trouble, Shard: -1, Detail: what, Err: err})
	}
	e.pause.on = true
	e.after(e.backoff(e.pause.tries), func() {
		e.pause.on = false
		e.mendNow = true
		resumes := e.pause.resumes
		e.pause.resumes = nil
		for _, f := range resumes {
			f()
		}
	})
	e.pause.tries++
}

// recovered notes that the store answered.
func (e *Engine) recovered() {
	if e.pause.tries > 0 {
		e.pause.tries = 0
		e.emit(observe.Event{Kind: observe.Recovered, Shard: -1})
	}
}

// later calls f when the pause is over; at the next settling if there is none.
func (e *Engine) later(f func()) {
	if !e.pause.on {
		f()
		return
	}
	e.pause.resumes = append(e.pause.resumes, f)
}
