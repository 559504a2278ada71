package engine

import (
	"container/heap"
	"slices"
	"strings"
	"time"
)

// A job is suspect when it may be missing in the store, or its assignment wrong.
// The leader looks at it at once, the instance after it when the leader has had
// its time, and so on. Suspicion begins again when the leader has written
// something, and when the membership changes: otherwise an instance whose turn
// has come by another leader's delay would act together with the new one.

// suspicion is why, and when, a job is looked at.
type suspicion struct {
	since time.Time // when it began, or began again; zero: the job is not suspect
	first time.Time // when it began
	due   time.Time // when the job is looked at
	place int       // among the suspects that are looked at by time, from 1; 0: it waits for an answer
}

// beganAgainMost bounds for how long changes of membership can delay a turn: in a
// fleet in which instances come and go all the time, jobs are looked at all the
// same.
const beganAgainMost = 10

// suspects are the suspicious jobs, by the time at which they are looked at.
type suspects struct {
	byTime []*job
	all    map[*job]bool // those that wait for an answer as well
}

// suspect notes that a job may be missing, or its assignment wrong.
func (e *Engine) suspect(j *job) {
	now := time.Now()
	if j.suspicion.since.IsZero() {
		j.suspicion.since, j.suspicion.first = now, now
		e.suspects.all[j] = true
	}
	e.suspects.set(j, now)
}

// suspectAgain is suspect for a change after which the turns begin again.
func (e *Engine) suspectAgain(j *job) {
	e.suspect(j)
	j.suspicion.since = time.Now()
}

// suspectAnew is suspect for what has nothing to do with what came before.
func (e *Engine) suspectAnew(j *job) {
	e.suspectAgain(j)
	j.suspicion.first = j.suspicion.since
}

// unsuspect ends the suspicion.
func (e *Engine) unsuspect(j *job) {
	e.suspects.remove(j)
	delete(e.suspects.all, j)
	j.suspicion = suspicion{}
}

// lookAgain has a suspect job looked at now, because an answer has come.
func (e *Engine) lookAgain(j *job) {
	if !j.suspicion.since.IsZero() {
		e.suspects.set(j, time.Now())
	}
}

// lookAtAll has all suspect jobs looked at now.
func (e *Engine) lookAtAll() {
	for j := range e.suspects.all {
		e.lookAgain(j)
	}
}

// beginAgain has the turns for all suspect jobs begin again.
func (e *Engine) beginAgain() {
	now := time.Now()
	for j := range e.suspects.all {
		j.suspicion.since = now
		e.lookAgain(j)
	}
}

// mendAssignments looks at the suspect jobs whose time has come.
func (e *Engine) mendAssignments() {
	if e.me == nil || e.drain.on || !e.replica.ready() || len(e.suspects.byTime) == 0 || e.sets.reading > 0 {
		return // while a set is read, its instances would seem to have no jobs
	}
	now := time.Now()
	var due []*job
	for len(e.suspects.byTime) > 0 && !e.suspects.byTime[0].suspicion.due.After(now) {
		j := e.suspects.byTime[0]
		e.suspects.remove(j)
		due = append(due, j)
	}
	// In order, neighbours share transactions, and a simulation repeats.
	slices.SortFunc(due, byName)
	for _, j := range due {
		switch wait := e.mend(j, now); wait {
		case done:
			e.unsuspect(j)
		case answered:
		default:
			e.suspects.set(j, now.Add(wait))
		}
	}
	if len(e.suspects.byTime) == 0 {
		return
	}
	next := e.suspects.byTime[0].suspicion.due
	if !e.checkAt.Equal(next) {
		if e.check != nil {
			e.check.Stop()
		}
		e.checkAt = next
		e.check = e.after(time.Until(next), func() {})
	}
}

func (s *suspects) set(j *job, due time.Time) {
	j.suspicion.due = due
	if j.suspicion.place == 0 {
		heap.Push(s, j)
		return
	}
	heap.Fix(s, j.suspicion.place-1)
}

func (s *suspects) remove(j *job) {
	if j.suspicion.place > 0 {
		heap.Remove(s, j.suspicion.place-1)
	}
}

func (s *suspects) Len() int { return len(s.byTime) }

func (s *suspects) Less(i, k int) bool {
	a, b := s.byTime[i], s.byTime[k]
	if c := a.suspicion.due.Compare(b.suspicion.due); c != 0 {
		return c < 0
	}
	return strings.Compare(a.name, b.name) < 0
}

func (s *suspects) Swap(i, k int) {
	s.byTime[i], s.byTime[k] = s.byTime[k], s.byTime[i]
	s.byTime[i].suspicion.place, s.byTime[k].suspicion.place = i+1, k+1
}

// Push is for package heap.
func (s *suspects) Push(x any) {
	j := x.(*job)
	s.byTime = append(s.byTime, j)
	j.suspicion.place = len(s.byTime)
}

// Pop is for package heap.
func (s *suspects) Pop() any {
	last := len(s.byTime) - 1
	j := s.byTime[last]
	s.byTime[last] = nil
	s.byTime = s.byTime[:last]
	j.suspicion.place = 0
	return j
}
