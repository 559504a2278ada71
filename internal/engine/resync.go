package engine

import (
	"context"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// resync compares the replica with the store once a period, and starts a watch anew where they differ. Watches promise to show
// everything; this is for the day when one does not. It costs a few reads, whatever the number of jobs.
func (e *Engine) resync(ctx context.Context) {
	r := newResyncing(e)
	for {
		period := e.cfg.Resync
		sleep(ctx, period-period/10+e.random(period/5+1)) // spread, so that a fleet does not read at once
		if ctx.Err() != nil {
			return
		}
		for i, prefix := range watched {
			r.compare(ctx, i, prefix)
		}
		r.round++
		e.post(e.reviewEverything)
		e.post(e.beat)
	}
}

// compare doubts a watch that shows something else than a list, which was asked
// for at asOf. The list may be the older of the two; then the watch starts again
// for nothing, which is harmless.
func (e *Engine) compare(prefix string, entries []store.Entry, asOf time.Time) (same bool) {
	have := e.replica.entries[prefix]
	same = true
	ours := 0
	for _, entry := range entries {
		name, ok := layout.NameOf(prefix, entry.Key)
		if !ok {
			continue
		}
		ours++
		old, ok := have[name]
		same = same && ok && old.Version == entry.Version
	}
	same = same && ours == len(have)
	if !same {
		e.doubt(prefix)
		return false
	}
	e.meter.confirmed(prefix, asOf)
	return true
}

// reviewEverything decides again what to do with the shards of this instance, and with jobs that are not in order, from what
// is known; and reads again what could not be read, in case it was repaired, and what waits for others. Jobs in order without
// a shard here are left alone: nothing of them has changed.
func (e *Engine) reviewEverything() {
	for _, f := range []*faults{&e.records.faults, &e.docs.faults, &e.reading, &e.watching} {
		e.forgiveAbandoned(f)
	}
	for _, l := range []*lane{&e.records, &e.docs} {
		if len(l.faults.failing) == 0 {
			l.size.giveUp()
		}
	}
	for _, j := range e.jobs {
		if j.unplanned {
			e.suspect(j) // its strategy may have an answer by now
		}
		for _, s := range j.shards {
			if s.broken || s.blocked {
				s.known = false
			}
			e.mark(s)
		}
		if len(j.shards) > 0 || j.removed || j.spec == nil || j.assigned == nil || j.looksAround() {
			e.touch(j)
		}
	}
	e.selfChanged = true
	e.reviewSets()
	e.renewSets()
	e.lookAtAll()
}
