package engine

import (
	"errors"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// changedNow returns what a document says about a change by this instance.
func (e *Engine) changedNow() layout.Changed {
	by := e.cfg.Name
	if e.me != nil {
		by = e.me.id
	}
	return layout.Changed{By: by, At: e.cfg.Now(), Via: layout.ViaCode}
}

// writeSpec creates the job, with its first assignment if that is not nil, or
// writes its next revision, once at a time. The transaction that replaces a
// revision keeps it.
func (e *Engine) writeSpec(j *job, next layout.Job, first *layout.Assignment) {
	key := layout.JobKey(j.name)
	if e.me == nil || j.removed || j.writingSpec || j.awaits.has(key) {
		return
	}
	j.writingSpec = true
	at := j.specVersion
	m := &move{at: at, op: store.Create(key, next.Encode())}
	kept, assigned := "", layout.AssignmentKey(j.name)
	if first != nil {
		m.guards = []store.Cond{store.Exists(layout.InstanceKey(e.me.id))}
		m.also = []store.Op{store.Create(assigned, first.Encode())}
	}
	if j.doc != nil {
		m.op = store.Set(key, next.Encode())
		var value []byte
		var exists bool
		kept, value, exists = j.doc.Replaced(j.name)
		keep := store.Create(kept, value)
		if exists != j.keptOtherwise {
			keep = store.Set(kept, value)
		}
		m.also = []store.Op{keep}
	}
	me := e.me
	m.done = func(_ store.Version, err error) {
		j.writingSpec = false
		e.lookAgain(j) // the watch may have shown the job before this answer came
		j.overwritten = j.overwritten || err == nil
		if err == nil && first != nil {
			e.tellAssigned(j, *first)
			e.await(j, assigned, 0)
		}
		switch {
		case errors.Is(err, store.ErrConflict) && first != nil && conflictKey(err) == assigned:
			e.await(j, assigned, 0)
		case errors.Is(err, store.ErrConflict) && e.me == me && e.refused(j, m.guards, conflictKey(err)):
		case errors.Is(err, store.ErrConflict) && kept != "" && conflictKey(err) == kept:
			// A revision was deleted or written by hand: its key is there, or not,
			// against the rule.
			j.keptOtherwise = !j.keptOtherwise
			e.touch(j)
		case err == nil, errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrUnknown):
			e.await(j, key, at)
		default:
			e.touch(j)
		}
	}
	e.send(&e.docs, m)
}

// tellAbsence reports, once a call of Add, that a job of this instance is not in the namespace: an
// operator removed it, or it was moved. To add it, with Overwrite as well, does
// not bring it back.
func (e *Engine) tellAbsence(j *job) {
	if j.removed || j.absenceTold == j.specVersion {
		return
	}
	j.absenceTold = j.specVersion
	text := j.doc.Absence()
	if j.doc.State == layout.JobRemoved {
		text += "; to bring it back, restore it: elasticctl job restore " + j.name
	}
	e.emit(observe.Event{
		Kind:   observe.Removed,
		Job:    j.name,
		Shard:  wholeJob,
		Code:   absenceCode(j.doc.State),
		Args:   map[string]string{"by": j.doc.Changed.By, "why": j.doc.Changed.Why},
		Detail: text,
	})
}

// floor returns the floor of fences in the document of the job. Nothing begins
// under an assignment with a smaller one: records of the job may have been swept,
// and with them the fences that were given.
func (j *job) floor() uint64 {
	if j.doc == nil {
		return 0
	}
	return j.doc.Fences
}

// absenceCode returns the code of the reason for which a job is not here.
func absenceCode(s layout.JobState) string {
	switch s {
	case layout.JobMoved:
		return "moved_away"
	case layout.JobArriving:
		return "not_arrived"
	case layout.JobRefused:
		return "move_refused"
	}
	return "removed_by_operator"
}
