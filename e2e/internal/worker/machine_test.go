package worker

import (
	"slices"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/checker"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }

// watched returns a machine on which one process with two threads lived for as
// many looks as are given: for how much of each interval the second one waited.
func watched(pid int, waited ...time.Duration) *machine {
	m, total := &machine{last: at(0)}, time.Duration(0)
	for i, w := range append([]time.Duration{0}, waited...) {
		total += w
		m.look(at(100*i), map[int]map[string]time.Duration{pid: {"first": 0, "second": total}})
	}
	return m
}

const (
	idle    = 0
	hungry  = 90 * time.Millisecond
	crowded = 40 * time.Millisecond // others run, too, and it comes round
)

func TestMachine_FindsStarvedProcesses(t *testing.T) {
	mine := map[int]bool{7: true}
	for name, row := range map[string]struct {
		m    *machine
		want []starvation
	}{
		"idle":           {watched(7, idle, idle, idle), nil},
		"crowded":        {watched(7, crowded, crowded), nil},
		"for a while":    {watched(7, idle, hungry, hungry, idle, idle), []starvation{{7, at(100), at(400)}}},
		"to this moment": {watched(7, idle, hungry, hungry), []starvation{{7, at(100), at(300)}}},
		"twice": {
			watched(7, hungry, idle, idle, hungry), []starvation{{7, at(0), at(200)}, {7, at(300), at(400)}},
		},
		"a server": {watched(8, hungry, idle), []starvation{{server, at(0), at(200)}}},
	} {
		if got := row.m.starved(mine); !slices.Equal(got, row.want) {
			t.Errorf("%s: got %v, want %v", name, got, row.want)
		}
	}
}

func TestMachine_IgnoresWorkersOfOthers(t *testing.T) {
	spawned.Store(1<<30, true) // no process has such a number
	if got := watched(1<<30, hungry, hungry).starved(nil); len(got) > 0 {
		t.Errorf("got %v, want nothing that concerns a fleet whose process it is not", got)
	}
}

func TestMachine_StandstillStarvesAll(t *testing.T) {
	m := &machine{last: at(0)}
	m.look(at(100), nil)
	m.look(at(1600), nil)
	m.look(at(1700), nil)
	if got, want := m.starved(nil), []starvation{{0, at(100), at(1600)}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMachine_CountsOverlappingWaitsOnce(t *testing.T) {
	all := []starvation{
		{7, at(0), at(1000)}, {server, at(500), at(1500)}, {0, at(3000), at(4000)}, {8, at(9000), at(9999)},
	}
	for _, row := range []struct{ from, to, want int }{
		{0, 5000, 2500}, {200, 1400, 1200}, {1500, 3000, 0}, {3500, 9100, 600}, {600, 700, 100},
	} {
		if got := within(all, at(row.from), at(row.to)); got != time.Duration(row.want)*time.Millisecond {
			t.Errorf("from %d to %d ms: got %v, want %d ms", row.from, row.to, got, row.want)
		}
	}
}

func TestMachine_IgnoresTimeBeforeFleet(t *testing.T) {
	all := []starvation{{0, at(0), at(1000)}, {7, at(500), at(1500)}, {0, at(2000), at(3000)}}
	want := []starvation{{7, at(1000), at(1500)}, {0, at(2000), at(3000)}}
	if got := since(all, at(1000)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMachine_KeepsStarvedProcessThatEnded(t *testing.T) {
	m := watched(7, hungry, hungry)
	m.look(at(300), nil)
	if got, want := m.starved(map[int]bool{7: true}), []starvation{{7, at(0), at(300)}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestStandstill_CountsOnce(t *testing.T) {
	const ttl = 2 * time.Second
	act := func(ms int, kind checker.Kind) checker.Act { return checker.Act{Time: at(ms), Kind: kind, PID: 7} }
	start := act(0, checker.Start)
	for name, row := range map[string]struct {
		acts []checker.Act
		want []starvation // of a process that got no time from 1 s to 2 s
	}{
		"alive":  {[]checker.Act{start}, []starvation{{7, at(1000), at(2000)}}},
		"frozen": {[]checker.Act{start, act(900, checker.Stop)}, nil},
		"frozen, and back": {
			[]checker.Act{start, act(500, checker.Stop), act(900, checker.Cont)},
			[]starvation{{7, at(1000), at(2000)}},
		},
		"back meanwhile": {
			[]checker.Act{start, act(500, checker.Stop), act(1200, checker.Cont)},
			[]starvation{{7, at(1200).Add(1), at(2000)}},
		},
		"killed meanwhile": {
			[]checker.Act{start, act(1600, checker.Kill)}, []starvation{{7, at(1000), at(1600).Add(-1)}},
		},
		"killed soon": {[]checker.Act{start, act(1400, checker.Kill)}, nil},
		"killed later": {
			[]checker.Act{start, act(2100, checker.Kill)}, []starvation{{7, at(1000), at(2000)}},
		},
		"asked to leave": {[]checker.Act{start, act(900, checker.Term)}, []starvation{{7, at(1000), at(2000)}}},
		"noted in another order": {
			[]checker.Act{act(900, checker.Cont), act(500, checker.Stop), start},
			[]starvation{{7, at(1000), at(2000)}},
		},
	} {
		if got := standstills(row.acts, []starvation{{7, at(1000), at(2000)}}, ttl); !slices.Equal(got, row.want) {
			t.Errorf("%s: got %v, want %v", name, got, row.want)
		}
	}
	if got := standstills(nil, []starvation{{7, at(1000), at(1500)}}, ttl); len(got) > 0 {
		t.Errorf("got %v, want nothing: a quarter of the TTL costs no session", got)
	}
}

func TestStandstill_DoesNotHealCuts(t *testing.T) {
	still := []starvation{{7, at(1000), at(2000)}}
	cut := []checker.Act{{Time: at(500), Kind: checker.Cut, PID: 7}}
	kinds := func(acts []checker.Act) (all []checker.Kind) {
		for _, a := range acts {
			all = append(all, a.Kind)
		}
		return all
	}
	if got, want := kinds(frozen(cut, still)), []checker.Kind{checker.Stop, checker.Cont}; !slices.Equal(got, want) {
		t.Errorf("cut off: got %v, want %v", got, want)
	}
	healed := append(cut, checker.Act{Time: at(800), Kind: checker.Heal, PID: 7})
	want := []checker.Kind{checker.Stop, checker.Cont, checker.Cut, checker.Heal}
	if got := kinds(frozen(healed, still)); !slices.Equal(got, want) {
		t.Errorf("healed: got %v, want %v", got, want)
	}
	want = []checker.Kind{checker.Stop, checker.Cont}
	if got := kinds(frozen(nil, []starvation{{0, at(1000), at(2000)}})); !slices.Equal(got, want) {
		t.Errorf("the store: got %v, want %v", got, want)
	}
}

func TestStandstill_ExcusesOwnProcessOnly(t *testing.T) {
	const ttl = 2 * time.Second
	line := func(attempt, pid, ms int) checker.Line {
		return checker.Line{
			Event:   "start",
			Job:     "report",
			Fire:    at(0),
			Attempt: attempt,
			PID:     pid,
			Time:    at(ms),
		}
	}
	all := []checker.Line{line(1, 7, 100), line(2, 8, 4000)}
	for name, row := range map[string]struct {
		still starvation
		want  int
	}{
		"nothing":           {starvation{}, 1},
		"its process":       {starvation{7, at(1000), at(2000)}, 0},
		"the store":         {starvation{0, at(1000), at(2000)}, 0},
		"just before":       {starvation{7, at(-1900), at(-900)}, 0},
		"another":           {starvation{8, at(1000), at(2000)}, 1},
		"long before":       {starvation{7, at(-4000), at(-3000)}, 1},
		"after it happened": {starvation{7, at(5000), at(6000)}, 1},
	} {
		if got := repeats(all, all, []starvation{row.still}, ttl); len(got) != row.want {
			t.Errorf("%s stood still: got %v, want %d", name, got, row.want)
		}
	}
	if got := repeats(all[1:], all[1:], []starvation{{9, at(1000), at(2000)}}, ttl); len(got) != 0 {
		t.Errorf("got %v, want a run of which the first attempt told nothing to be excused by any pause", got)
	}
}
