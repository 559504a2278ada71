//go:build unix

package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// shared is a buffer that a process writes to while a test reads it.
type shared struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// From one command a newcomer sees runs of a fleet within a minute, and a
// second start shows the same URL. SIGINT ends everything with the exit code 0.
func TestDev_ShowsRunsWithinMinute(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "elasticctl")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data := filepath.Join(dir, "data")
	began := time.Now()
	var output shared
	cmd := exec.Command(binary, "dev", "--demo", "--dir", data)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop := sync.OnceValue(func() error {
		_ = cmd.Process.Signal(syscall.SIGINT)
		return <-ended
	})
	defer stop()
	url := ""
	for deadline := began.Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if _, after, ok := strings.Cut(output.String(), "export ELASTIC_STORE="); ok && url == "" {
			url, _, _ = strings.Cut(after, "\n")
		}
		if url != "" {
			code, table, _ := elasticctl(t, "job", "ls", "--store", url)
			if code == exitDone && strings.Contains(table, "report") && strings.Contains(table, "ok ") {
				t.Logf("a run was shown after %v:\n%s", time.Since(began).Round(100*time.Millisecond), table)
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no run was shown within a minute; elasticctl dev said:\n%s", output.String())
		}
	}
	code, again, stderr := elasticctl(t, "dev", "--dir", data)
	if code != exitDone || !strings.Contains(again, "runs already") || !strings.Contains(again, url) {
		t.Errorf("a second start: exit code %d\n%s%s", code, again, stderr)
	}
	if err := stop(); err != nil {
		t.Errorf("after SIGINT: %v\n%s", err, output.String())
	}
}

// Wrong flags are usage errors before anything is started.
func TestDev_RefusesFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--temp", "--dir", "x"}, "--temp and --dir"},
		{[]string{"--port", "70000"}, "--port 70000"},
		{[]string{"stray"}, "stray"},
	} {
		code, _, stderr := elasticctl(t, append([]string{"dev"}, c.args...)...)
		if code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit code %d, %q; want 2 and %q", c.args, code, stderr, c.want)
		}
	}
}
