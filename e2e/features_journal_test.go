package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/checker"
)

// long bounds each wait of these tests. Much happens at once, and no claim is
// about speed.
const long = time.Minute

// execution is one run of a handler, its retries included.
type execution struct {
	checker.Line // its start

	Total     int
	Parameter string
	Trigger   uint64
	Calls     int // of the handler, so far

	End     time.Time // zero: it has not said that it ended
	Outcome string
}

func (x *execution) done() bool { return !x.End.IsZero() }
func (x *execution) ok() bool   { return x.done() && x.Outcome == "ok" }

// after reports whether it is a run of the job for a fire after t.
func (x *execution) after(job string, t time.Time) bool { return x.Job == job && x.Fire.After(t) }

// told is a line of a worker's journal with -act.
type told struct {
	checker.Line
	Total     int    `json:"total"`
	Parameter string `json:"parameter"`
	Trigger   uint64 `json:"trigger"`
	Retry     int    `json:"retry"`
}

// executions reads a journal, in the order in which handlers were called first.
func executions(t *testing.T, path string) (all []*execution) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	type claim struct {
		job   string
		shard int
		fence uint64
		pid   int
	}
	running := map[claim]*execution{}
	for line := range bytes.Lines(text[:bytes.LastIndexByte(text, '\n')+1]) {
		var l told
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("%s: %v: %s", path, err, line)
		}
		of := claim{l.Job, l.Shard, l.Fence, l.PID}
		x := running[of]
		switch {
		case l.Event == "end" && x != nil:
			x.End, x.Outcome = l.Time, l.Line.Outcome
		case l.Event == "start" && l.Retry > 0 && x != nil:
			x.Calls++
			x.End, x.Outcome = time.Time{}, ""
		case l.Event == "start" && l.Retry == 0:
			x = &execution{
				Line:      l.Line,
				Total:     l.Total,
				Parameter: l.Parameter,
				Trigger:   l.Trigger,
				Calls:     1,
			}
			running[of] = x
			all = append(all, x)
		default:
			t.Fatalf("%s: an end or a retry of a run that has not started: %s", path, line)
		}
	}
	return all
}

// lines are the runs as the checker reads them: those that were claimed, each
// with one start and at most one end.
func lines(all []*execution) (lines []checker.Line) {
	for _, x := range all {
		if x.Fence == 0 {
			continue
		}
		lines = append(lines, x.Line)
		if x.done() {
			end := x.Line
			end.Event = "end"
			end.Time = x.End
			end.Outcome = x.Outcome
			lines = append(lines, end)
		}
	}
	return lines
}

// copies returns runs that can be doctored.
func copies(all []*execution) []*execution {
	own := make([]*execution, len(all))
	for i, x := range all {
		c := *x
		own[i] = &c
	}
	return own
}
