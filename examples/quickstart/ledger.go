package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic"
)

// run is one attempt of a shard at a fire, as its handler saw it.
type run struct {
	machine      *machine
	shard        int
	fire         time.Time
	attempt      int
	fence        uint64
	from         string // the instance whose run this one repeats
	began, ended time.Time
	done         bool // finished; a run that ended without was cut off by a crash
}

func (r run) String() string {
	return fmt.Sprintf("shard %d at %s, attempt %d on %s with fence %d",
		r.shard, r.fire.Format(time.TimeOnly), r.attempt, r.machine.name, r.fence)
}

// ledger records what the handlers did. The final counts come from it and from
// the store, not from events of the schedulers.
type ledger struct {
	mu   sync.Mutex
	runs []*run
}

// begin records that a handler was called, unless its machine has crashed.
func (l *ledger) begin(m *machine, of elastic.Run) *run {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &run{
		machine: m,
		shard:   of.Shard,
		fire:    of.Fire,
		attempt: of.Attempt,
		fence:   of.Fence(),
		from:    of.Previous,
		began:   time.Now(),
	}
	if !m.off {
		l.runs = append(l.runs, r)
	}
	return r
}

// end records that a handler returned, with its work done or not.
func (l *ledger) end(r *run, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !r.machine.off {
		r.ended, r.done = time.Now(), done
	}
}

// powerOff ends all runs of a machine, unfinished.
func (l *ledger) powerOff(m *machine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.off = true
	for _, r := range l.runs {
		if r.machine == m && r.ended.IsZero() {
			r.ended = time.Now()
		}
	}
}

// all returns a copy of all runs, in the order of their beginning.
func (l *ledger) all() []run {
	l.mu.Lock()
	defer l.mu.Unlock()
	runs := make([]run, len(l.runs))
	for i, r := range l.runs {
		runs[i] = *r
	}
	return runs
}

// full returns the number of fires that all shards have done.
func (l *ledger) full() int { return len(fullFires(l.all())) }

// fullFires returns the fires that all shards have done, oldest first.
func fullFires(runs []run) (full []time.Time) {
	done := map[int64]int{}
	for _, r := range runs {
		if r.done {
			if done[r.fire.Unix()]++; done[r.fire.Unix()] == job.Shards {
				full = append(full, r.fire)
			}
		}
	}
	return full
}

// middle reports whether a machine has runs, all between a third and half done.
func (l *ledger) middle(m *machine) bool {
	running := 0
	for _, r := range l.all() {
		if r.machine != m || !r.ended.IsZero() {
			continue
		}
		running++
		if age := time.Since(r.began); age < work/3 || age > work/2 {
			return false
		}
	}
	return running > 0
}

// cutOff returns the runs that a machine left unfinished, ordered by shard.
func (l *ledger) cutOff(m *machine) []run {
	cut := slices.DeleteFunc(l.all(), func(r run) bool { return r.machine != m || r.ended.IsZero() || r.done })
	slices.SortFunc(cut, func(a, b run) int { return cmp.Compare(a.shard, b.shard) })
	return cut
}

// done reports whether the work of each run in cut has been done since.
func (l *ledger) done(cut []run) bool {
	all := l.all()
	for _, c := range cut {
		if !slices.ContainsFunc(all, func(r run) bool { return r.done && r.shard == c.shard && r.fire.Equal(c.fire) }) {
			return false
		}
	}
	return true
}

// shards names the shards of some runs.
func shards(runs []run) string {
	text := "shard"
	if len(runs) != 1 {
		text += "s"
	}
	for _, r := range runs {
		text += fmt.Sprint(" ", r.shard)
	}
	return text
}

// tally is the result of the demonstration.
type tally struct {
	due, runs, takeOvers int

	lost   []string // due, but not done
	double []string // done twice, or by two instances at a time
	left   []string // keys in the store that should be gone
}

// fault returns an error that lists all broken promises, or nil.
func (t tally) fault() error {
	bad := slices.Concat(t.lost, t.double, t.left)
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("not as promised:\n  %s", strings.Join(bad, "\n  "))
}

// count compares the due fires of each shard with the runs.
func count(due []time.Time, shards int, runs []run) tally {
	type item struct {
		shard int
		fire  int64
	}
	t := tally{due: len(due) * shards, runs: len(runs)}
	done, last := map[item]int{}, map[int]run{}
	for _, r := range runs {
		if r.attempt > 1 {
			t.takeOvers++
		}
		if r.done {
			done[item{r.shard, r.fire.Unix()}]++
		}
		if before, ok := last[r.shard]; ok {
			if why := conflict(before, r); why != "" {
				t.double = append(t.double, fmt.Sprintf("%s: %s; %s", why, before, r))
			}
		}
		last[r.shard] = r
	}
	for _, fire := range due {
		for shard := range shards {
			switch n := done[item{shard, fire.Unix()}]; {
			case n == 0:
				t.lost = append(t.lost, fmt.Sprintf("lost: shard %d at %s", shard, fire.Format(time.TimeOnly)))
			case n > 1:
				t.double = append(t.double, fmt.Sprintf("done %d times: shard %d at %s", n, shard, fire.Format(time.TimeOnly)))
			}
		}
	}
	return t
}

// conflict returns the rule that two successive runs of a shard break, or "".
func conflict(first, second run) string {
	switch {
	case second.fence <= first.fence:
		return "the fence did not grow"
	case first.ended.IsZero() || second.began.Before(first.ended):
		return "two at a time"
	case second.fire.Equal(first.fire) && second.attempt <= first.attempt:
		return "begun twice"
	}
	return ""
}
