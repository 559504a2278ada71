//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
)

// A real process takes SIGHUP for a reload, and SIGTERM for a drain that lets
// the script finish.
func TestWorker_Signals(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "elasticctl")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	journal := filepath.Join(dir, "journal")
	jobs := filepath.Join(dir, "jobs.yaml")
	write := func(word string) {
		text := fmt.Sprintf(`
jobs:
  - name: slow
    schedule: "@every 1s"
    run: {script: {path: sh, args: ["-c", "echo begin-%s >> %s; sleep 1; echo end >> %s"]}}
`, word, journal, journal)
		if err := os.WriteFile(jobs, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	var stderr bytes.Buffer
	cmd := exec.Command(binary, "worker", "--jobs", jobs, "--store", testservers.StartEtcd(t).URL("worker"))
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	has := func(word string) bool {
		text, _ := os.ReadFile(journal)
		return strings.Contains(string(text), word)
	}
	await := func(word string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !has(word); time.Sleep(20 * time.Millisecond) {
			select {
			case err := <-ended:
				t.Fatalf("the worker ended: %v\n%s", err, stderr.String())
			default:
			}
			if time.Now().After(deadline) {
				_ = cmd.Process.Kill()
				<-ended
				t.Fatalf("waited in vain for %q\n%s", word, stderr.String())
			}
		}
	}
	await("begin-first")
	write("second")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await("begin-second")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if errors.As(err, &exit) || err != nil {
			t.Errorf("after SIGTERM: %v\n%s", err, stderr.String())
		}
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		t.Fatalf("the worker does not end\n%s", stderr.String())
	}
	text, _ := os.ReadFile(journal)
	if begun, ended := strings.Count(string(text), "begin-"), strings.Count(string(text), "end\n"); begun != ended {
		t.Errorf("%d runs began and %d ended: the drain cut one off\n%s", begun, ended, text)
	}
}

// Wrong flags are usage errors that name the flag, before anything is opened.
func TestWorker_RefusesFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "jobs"},
		{[]string{"--jobs", "x.yaml", "--store", "memory://x", "--log", "xml"}, "--log"},
		{[]string{"--jobs", "x.yaml", "--store", "memory://x", "--log-level", "loud"}, "--log-level"},
		{[]string{"--jobs", "x.yaml", "--store", "memory://x", "--exclusive"}, "--name"},
		{[]string{"--jobs", "x.yaml", "--store", "memory://x", "stray"}, "stray"},
	} {
		code, _, stderr := elasticctl(t, append([]string{"worker"}, c.args...)...)
		if code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit code %d, %q; want 2 and %q", c.args, code, stderr, c.want)
		}
	}
}
