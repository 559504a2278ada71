package engine

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
)

// A job that does not run says why: once, not at each fire. Any part of the
// engine that finds such a reason calls startWait as often as it likes, and
// endWait when the reason is gone; observers get one Waiting event and later
// one WaitingOver. All of this belongs to the loop.

// wholeJob is the shard of a reason that concerns all of a job.
const wholeJob = -1

// reason is why a job or a shard does not run.
type reason struct {
	code string            // snake_case; keeps its meaning in later versions
	args map[string]string // the values that it is about; nil: none
	text string            // the same in English

	// patience is how long the reason must last before it is reported, so that
	// what passes by itself, as at a start, is not. Zero: it is reported at once.
	patience time.Duration

	since time.Time // when the wait began, by the monotonic clock; zero: now
}

// waitID identifies a wait. A job may wait for several reasons at a time, but
// for each code once.
type waitID struct {
	job   string
	shard int
	code  string
}

// wait is a reason that holds now.
type wait struct {
	reason
	since    time.Time // by the monotonic clock
	reported bool
	timer    *time.Timer // reports it after its patience
}

// startWait notes that a job, or a shard of it, waits for a reason. Called
// again with the same code and arguments it does nothing; with other arguments
// a reason that was reported is reported again.
func (e *Engine) startWait(job string, shard int, r reason) {
	id := waitID{job, shard, r.code}
	w := e.waits[id]
	if w == nil {
		w = &wait{reason: r, since: r.since}
		if w.since.IsZero() {
			w.since = time.Now()
		}
		e.waits[id] = w
		if r.patience > 0 {
			w.timer = e.after(r.patience, func() {
				if e.waits[id] == w {
					e.reportWait(id, w)
				}
			})
			return
		}
		e.reportWait(id, w)
		return
	}
	changed := !maps.Equal(w.args, r.args)
	w.reason = r
	if changed && w.reported {
		e.reportWait(id, w)
	}
}

func (e *Engine) reportWait(id waitID, w *wait) {
	w.reported = true
	e.emit(observe.Event{
		Kind:   observe.Waiting,
		Job:    id.job,
		Shard:  id.shard,
		Code:   id.code,
		Args:   maps.Clone(w.args),
		Detail: w.text,
	})
}

// endWait notes that a job, or a shard of it, no longer waits for the reason
// with this code. It does nothing if there was no such wait.
func (e *Engine) endWait(job string, shard int, code string) {
	id := waitID{job, shard, code}
	w := e.waits[id]
	if w == nil {
		return
	}
	delete(e.waits, id)
	if w.timer != nil {
		w.timer.Stop()
	}
	if !w.reported {
		return
	}
	e.emit(observe.Event{
		Kind:   observe.WaitingOver,
		Job:    id.job,
		Shard:  id.shard,
		Code:   id.code,
		Args:   maps.Clone(w.args),
		Took:   time.Since(w.since),
		Detail: "no longer: " + w.text,
	})
}

// endWaits ends all waits of a job with this instance's part in it.
func (e *Engine) endWaits(job string) {
	var ended []waitID
	for id := range e.waits {
		if id.job == job {
			ended = append(ended, id)
		}
	}
	slices.SortFunc(ended, func(a, b waitID) int {
		return cmp.Or(cmp.Compare(a.shard, b.shard), strings.Compare(a.code, b.code))
	})
	for _, id := range ended {
		e.endWait(id.job, id.shard, id.code)
	}
}

// settling is the patience with reasons that hold for a moment while instances
// start: a little more than it takes one to join.
const settling = 5 * time.Second

// explainNoInstance reports a job whose labels no live instance has. The oldest
// instance that has the job reports it, so that a fleet does so once.
func (e *Engine) explainNoInstance(j *job) {
	const code = "no_instance_with_labels"
	missing := e.me != nil && !j.removed && j.spec != nil && len(j.spec.Requires) > 0 &&
		e.isOldestOf(j) && !slices.ContainsFunc(e.replica.peers, func(p *peer) bool { return p.mayOwn(j) })
	if !missing {
		e.endWait(j.name, wholeJob, code)
		return
	}
	requires := labels(j.spec.Requires)
	e.startWait(j.name, wholeJob, reason{
		code:     code,
		args:     map[string]string{"requires": requires},
		text:     "the job requires the labels " + requires + ", and no live instance that has the job has them",
		patience: settling,
	})
}

// isOldestOf reports whether this instance is the oldest of those that have a
// job, whatever their labels.
func (e *Engine) isOldestOf(j *job) bool {
	for _, p := range e.replica.peers {
		if p.readable && p.State == layout.Up && p.Has(j.name) {
			return e.isMe(p.id)
		}
	}
	return false
}

// labels returns labels as text, in the order of their names.
func labels(of map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		all = append(all, name+"="+of[name])
	}
	return strings.Join(all, ", ")
}
