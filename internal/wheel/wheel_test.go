package wheel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var begin = time.Date(2027, 3, 1, 10, 0, 0, 0, time.UTC)

// every is a schedule that fires each so many seconds, until an end.
type every struct {
	seconds int
	until   time.Time // zero: for ever
	asked   *int      // how often it was asked
}

func (s every) Next(after time.Time) time.Time {
	if s.asked != nil {
		*s.asked++
	}
	step := time.Duration(s.seconds) * time.Second
	next := after.Truncate(step).Add(step)
	if !s.until.IsZero() && next.After(s.until) {
		return time.Time{}
	}
	return next
}

func clock(t time.Time) string { return t.Format("05.000") }

// ring rings and returns what happened, in order.
func ring(w *Wheel[string], now time.Time) (log []string) {
	w.Ring(now,
		func(v string, d Due) {
			log = append(log, strings.TrimSuffix(v+" "+clock(d.First)+"-"+clock(d.Fire), "-"+clock(d.First)))
		},
		func(v string) { log = append(log, v+" other") })
	return log
}

func join(t *testing.T, w *Wheel[string], name string, delay time.Duration, s every, fire time.Time) *Entry[string] {
	t.Helper()
	e := &Entry[string]{Value: name}
	if !w.Join(e, Kind{fmt.Sprint(s.seconds), delay}, s, fire) {
		t.Fatalf("%s does not join for %s", name, clock(fire))
	}
	return e
}

// Entries fire when their group does, and stay for the fires after.
func TestWheel_Fires(t *testing.T) {
	second := func(n float64) time.Time { return begin.Add(time.Duration(n * float64(time.Second))) }
	var w Wheel[string]
	if !w.Next().IsZero() {
		t.Errorf("an empty wheel fires at %s", w.Next())
	}
	join(t, &w, "a", 0, every{seconds: 1}, second(1))
	join(t, &w, "b", 0, every{seconds: 1}, second(1))
	join(t, &w, "late", 300*time.Millisecond, every{seconds: 1}, second(1))
	join(t, &w, "slow", 0, every{seconds: 5}, second(5))
	for _, tt := range []struct {
		at   float64
		want []string
	}{
		{0.999, nil},
		{1, []string{"a 01.000", "b 01.000"}},
		{1.2, nil},
		{1.3, []string{"late 01.000"}},
		{2.1, []string{"a 02.000", "b 02.000"}},
		{2.3, []string{"late 02.000"}},
		{4.1, []string{"a 03.000-04.000", "b 03.000-04.000", "late 03.000"}},
	} {
		got := ring(&w, second(tt.at))
		if !slices.Equal(got, tt.want) {
			t.Errorf("at %s: %q, want %q", clock(second(tt.at)), got, tt.want)
		}
	}
	if got := (&Entry[string]{}).Due(); !got.IsZero() {
		t.Errorf("an entry in no wheel is due at %s", clock(got))
	}
	if got := w.Next(); !got.Equal(second(4.3)) {
		t.Errorf("next is %s, want 04.300", clock(got))
	}
}

// The last fire of a schedule, and several at once, are not the wheel's.
func TestWheel_LeavesTheRestToOthers(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    every
		at   time.Duration
		want string
	}{
		{"in time", every{seconds: 1}, time.Second, "[a 01.000]"},
		{"almost late", every{seconds: 1}, 2*time.Second - 1, "[a 01.000]"},
		{"two are due", every{seconds: 1}, 2 * time.Second, "[a 01.000-02.000]"},
		{"a minute's are due", every{seconds: 1}, time.Minute, "[a 01.000-00.000]"},
		{"many are due", every{seconds: 1}, time.Hour, "[a other]"},
		{"the last one", every{seconds: 1, until: begin.Add(time.Second)}, time.Second, "[a other]"},
		{"the last but one", every{seconds: 1, until: begin.Add(2 * time.Second)}, time.Second, "[a 01.000]"},
	} {
		var w Wheel[string]
		e := join(t, &w, "a", 0, tt.s, begin.Add(time.Second))
		got := fmt.Sprint(ring(&w, begin.Add(tt.at)))
		if got != tt.want || e.Waits() != (tt.want != "[a other]") {
			t.Errorf("%s: %s, and it waits: %t; want %s", tt.name, got, e.Waits(), tt.want)
		}
	}
}

// An entry can join a group only for the fire that the group waits for.
func TestWheel_RefusesAnotherFire(t *testing.T) {
	var w Wheel[string]
	e := join(t, &w, "a", 0, every{seconds: 1}, begin.Add(time.Second))
	b := &Entry[string]{Value: "b"}
	if w.Join(b, Kind{"1", 0}, every{seconds: 1}, begin.Add(2*time.Second)) || b.Waits() {
		t.Error("b joins a group that waits for an earlier fire")
	}
	w.Leave(e)
	w.Leave(e) // again does nothing
	if !w.Join(b, Kind{"1", 0}, every{seconds: 1}, begin.Add(2*time.Second)) {
		t.Error("b does not join, though the group is empty")
	}
}

// The schedule is asked once a fire, however many wait for it.
func TestWheel_AsksOnce(t *testing.T) {
	asked := 0
	var w Wheel[string]
	s := every{seconds: 1, asked: &asked}
	for i := range 1000 {
		join(t, &w, fmt.Sprint(i), 0, s, begin.Add(time.Second))
	}
	for i := range 10 {
		if n := len(ring(&w, begin.Add(time.Duration(i+1)*time.Second))); n != 1000 {
			t.Fatalf("%d fires, want 1000", n)
		}
	}
	if asked != 10 {
		t.Errorf("the schedule was asked %d times for 10 fires", asked)
	}
}

// Whatever joins and leaves, also while the wheel rings: an entry that waits
// fires once, and one that has left does not.
func TestWheel_JoinsAndLeaves(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var w Wheel[int]
	entries := make([]*Entry[int], 200)
	last := make([]time.Time, len(entries))
	schedule := func(i int) every { return every{seconds: 1 + i%3} }
	for i := range entries {
		entries[i] = &Entry[int]{Value: i}
	}
	now := begin
	enter := func(i int) {
		s := schedule(i)
		w.Join(entries[i], Kind{fmt.Sprint(s.seconds), 0}, s, s.Next(now))
	}
	for range 2000 {
		for range rng.IntN(20) {
			if i := rng.IntN(len(entries)); entries[i].Waits() {
				w.Leave(entries[i])
			} else {
				enter(i)
			}
		}
		now = now.Add(time.Duration(rng.IntN(1500)) * time.Millisecond)
		var due []int
		for i, e := range entries {
			if e.Waits() && !e.group.due().After(now) {
				due = append(due, i)
			}
		}
		var rung []int
		w.Ring(now, func(i int, d Due) {
			fire := d.Fire
			if !entries[i].Waits() || !fire.After(last[i]) || fire.After(now) {
				t.Fatalf("%d fires at %s after %s, waits: %t", i, clock(fire), clock(last[i]), entries[i].Waits())
			}
			last[i] = fire
			rung = append(rung, i)
			if rng.IntN(4) == 0 {
				w.Leave(entries[i])
			}
		}, func(i int) {
			rung = append(rung, i)
			last[i] = now
			enter(i)
		})
		slices.Sort(rung)
		if n := len(slices.Compact(slices.Clone(rung))); n != len(rung) {
			t.Fatalf("an entry fires twice: %v", rung)
		}
		for _, i := range due {
			if !slices.Contains(rung, i) {
				t.Fatalf("%d was due and does not fire: %v", i, rung)
			}
		}
	}
}
