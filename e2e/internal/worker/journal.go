package worker

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/internal/checker"
)

// Look reads the journal since the last call, and fails the test if a process
// has ended unexpectedly.
func (f *Fleet) Look() {
	f.t.Helper()
	text, err := io.ReadAll(f.journal)
	if err != nil {
		f.t.Fatal(err)
	}
	f.rest = append(f.rest, text...)
	end := bytes.LastIndexByte(f.rest, '\n') + 1
	lines, err := checker.ReadLines(bytes.NewReader(f.rest[:end]))
	if err != nil {
		f.t.Fatalf("%s: %v", f.Journal, err)
	}
	f.rest = slices.Clone(f.rest[end:])
	f.Lines = append(f.Lines, lines...)
	for _, l := range lines {
		if l.Event == "end" && l.Outcome == "ok" && l.Fire.After(f.Latest[Of(l)]) {
			f.Latest[Of(l)] = l.Fire
		}
	}
	f.NoneDied()
}

// Await waits until a condition holds.
func (f *Fleet) Await(what string, ok func() bool) {
	f.t.Helper()
	// Tests kill a process some milliseconds after what they waited for.
	const often = 2 * time.Millisecond
	for deadline := time.Now().Add(f.Patience); ; time.Sleep(often) {
		f.Look()
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("waited %v in vain for %s", f.Patience, what)
		}
	}
}

// AwaitLine waits for a line, the n-th or a later one, that is as wanted.
func (f *Fleet) AwaitLine(n int, what string, wanted func(l checker.Line) bool) (found checker.Line) {
	f.t.Helper()
	f.Await(what, func() bool {
		for ; n < len(f.Lines); n++ {
			if wanted(f.Lines[n]) {
				found = f.Lines[n]
				return true
			}
		}
		return false
	})
	return found
}

// Next waits for a line that is not there yet.
func (f *Fleet) Next(what string, wanted func(l checker.Line) bool) checker.Line {
	f.t.Helper()
	f.Look()
	return f.AwaitLine(len(f.Lines), what, wanted)
}

// Unfinished returns the starts of a process that have no end.
func (f *Fleet) Unfinished(p *Process) (starts []checker.Line) {
	f.t.Helper()
	f.Look()
	type claim struct {
		Shard
		fence uint64
	}
	ended := map[claim]bool{}
	for _, l := range f.Lines {
		if l.Event == "end" && l.PID == p.PID() {
			ended[claim{Of(l), l.Fence}] = true
		}
	}
	for _, l := range f.Lines {
		if l.Event == "start" && l.PID == p.PID() && !ended[claim{Of(l), l.Fence}] {
			starts = append(starts, l)
		}
	}
	return starts
}

// Completed reports whether every shard has completed the last fire that was
// due at a time.
func (f *Fleet) Completed(by time.Time) bool {
	due := time.Time{}
	for at := f.Schedule.Next(by.Add(-time.Minute)); !at.After(by); at = f.Schedule.Next(at) {
		due = at
	}
	for job, shards := range f.Jobs {
		for item := range shards {
			if f.Latest[Shard{job, item}].Before(due) {
				return false
			}
		}
	}
	return true
}

// AwaitEverybody waits until every process has run a shard. Before that a
// process may not handle signals yet, and a signal would end it.
func (f *Fleet) AwaitEverybody() {
	f.t.Helper()
	for _, p := range f.Running() {
		f.AwaitLine(0, fmt.Sprintf("a line of %s", p), func(l checker.Line) bool { return l.PID == p.PID() })
	}
}

// AwaitQuiet waits for a moment at which every shard has completed all that is
// due, and nothing more is for a while.
func (f *Fleet) AwaitQuiet() (now time.Time) {
	f.t.Helper()
	const while = 400 * time.Millisecond // to ask everybody to leave
	f.Await("every shard to have completed all that is due", func() bool {
		now = time.Now()
		return f.Schedule.Next(now).Sub(now) >= while && f.Completed(now)
	})
	return now
}

// Until waits until a moment.
func Until(at time.Time) { time.Sleep(time.Until(at)) }
