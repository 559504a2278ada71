package e2e

import (
	"bytes"
	"flag"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/e2e/internal/worker"
	"github.com/elasticjob-go/elastic/internal/checker"
)

var previous = flag.String("previous", "", "git `revision` of the previous release (default the newest tag)")

// An instance of the previous release and one of today share a fleet. Each
// takes over the runs of the other, and the store has nothing that either
// cannot read.
func TestPreviousRelease_SharesFleet(t *testing.T) {
	binary := previousWorker(t)
	f := newFleet(t, settings{shards: 4, schedule: "0/2 * * * * ?", work: time.Second, ttl: 3 * time.Second})
	today := f.Binary
	startOld := func() *worker.Process {
		t.Helper()
		f.Binary = binary
		defer func() { f.Binary = today }()
		return f.start("old")
	}

	old := startOld()
	f.awaitAll()
	young := f.start("new")
	f.AwaitEverybody()
	f.awaitAll()

	run := f.Next("a start of "+old.String(), startOf(old))
	old.Kill()
	f.awaitRepeat(run)

	startOld()
	f.AwaitEverybody()
	f.awaitAll()
	run = f.Next("a start of "+young.String(), startOf(young))
	young.Kill()
	f.awaitRepeat(run)

	f.start("new")
	f.finish()
}

// startOf returns a condition for the start of a run by a process.
func startOf(p *worker.Process) func(checker.Line) bool {
	return func(l checker.Line) bool { return l.Event == "start" && l.PID == p.PID() }
}

// previousWorker builds the worker of the previous release. Without one it
// skips the test.
func previousWorker(t *testing.T) string {
	t.Helper()
	if *previous == "" {
		tag, err := git("describe", "--tags", "--abbrev=0", "--match", "v*")
		if err != nil {
			t.Skipf(
				"SKIPPED: nothing proves that two releases can share a fleet: there is no previous release: %s", tag,
			)
		}
		*previous = tag
	}
	dir := t.TempDir()
	tree, binary := filepath.Join(dir, "tree"), filepath.Join(dir, "worker")
	if out, err := git("worktree", "add", "--detach", tree, *previous); err != nil {
		t.Fatalf("check out %s: %v: %s", *previous, err, out)
	}
	t.Cleanup(func() {
		if out, err := git("worktree", "remove", "--force", tree); err != nil {
			t.Errorf("remove the worktree: %v: %s", err, out)
		}
	})
	if err := worker.Build(tree, binary); err != nil {
		t.Fatalf("build %s: %v", *previous, err)
	}
	return binary
}

// git runs a command of git and returns its output in one line.
func git(args ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.Command("git", args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return strings.TrimSpace(out.String()), err
}
