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
	from         string // the instance whose run it repeats
	began, ended time.Time
	done         bool // its work was done; a run that ended without was cut off
}

func (r run) String() string {
	return fmt.Sprintf("shard %d at %s, attempt %d on %s with fence %d", r.shard, r.fire.Format(time.TimeOnly), r.attempt, r.machine.name, r.fence)
}

// ledger is what handlers really did. What the program says in the end is counted from it and from the store, and not
// from what the scheduler says about itself.
type ledger struct {
	mu   sync.Mutex
	runs []*run
}

// begin notes that a handler was called. Without power nothing can happen, and nothing is noted.
func (l *ledger) begin(m *machine, of elastic.Run) *run {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &run{machine: m, shard: of.Shard, fire: of.Fire, attempt: of.Attempt, fence: of.Fence(), from: of.Previous, began: time.Now()}
	if !m.off {
		l.runs = append(l.runs, r)
	}
	return r
}

// end notes that a handler returned, with its work done or not.
func (l *ledger) end(r *run, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !r.machine.off {
		r.ended, r.done = time.Now(), done
	}
}

// powerOff stops whatever runs on a machine, just where it is.
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

// all returns a copy of all runs, in the order in which they began.
func (l *ledger) all() []run {
	l.mu.Lock()
	defer l.mu.Unlock()
	runs := make([]run, len(l.runs))
	for i, r := range l.runs {
		runs[i] = *r
	}
	return runs
}

// full returns how many fires all shards have done.
func (l *ledger) full() int { return len(fullFires(l.all())) }

// fullFires returns the fires that all shards have done, in the order in which they were.
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

// middle says whether a machine has runs, all of them well begun and none nearly finished.
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

// cutOff returns the runs that a machine left unfinished, by shard.
func (l *ledger) cutOff(m *machine) []run {
	cut := slices.DeleteFunc(l.all(), func(r run) bool { return r.machine != m || r.ended.IsZero() || r.done })
	slices.SortFunc(cut, func(a, b run) int { return cmp.Compare(a.shard, b.shard) })
	return cut
}

// done says whether somebody has done the work of some runs.
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

// tally is what it all comes to.
type tally struct {
	due, runs, takeOvers int

	lost   []string // what was due and nobody did
	double []string // what was done twice, or by two at a time
	left   []string // what should not be in the store when everybody has left
}

// fault returns an error that says what is not as promised.
func (t tally) fault() error {
	bad := slices.Concat(t.lost, t.double, t.left)
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("not as promised:\n  %s", strings.Join(bad, "\n  "))
}

// count compares what was due, for each shard, with what was done.
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

// conflict says what is wrong with two runs of a shard, the second of which began after the first.
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
