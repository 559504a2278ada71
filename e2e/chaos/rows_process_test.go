package chaos

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/e2e/internal/worker"
	"github.com/elasticjob-go/elastic/internal/checker"
)

// launch starts a fleet and returns when every shard has run.
func launch(t *testing.T, k kind, l load) *fleet {
	t.Helper()
	f := newFleet(t, k, l)
	f.start()
	return f
}

// busy returns a place in the middle of its runs.
func (f *fleet) busy() *place {
	f.t.Helper()
	p := f.places[f.Rand.IntN(len(f.places))]
	l := f.awaitStart(p)
	worker.Until(l.Time.Add(f.load.work / 2))
	return p
}

// hits counts a fault.
func (f *fleet) hits(what string) { f.did[what]++ }

// repeated checks that the next attempts of runs that were cut off begin in
// time.
func (f *fleet) repeated(cut []checker.Line, since time.Time) {
	f.t.Helper()
	if len(cut) == 0 {
		f.t.Error("nothing was cut off: nothing is shown")
	}
	for _, l := range cut {
		again := f.awaitRepeat(l)
		if again.Attempt != l.Attempt+1 || again.Fence <= l.Fence {
			f.t.Errorf("%s was followed by %s, want the next attempt with a greater fence", l, again)
		}
		if took := again.Time.Sub(since) - f.Starved(since, again.Time); took > f.load.ttl+f.late()+bound {
			f.t.Errorf("%s/%d began again after %v, want at most %v", l.Job, l.Shard, took, f.load.ttl+f.late()+bound)
		}
	}
}

// owners returns the process that ran each shard last.
func (f *fleet) owners() map[worker.Shard]int {
	f.Look()
	all := map[worker.Shard]int{}
	for _, l := range f.Lines {
		if l.Event == "start" {
			all[worker.Of(l)] = l.PID
		}
	}
	return all
}

func killWhileRunning(t *testing.T, k kind) {
	f := launch(t, k, small)
	for range 3 {
		p := f.busy()
		before := f.owners()
		f.hits("kill")
		p.Kill()
		dead, since := p.PID(), time.Now()
		f.repeated(f.Unfinished(p.Process), since)
		f.awaitAll()
		for s, owner := range f.owners() {
			if before[s] != dead && owner != before[s] {
				t.Errorf(
					"shard %d of %s moved from %d to %d, though neither had died: want no more to move than must",
					s.Item, s.Job, before[s], owner,
				)
			}
		}
		p.start()
		f.awaitStart(p)
		f.awaitAll()
	}
	f.finish()
}

func killWhileIdle(t *testing.T, k kind) {
	l := small
	l.schedule, l.work = "0/5 * * * * ?", 100*time.Millisecond
	f := launch(t, k, l)
	for range 2 {
		p := f.places[f.Rand.IntN(len(f.places))]
		run := f.awaitStart(p)
		worker.Until(run.Fire.Add(2 * time.Second)) // everything has ended, and nothing is due
		f.Look()
		f.hits("kill")
		p.Kill()
		if cut := f.Unfinished(p.Process); len(cut) > 0 {
			t.Fatalf("%s ran %v, want it to be idle", p.Process, cut)
		}
		p.start()
		f.awaitStart(p)
	}
	f.NoRepeats()
	f.finish()
	f.NoRepeats()
}

func killTheTaker(t *testing.T, k kind) {
	l := small
	l.schedule, l.work = "0/4 * * * * ?", 1500*time.Millisecond
	f := launch(t, k, l)
	first := f.busy()
	f.hits("kill")
	first.Kill()
	cut := f.Unfinished(first.Process)
	if len(cut) == 0 {
		t.Fatal("nothing was cut off: nothing is shown")
	}
	run := cut[0]
	again := f.awaitRepeat(run)
	i := slices.IndexFunc(f.places, func(p *place) bool { return p.PID() == again.PID })
	f.hits("kill the taker")
	f.places[i].Kill()
	third := f.awaitRepeat(again)
	if third.Attempt != 3 || third.PID == again.PID || third.PID == run.PID {
		t.Errorf("%s was taken over as %s and then as %s, want attempt 3 by the third process", run, again, third)
	}
	first.start()
	f.places[i].start()
	f.finish()
}

func killAndRestartAtOnce(t *testing.T, k kind) {
	f := launch(t, k, small)
	for range 3 {
		p := f.busy()
		f.hits("kill")
		p.Kill()
		since, cut := time.Now(), f.Unfinished(p.Process)
		p.start() // of the same name, before an instance knows that the first is dead
		f.repeated(cut, since)
		f.awaitStart(p)
	}
	f.finish()
}

func killAll(t *testing.T, k kind) {
	l := small
	l.varied = true
	f := launch(t, k, l)
	f.busy()
	var cut []checker.Line
	for _, p := range f.places {
		f.hits("kill")
		p.Kill()
		cut = append(cut, f.Unfinished(p.Process)...)
	}
	worker.Until(time.Now().Add(f.load.ttl + 2*time.Second)) // the fleet is down, and fires come due
	f.places[0].start()
	for _, l := range cut {
		if i := slices.IndexFunc(f.jobs, func(j elastic.Job) bool { return j.Name == l.Job }); f.jobs[i].Failover {
			f.awaitRepeat(l)
		}
	}
	f.finish()
}

func leave(t *testing.T, k kind) {
	l := small
	l.ttl = 10 * time.Second // so that waiting for it would show
	f := launch(t, k, l)
	for range 3 {
		p := f.busy()
		f.hits("leave")
		p.Ask()
		running := f.Unfinished(p.Process)
		p.Gone()
		f.Look()
		if cut := f.Unfinished(p.Process); len(cut) > 0 {
			t.Errorf("%s left without finishing %s", p.Process, cut[0])
		}
		for _, l := range running {
			next := f.AwaitLine(0, "the next fire elsewhere", func(n checker.Line) bool {
				return n.Event == "start" && worker.Of(n) == worker.Of(l) && n.Fire.After(l.Fire)
			})
			if late := next.Time.Sub(next.Fire) - f.Starved(next.Fire, next.Time); late > 2*time.Second {
				t.Errorf("%s began %v after its fire, want at once", next, late)
			}
		}
		p.start()
		f.awaitAll()
	}
	f.finish()
	f.NoRepeats()
}

func leaveDeaf(t *testing.T, k kind) {
	l := small
	l.schedule = "0/8 * * * * ?"
	l.work = 6 * time.Second
	l.drain = 200 * time.Millisecond
	l.args = []string{"-deaf"}
	f := launch(t, k, l)
	p := f.places[0]
	run := f.awaitStart(p)
	worker.Until(run.Time.Add(500 * time.Millisecond))
	f.hits("leave")
	p.Ask()
	if code := p.Code(); code != 1 {
		t.Errorf("%s left its handlers behind with exit code %d, want 1", p.Process, code)
	}
	left := time.Now()
	cut := f.Unfinished(p.Process)
	p.start()
	f.repeated(cut, left)
	// Its session ends when it has given up waiting, and the process a moment
	// later; the handlers have been told to stop long before.
	f.tolerate = func(v checker.Violation) bool {
		return (v.Invariant == 1 || v.Invariant == 3) && v.Time.After(left.Add(-time.Second)) && v.Time.Before(left)
	}
	f.finish()
}

func freeze(t *testing.T, k kind) {
	l := small
	l.args = []string{"-deaf"} // the work of the one that wakes goes on, and writes
	f := launch(t, k, l)
	for range 2 {
		p := f.busy()
		f.hits("freeze")
		since := time.Now()
		p.Freeze()
		worker.Until(since.Add(100 * time.Millisecond)) // what it wrote before is there
		cut := f.Unfinished(p.Process)
		if !k.alone() {
			f.repeated(cut, since)
		}
		worker.Until(since.Add(3 * f.load.ttl))
		p.Wake()
		f.awaitStart(p)
		f.awaitAll()
	}
	if g := f.finish(); g.refused == 0 && !k.alone() {
		t.Error("the resource had to refuse nothing: nothing is shown")
	}
}

// freezeAtTheAnswer stops a process again and again while its claims are in
// flight, for longer than its session lives. When it wakes it gets their
// answers, and must call no handler whose run has begun elsewhere as a later
// attempt.
func freezeAtTheAnswer(t *testing.T, k kind) {
	l := small
	l.shards, l.work = 12, 5*time.Millisecond
	f := launch(t, k, l)
	for round := range 8 {
		p := f.places[round%len(f.places)]
		f.awaitStart(p)
		f.hits("freeze")
		next := time.Now().Truncate(time.Second).Add(time.Second)
		worker.Until(next.Add(time.Duration(round) * 1500 * time.Microsecond))
		p.Freeze()
		worker.Until(next.Add(f.load.ttl * 9 / 4))
		p.Wake()
		f.awaitAll()
	}
	f.finish()
	f.Look()
	for _, late := range f.Lines {
		if late.Event != "start" {
			continue
		}
		i := slices.IndexFunc(f.Lines, func(early checker.Line) bool {
			return early.Event == "start" && worker.Of(early) == worker.Of(late) &&
				early.Fire.Equal(late.Fire) && early.Attempt > late.Attempt && early.Time.Before(late.Time)
		})
		if i >= 0 {
			t.Errorf("%s began %v after %s", late, late.Time.Sub(f.Lines[i].Time), f.Lines[i])
		}
	}
}

func freezeTheLeader(t *testing.T, k kind) {
	f := launch(t, k, small)
	leader := f.oldest()
	other := f.places[(slices.Index(f.places, leader)+1)%len(f.places)]
	f.hits("freeze the leader")
	leader.Freeze()
	f.hits("kill")
	other.Kill() // another instance must assign its shards
	cut, since := f.Unfinished(other.Process), time.Now()
	other.start()
	for _, l := range cut {
		f.awaitRepeat(l)
	}
	worker.Until(since.Add(2 * f.load.ttl))
	leader.Wake()
	f.awaitStart(leader)
	f.finish()
}

func memoryPressure(t *testing.T, k kind) {
	l := small
	l.environment = []string{"GOMEMLIMIT=32MiB", "GOGC=10"} // it collects garbage all the time
	f := launch(t, k, l)
	for range 3 {
		p := f.busy()
		f.hits("stutter")
		p.Freeze() // the world stops, for a little less than costs a session
		worker.Until(time.Now().Add(f.load.ttl / 5))
		p.Wake()
		f.awaitAll()
	}
	f.finish()
}

// starvation gives a process a twentieth of the CPU time, as cpulimit does.
func starvation(t *testing.T, k kind) {
	f := launch(t, k, small)
	p := f.busy()
	f.hits("starve")
	p.Freeze()
	for end := time.Now().Add(5 * f.load.ttl); time.Now().Before(end); {
		p.Signal(syscall.SIGCONT)
		worker.Until(time.Now().Add(5 * time.Millisecond))
		p.Signal(syscall.SIGSTOP)
		worker.Until(time.Now().Add(95 * time.Millisecond))
		f.Look()
	}
	p.Wake()
	f.awaitStart(p)
	f.finish()
}

// noDisk starts a process that can't write a file, and reads its journal
// through a pipe.
func noDisk(t *testing.T, k kind) {
	f := launch(t, k, small)
	p := f.place("diskless")
	journal, err := os.OpenFile(f.Journal, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.command = func(cmd *exec.Cmd) {
		shell := exec.Command(
			"/bin/sh", append([]string{"-c", `ulimit -f 0 && cd / && exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)...,
		)
		cmd.Path, cmd.Args = shell.Path, shell.Args
		cmd.Env = append(cmd.Env, "TMPDIR=/nonexistent", "HOME=/nonexistent")
		cmd.Stdout, cmd.Stderr = lines{journal}, lines{os.Stderr}
	}
	f.hits("no disk")
	p.start("-out", "/dev/stdout", "-log-level", "error")
	f.command = nil
	f.awaitStart(p)
	f.awaitAll()
	f.finish()
	journal.Close() // the process has ended
}

// lines is a writer that is not a file, so that a process is given a pipe.
type lines struct{ file *os.File }

func (l lines) Write(b []byte) (int, error) { return l.file.Write(b) }

func restartStorm(t *testing.T, k kind) {
	l := load{
		places:   8,
		jobs:     20,
		shards:   10,
		schedule: "0/4 * * * * ?",
		work:     200 * time.Millisecond,
	}
	f := launch(t, k, l)
	for round := range 2 {
		for _, p := range f.places {
			f.hits("leave")
			p.Ask()
			p.Gone()
			p.start()
			if round == 1 {
				worker.Until(time.Now().Add(500 * time.Millisecond))
			}
		}
	}
	f.finish()
	f.NoRepeats()
}
