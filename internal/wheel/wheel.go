// Package wheel tells when shards fire whose schedules are the same.
//
// Shards of one schedule and delay form a group. A group computes its next fire
// once, however many shards wait for it, and moves none of them from fire to
// fire. So a fire costs a step through a list, and not a place in a heap.
package wheel

import (
	"container/heap"
	"time"

	"github.com/elasticjob-go/elastic/cron"
)

// Kind identifies a group: the entries of a group share it. ID stands for the
// schedule: two schedules with one ID must have the same fires, for ever.
type Kind struct {
	ID    string
	Delay time.Duration // how long after its time a fire begins; not negative
}

// Entry is the place of a value in a wheel. The zero Entry, with its Value, is
// in none. An Entry must not be copied while it is in a wheel.
type Entry[T any] struct {
	Value T
	group *group[T]
	place int
}

// Waits reports whether the entry is in a wheel.
func (e *Entry[T]) Waits() bool { return e.group != nil }

// Due returns when the entry fires; zero if it is in no wheel.
func (e *Entry[T]) Due() time.Time {
	if e.group == nil {
		return time.Time{}
	}
	return e.group.due()
}

// Wheel is a set of groups. The zero Wheel is empty and ready. It is not safe
// for concurrent use.
type Wheel[T any] struct {
	groups map[Kind]*group[T]
	order  order[T] // the next to fire first
}

type group[T any] struct {
	kind     Kind
	schedule cron.Schedule
	fire     time.Time // the next one; its delay is not in it
	members  []*Entry[T]
	place    int // in the order
}

// due returns when the group fires.
func (g *group[T]) due() time.Time { return g.fire.Add(g.kind.Delay) }

// Join lets an entry wait for a fire of a schedule, and for all fires after it.
// It reports false, and does nothing, if the group of that kind waits for
// another fire. The entry must not be in a wheel.
func (w *Wheel[T]) Join(e *Entry[T], k Kind, schedule cron.Schedule, fire time.Time) bool {
	g := w.groups[k]
	switch {
	case g == nil:
		g = &group[T]{kind: k, schedule: schedule, fire: fire}
		if w.groups == nil {
			w.groups = map[Kind]*group[T]{}
		}
		w.groups[k] = g
		heap.Push(&w.order, g)
	case !g.fire.Equal(fire):
		return false
	}
	e.group = g
	e.place = len(g.members)
	g.members = append(g.members, e)
	return true
}

// Leave takes an entry out, if it is in the wheel.
func (w *Wheel[T]) Leave(e *Entry[T]) {
	g := e.group
	if g == nil {
		return
	}
	last := len(g.members) - 1
	moved := g.members[last]
	g.members[e.place] = moved
	moved.place = e.place
	g.members[last] = nil
	g.members = g.members[:last]
	e.group = nil
	if last == 0 {
		w.remove(g)
	}
}

func (w *Wheel[T]) remove(g *group[T]) {
	delete(w.groups, g.kind)
	heap.Remove(&w.order, g.place)
}

// Next returns when the next group fires; zero if the wheel is empty.
func (w *Wheel[T]) Next() time.Time {
	if len(w.order) == 0 {
		return time.Time{}
	}
	return w.order[0].due()
}

// Due is a fire of a group, and the fires before it that were not begun.
type Due struct {
	Fire  time.Time
	First time.Time // of those that are due; Fire, unless the caller is late
}

// mostDue bounds how many fires of a group may be due at once. It is more than
// a process that is overloaded is behind.
const mostDue = 60

// Ring calls begin for each entry that has a fire due at a time, with the last
// such fire. If very many are due, because the process was stopped or the clock
// was set, or if it is the last one of the schedule, the group's entries leave
// the wheel, and Ring calls other for each.
//
// begin may call Leave for the entry that it is called for, and nothing else;
// other may call Join and Leave.
func (w *Wheel[T]) Ring(now time.Time, begin func(v T, d Due), other func(v T)) {
	for len(w.order) > 0 && !w.order[0].due().After(now) {
		g := w.order[0]
		d, next := g.next(now)
		if next.IsZero() {
			w.dissolve(g, other)
			continue
		}
		g.fire = next
		heap.Fix(&w.order, 0)
		for i := 0; i < len(g.members); {
			e := g.members[i]
			begin(e.Value, d)
			if i < len(g.members) && g.members[i] == e {
				i++ // otherwise it has left, and another is in its place
			}
		}
	}
}

// next returns the fire that is due, and the one after it; zero if that is
// none, or too many are due.
func (g *group[T]) next(now time.Time) (d Due, next time.Time) {
	d = Due{Fire: g.fire, First: g.fire}
	for range mostDue {
		next = g.schedule.Next(d.Fire)
		if next.IsZero() || next.Add(g.kind.Delay).After(now) {
			return d, next
		}
		d.Fire = next
	}
	return d, time.Time{}
}

// dissolve takes all entries of a group out.
func (w *Wheel[T]) dissolve(g *group[T], other func(v T)) {
	w.remove(g)
	members := g.members
	g.members = nil
	for _, e := range members {
		e.group = nil
	}
	for _, e := range members {
		other(e.Value)
	}
}

// order is a heap of groups.
type order[T any] []*group[T]

func (o order[T]) Len() int           { return len(o) }
func (o order[T]) Less(i, k int) bool { return o[i].due().Before(o[k].due()) }
func (o order[T]) Swap(i, k int) {
	o[i], o[k] = o[k], o[i]
	o[i].place, o[k].place = i, k
}

// Push is for package heap.
func (o *order[T]) Push(x any) {
	g := x.(*group[T])
	g.place = len(*o)
	*o = append(*o, g)
}

// Pop is for package heap.
func (o *order[T]) Pop() any {
	last := len(*o) - 1
	g := (*o)[last]
	(*o)[last] = nil
	*o = (*o)[:last]
	return g
}
