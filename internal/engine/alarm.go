package engine

import (
	"container/heap"
	"time"
)

// alarm is a time at which a shard is to be looked at again. It is part of the shard, so that an idle job costs no more than
// its place in the heap: no goroutine, no timer.
type alarm struct {
	at    time.Time
	place int // in the heap, from 1; 0: not set
	shard *shard
}

// alarms is a heap of all alarms of the process; one timer waits for the first.
type alarms []*alarm

// longest bounds how far ahead the timer is set, so that a step of the wall clock, or a suspended machine, is noticed.
// Timers run by the monotonic clock; fires are times of the wall clock.
const longest = 5 * time.Second

// set moves an alarm; the zero time takes it out.
func (h *alarms) set(a *alarm, at time.Time) {
	switch {
	case at.IsZero() && a.place == 0:
	case at.IsZero():
		heap.Remove(h, a.place-1)
	case a.place == 0:
		a.at = at
		heap.Push(h, a)
	case !at.Equal(a.at):
		a.at = at
		heap.Fix(h, a.place-1)
	}
}

// ring takes out all alarms up to now, and tells their shards.
func (h *alarms) ring(now time.Time, tell func(*shard)) {
	for len(*h) > 0 && !(*h)[0].at.After(now) {
		tell(heap.Pop(h).(*alarm).shard)
	}
}

// wait returns how long the timer may sleep. other is a time at which something
// else is due; zero: nothing is.
func (h alarms) wait(now, other time.Time) time.Duration {
	sleep := longest
	if len(h) > 0 {
		sleep = min(sleep, h[0].at.Sub(now))
	}
	if !other.IsZero() {
		sleep = min(sleep, other.Sub(now))
	}
	return max(sleep, 0)
}

func (h alarms) Len() int           { return len(h) }
func (h alarms) Less(i, k int) bool { return h[i].at.Before(h[k].at) }
func (h alarms) Swap(i, k int) {
	h[i], h[k] = h[k], h[i]
	h[i].place, h[k].place = i+1, k+1
}

// Push is for package heap.
func (h *alarms) Push(x any) {
	a := x.(*alarm)
	*h = append(*h, a)
	a.place = len(*h)
}

// Pop is for package heap.
func (h *alarms) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	a.place = 0
	return a
}
