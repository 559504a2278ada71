package engine

import (
	"slices"
	"time"
)

// movement is an instance before and after a change: nil where it was or is not
// alive.
type movement struct{ old, now *peer }

// manyMovements is from how many on all jobs are looked at: a watch that starts
// shows the whole fleet.
const manyMovements = 8

// membershipChanged looks again at the jobs that a change of instances can move:
// those with a shard on an instance that may no longer own it, and, of those that
// this instance leads or stands in for, those that an instance may own now and
// could not before, or the reverse. The turns for what was suspect already begin
// again.
func (e *Engine) membershipChanged(moved []movement) {
	if len(moved) == 0 {
		return
	}
	for _, m := range moved {
		if m.old == nil && m.now != nil {
			e.arrived = time.Now()
		}
	}
	e.beginAgain()
	all := len(moved) >= manyMovements
	for _, j := range e.jobs {
		if j.looksAround() {
			e.touch(j)
		}
		concerns := func(m movement) bool { return e.concerns(m, j) }
		if all || slices.ContainsFunc(moved, concerns) {
			e.suspectAgain(j)
		}
	}
}

// isOwnMovement reports whether it is this instance that has moved: which jobs it
// leads, and for which it stands in, is another matter then.
func (e *Engine) isOwnMovement(m movement) bool {
	return m.old != nil && e.isMe(m.old.id) || m.now != nil && e.isMe(m.now.id)
}

// concerns reports whether the movement of an instance can move shards of a job.
func (e *Engine) concerns(m movement, j *job) bool {
	could := m.old != nil && m.old.mayOwn(j)
	can := m.now != nil && m.now.mayOwn(j)
	reweighed := could && can && m.old.Weight != m.now.Weight
	switch {
	case could == can && !reweighed:
		return false
	case e.isOwnMovement(m), j.assigned == nil, j.spec != nil && j.spec.Broadcast():
		return true
	case could && !can && slices.Contains(j.assigned.Owners, m.old.id):
		return true
	}
	// A strategy can give the shards of others otherwise, if there are more or
	// fewer instances.
	rank := e.rankFor(j)
	return rank >= 0 && rank < standIns
}

// looksAround reports whether what this instance does about a job depends on
// which others there are, and not only on the assignment: shards that the job no
// longer has are swept by its leader, and labels and predecessors that are
// missing are reported by one instance.
func (j *job) looksAround() bool {
	if j.assigned != nil && j.assigned.Surplus > len(j.assigned.Owners) {
		return true
	}
	return j.spec != nil && (len(j.spec.Requires) > 0 || len(j.spec.After) > 0)
}
