package chaos

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/e2e/internal/worker"
	"github.com/elasticjob-go/elastic/internal/checker"
)

// TestComparison_WithPeers runs the worker of another library and ours with the
// same jobs, work and faults at the same moments, and judges their journals
// alike. It checks one promise only: each fire of each shard runs once.
func TestComparison_WithPeers(t *testing.T) {
	if *peerFlag == "" {
		t.Skip("no -peer: `make bench-peers` builds the worker of the other library, and runs this")
	}
	seed := worker.Seed()
	k := kinds[slices.IndexFunc(kinds, func(k kind) bool { return k.name == "etcd" })]
	text := "| | fires due | never begun | cut off, not repeated | repeated after a cut | " +
		"**run twice** | **lost per million** | **run twice per million** |\n" +
		"| --- | --- | --- | --- | --- | --- | --- | --- |\n"
	faults := ""
	for _, subject := range []struct {
		name, binary string
		args         []string
	}{
		{name: "elastic"},
		{name: "gocron, elector", binary: *peerFlag, args: []string{"-mode", "elector"}},
		{name: "gocron, locker", binary: *peerFlag, args: []string{"-mode", "locker"}},
	} {
		t.Run(strings.ReplaceAll(subject.name, ", ", "-"), func(t *testing.T) {
			l := whole
			l.varied = false
			l.skew = 0
			l.args = subject.args
			f := newFleet(t, k, l)
			f.Rand = rand.New(rand.NewPCG(seed, 0))
			f.Binary = cmp.Or(subject.binary, f.Binary)
			f.start()
			from := time.Now()
			f.suffer(slices.DeleteFunc(f.draw(), func(a fault) bool { return a.what == "clock" }))
			to := time.Now()
			worker.Until(to.Add(2*f.load.ttl + bound)) // what is late may come
			for _, p := range f.places {
				p.Ask()
			}
			for _, p := range f.places {
				p.Code()
			}
			f.Look()
			c := f.compare(judge{f.History().Acts, f.load.ttl}, from, to)
			text += c.row(subject.name)
			faults = figures{did: f.did}.faults()
			if subject.binary == "" && (c.lost() > 0 || c.twice > 0) {
				t.Errorf("got %+v, want none lost, and none run twice", c)
			}
		})
	}
	t.Logf("seed %d, %v of %s\n%s", seed, *durationFlag, faults, text)
}

// comparison holds the figures that apply to any scheduler.
type comparison struct {
	due, neverBegun, cutOff, repeated, twice int
}

// compare counts the fires between two moments. A run is repeated if it begins
// again after its process was killed, frozen or cut off from the store. It is
// run twice if it begins again after it had ended, or while its process was
// alive and undisturbed.
func (f *fleet) compare(by judge, from, to time.Time) (c comparison) {
	runs := map[fire][]checker.Line{}
	for _, l := range f.Lines {
		at := fire{worker.Of(l), l.Fire.Unix()}
		runs[at] = append(runs[at], l)
	}
	for _, j := range f.jobs {
		for item := range j.Shards {
			for at := f.Schedule.Next(from); !at.After(to); at = f.Schedule.Next(at) {
				by.count(runs[fire{worker.Shard{Job: j.Name, Item: item}, at.Unix()}], &c)
			}
		}
	}
	return c
}

// judge holds the faults of processes.
type judge struct {
	acts []checker.Act
	ttl  time.Duration
}

// count judges the lines of one fire of a shard.
func (j judge) count(lines []checker.Line, c *comparison) {
	c.due++
	slices.SortStableFunc(lines, func(a, b checker.Line) int { return a.Time.Compare(b.Time) })
	through := false
	var open *checker.Line
	starts := 0
	for i, l := range lines {
		switch {
		case l.Event == "end":
			through = through || l.Outcome == "ok"
			if l.Outcome == "ok" && open != nil && open.PID == l.PID {
				open = nil
			}
			continue
		case starts == 0:
		case through && !j.disturbed(lines[i-1], l), open != nil && !j.disturbed(*open, l):
			c.twice++
		default:
			c.repeated++
		}
		starts++
		open = &lines[i]
	}
	switch {
	case starts == 0:
		c.neverBegun++
	case !through:
		c.cutOff++
	}
}

// disturbed reports whether a run's process, or the store, had a fault before
// another run began.
func (j judge) disturbed(run, again checker.Line) bool {
	return slices.ContainsFunc(j.acts, func(a checker.Act) bool {
		mine := a.PID == run.PID || a.PID == 0
		// A process that was cut off before the run began has not recovered for
		// a while.
		return mine && a.Kind != checker.Start && a.Time.After(run.Fire.Add(-j.ttl)) && a.Time.Before(again.Time)
	})
}

func (c comparison) lost() int { return c.neverBegun + c.cutOff }

func (c comparison) row(name string) string {
	million := func(n int) string { return fmt.Sprintf("%.0f", float64(n)*1e6/float64(max(1, c.due))) }
	return fmt.Sprintf("| %s | %d | %d | %d | %d | **%d** | **%s** | **%s** |\n",
		name, c.due, c.neverBegun, c.cutOff, c.repeated, c.twice, million(c.lost()), million(c.twice))
}

func TestPeers_CountsLostAndDoubleRuns(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	line := func(event string, pid int, after time.Duration, outcome string) checker.Line {
		return checker.Line{
			Event:   event,
			PID:     pid,
			Fire:    at,
			Time:    at.Add(after),
			Outcome: outcome,
		}
	}
	kill := []checker.Act{{Time: at.Add(500 * time.Millisecond), Kind: checker.Kill, PID: 1}}
	start, end := line("start", 1, 0, ""), line("end", 1, time.Second, "ok")
	for name, row := range map[string]struct {
		lines []checker.Line
		acts  []checker.Act
		want  comparison
	}{
		"once":    {[]checker.Line{start, end}, nil, comparison{due: 1}},
		"never":   {nil, nil, comparison{due: 1, neverBegun: 1}},
		"cut off": {[]checker.Line{start}, kill, comparison{due: 1, cutOff: 1}},
		"repeated": {
			[]checker.Line{start, line("start", 2, 2*time.Second, ""), line("end", 2, 3*time.Second, "ok")},
			kill,
			comparison{due: 1, repeated: 1},
		},
		"again though through": {
			[]checker.Line{start, end, line("start", 2, 2*time.Second, ""), line("end", 2, 3*time.Second, "ok")},
			nil,
			comparison{due: 1, twice: 1},
		},
		"two at a time": {
			[]checker.Line{start, line("start", 2, time.Millisecond, ""), end, line("end", 2, time.Second, "ok")},
			nil,
			comparison{due: 1, twice: 1},
		},
		"told to stop, never repeated": {
			[]checker.Line{start, line("end", 1, time.Second, "unfinished: no session")},
			nil,
			comparison{due: 1, cutOff: 1},
		},
	} {
		var got comparison
		if (judge{row.acts, 2 * time.Second}).count(row.lines, &got); got != row.want {
			t.Errorf("%s: got %+v, want %+v", name, got, row.want)
		}
	}
}
