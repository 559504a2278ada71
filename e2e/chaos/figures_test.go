package chaos

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/e2e/fenced"
	"github.com/elasticjob-go/elastic/e2e/internal/worker"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/checker"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// figures are the results of a run.
type figures struct {
	run       string
	did       map[string]int // faults, by what they are
	due       int            // fires of shards
	begun     int
	completed int
	repeated  int           // attempts after the first: taken over, or handed over
	skipped   int           // fires that did not begin, by the misfire policy
	givenUp   int           // fires that began and did not complete, of jobs without failover
	lost      int           // breaches of invariant 4
	double    int           // breaches of the invariants 1, 2 and 3
	stuck     int           // breaches of invariant 5
	residue   int           // breaches of invariant 8
	longest   time.Duration // from a fault to the start of a run that it had cut off
	writes    int           // to the resource
	refused   int           // because of their fence
	smaller   int           // that it accepted after a greater, or got wrong otherwise
}

// fire is a fire of a shard.
type fire struct {
	worker.Shard
	at int64
}

// tally computes the figures of a history.
func tally(h checker.History, found []checker.Violation, log []fenced.Write, wrong []string) figures {
	g := figures{writes: len(log), refused: fenced.Refused(log), smaller: len(wrong)}
	for _, v := range found {
		switch v.Invariant {
		case 1, 2, 3:
			g.double++
		case 4:
			g.lost++
		case 5:
			g.stuck++
		default:
			g.residue++
		}
	}
	begun, completed := map[fire]bool{}, map[fire]bool{}
	for _, l := range h.Lines {
		at := fire{worker.Of(l), l.Fire.Unix()}
		switch {
		case l.Event == "start":
			begun[at] = true
			if l.Attempt > 1 {
				g.repeated++
			}
		case l.Outcome == "ok":
			completed[at] = true
		}
	}
	g.begun, g.completed = len(begun), len(completed)
	for at := range dueOf(h) {
		g.due++
		switch {
		case !begun[at]:
			g.skipped++
		case !completed[at]:
			g.givenUp++
		}
	}
	// A lost fire was neither skipped nor abandoned by a policy.
	for _, v := range found {
		if at := (fire{worker.Shard{Job: v.Job, Item: v.Shard}, v.Time.Unix()}); v.Invariant == 4 && !begun[at] {
			g.skipped--
		} else if v.Invariant == 4 && !completed[at] {
			g.givenUp--
		}
	}
	g.longest = longest(h)
	return g
}

// dueOf returns the fires that were due, up to the last one of each record.
func dueOf(h checker.History) map[fire]bool {
	policies, all := map[string]failover.Policy{}, map[fire]bool{}
	for _, e := range h.Final {
		if name, ok := strings.CutPrefix(e.Key, layout.Jobs+"/"); ok {
			if spec, err := layout.DecodeSpec(e.Value); err == nil {
				policies[name], _ = spec.Policy()
			}
		}
	}
	for _, e := range h.Final {
		name, _, _ := strings.Cut(strings.TrimPrefix(e.Key, "runs/"), "/")
		p, ok := policies[name]
		item, err := layout.ShardOf(e.Key)
		r, err2 := failover.Decode(e.Value)
		if !ok || !strings.HasPrefix(e.Key, "runs/") || err != nil || err2 != nil || p.Schedule == nil {
			continue
		}
		for at := p.Schedule.Next(p.Since); !at.IsZero() && !at.After(r.Fire); at = p.Schedule.Next(at) {
			all[fire{worker.Shard{Job: name, Item: item}, at.Unix()}] = true
		}
	}
	return all
}

// longest returns the longest time from the first fault of a run's process to
// the start of its next attempt. If the store was away in between, the time
// counts from its return.
func longest(h checker.History) (most time.Duration) {
	last := map[fire]checker.Line{}
	for _, l := range h.Lines {
		if l.Event != "start" {
			continue
		}
		at := fire{worker.Of(l), l.Fire.Unix()}
		before, ok := last[at]
		last[at] = l
		if !ok || l.Attempt == 1 {
			continue
		}
		var from time.Time
		for _, a := range h.Acts {
			back := a.PID == 0 && (a.Kind == checker.Start || a.Kind == checker.Cont)
			hit := a.PID == before.PID && from.IsZero() && (a.Kind == checker.Kill || a.Kind == checker.Stop ||
				a.Kind == checker.Cut || a.Kind == checker.Term)
			if (back || hit) && a.Time.After(before.Time) && a.Time.Before(l.Time) {
				from = a.Time
			}
		}
		if !from.IsZero() {
			most = max(most, l.Time.Sub(from))
		}
	}
	return most
}

const head = "| run | faults | due | begun | completed | repeated | skipped | abandoned | " +
	"**lost** | **double** | stuck | residue | longest recovery | fenced: writes | refused | **smaller accepted** |\n" +
	"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"

func (g figures) row() string {
	n := 0
	for _, times := range g.did {
		n += times
	}
	recovery := "-"
	if g.longest > 0 {
		recovery = g.longest.Round(10 * time.Millisecond).String()
	}
	const row = "| %s | %d | %d | %d | %d | %d | %d | %d | **%d** | **%d** | %d | %d | %s | %d | %d | **%d** |\n"
	return fmt.Sprintf(row, strings.TrimPrefix(
		g.run, "TestChaos_InvariantsHold/",
	),
		n, g.due, g.begun, g.completed, g.repeated, g.skipped, g.givenUp,
		g.lost, g.double, g.stuck, g.residue, recovery, g.writes, g.refused, g.smaller)
}

// faults lists the faults with their numbers.
func (g figures) faults() string {
	var all []string
	for _, what := range slices.Sorted(maps.Keys(g.did)) {
		all = append(all, fmt.Sprintf("%s %d", what, g.did[what]))
	}
	return strings.Join(all, ", ")
}

// report shows the figures.
func (g figures) report(t *testing.T) {
	t.Helper()
	t.Logf("faults: %s\n%s%s", g.faults(), head, g.row())
	if *tableFlag == "" {
		return
	}
	file, err := os.OpenFile(*tableFlag, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(g.row()); err != nil {
		t.Fatal(err)
	}
}
