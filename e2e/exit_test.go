package e2e

import (
	"bytes"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/e2e/internal/worker"
)

// run runs a worker until it ends, and returns its exit code, -1 if a signal
// ended it, and its output.
func run(t *testing.T, when func(said string, p *exec.Cmd) bool, args ...string) (code int, said string) {
	t.Helper()
	binary, err := worker.Binary()
	if err != nil {
		t.Fatal(err)
	}
	out := &output{}
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = out, out
	ended, err := worker.Spawn(cmd)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.After(patience)
	for waiting := true; waiting; {
		select {
		case <-ended:
			waiting = false
		case <-time.After(5 * time.Millisecond):
			if when != nil && when(out.text(), cmd) {
				when = nil
			}
		case <-deadline:
			cmd.Process.Kill()
			<-ended
			t.Fatalf("the worker has not ended after %v:\n%s", patience, out.text())
		}
	}
	return cmd.ProcessState.ExitCode(), out.text()
}

func TestExit_SecondSignalEndsWorker(t *testing.T) {
	t.Parallel()
	var asked time.Time
	code, said := run(t, func(said string, p *exec.Cmd) bool {
		switch {
		case asked.IsZero() && strings.Contains(said, "working"):
			p.Process.Signal(syscall.SIGTERM)
			asked = time.Now()
		case !asked.IsZero() && strings.Contains(said, "dropped"): // it has taken the first one
			p.Process.Signal(syscall.SIGTERM)
			return true
		}
		return false
	}, "-store", "memory://alone", "-schedule", "* * * * * ?", "-work", "1m", "-drain", "1m", "-log-level", "debug")
	if took := time.Since(asked); code != -1 || took > 10*time.Second {
		t.Errorf("got exit code %d after %v, want the signal to have ended it at once:\n%s", code, took, said)
	}
}

func TestExit_ZeroAfterDrain(t *testing.T) {
	t.Parallel()
	code, said := run(t, func(said string, p *exec.Cmd) bool {
		if !strings.Contains(said, `"msg":"working"`) {
			return false
		}
		p.Process.Signal(syscall.SIGINT)
		return true
	}, "-store", "memory://alone", "-schedule", "* * * * * ?", "-work", "100ms", "-log", "json", "-log-level", "debug")
	if code != 0 || !strings.Contains(said, `"kind":"left"`) {
		t.Errorf("got exit code %d, want 0 after it has left:\n%s", code, said)
	}
}

// A worker with wrong flags names all of them and exits with 2.
func TestWorker_ListsWrongFlagsAndExitsWithTwo(t *testing.T) {
	t.Parallel()
	code, said := run(t, nil, "-schedule", "61 * * * * ?", "-shards", "-1")
	if code != 2 {
		t.Errorf("got exit code %d, want 2", code)
	}
	for _, want := range []string{"-store", "schedule", "shards"} {
		if !strings.Contains(said, want) {
			t.Errorf("got %q, want something about %s", said, want)
		}
	}
}

// A worker whose store can't be reached names the host and exits with 1.
func TestWorker_NamesUnreachableHost(t *testing.T) {
	t.Parallel()
	start := time.Now()
	code, said := run(t, nil, "-store", "etcd://127.0.0.1:1/none")
	if took := time.Since(start); code != 1 || !strings.Contains(said, "127.0.0.1:1") || took > 20*time.Second {
		t.Errorf("got exit code %d after %v, want 1 within 20s and the host:\n%s", code, took, said)
	}
}

// output takes what a process writes, while the test reads it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
