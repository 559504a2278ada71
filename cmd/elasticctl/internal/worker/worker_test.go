package worker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/elasticjob-go/elastic/store/memory"
)

// log is a buffer that goroutines share.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// file writes a job file and returns its path.
func file(t *testing.T, path, text string) string {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "jobs.yaml")
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs a worker until the test ends, or stop is called, which returns
// Run's error.
func start(t *testing.T, c Config) (output *log, stop func() error) {
	t.Helper()
	output = &log{}
	c.Log = slog.New(slog.NewTextHandler(output, nil))
	c.Store = "memory://" + strings.ReplaceAll(t.Name(), "/", "-")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := Run(ctx, c)
		fmt.Fprintln(output, "Run returned", err)
		ended <- err
	}()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("the worker's log:\n%s", output)
		}
	})
	return output, stop
}

// A script and an HTTP call of a file run, and the drain ends the worker
// without an error.
func TestRun_ScriptAndHTTPCall(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/run/0" {
			calls.Add(1)
		}
	}))
	defer server.Close()
	out := filepath.Join(t.TempDir(), "out")
	path := file(t, "", fmt.Sprintf(`
jobs:
  - name: script
    schedule: "@every 1s"
    run:
      script:
        path: sh
        args: ["-c", 'echo "$$ELASTICJOB_JOB" >> "$$OUT"; echo written']
        env: {OUT: %q}
  - name: call
    schedule: "@every 1s"
    run:
      http: {url: "%s/run/{shard}", allow: [loopback]}
`, out, server.URL))
	output, stop := start(t, Config{File: path})
	await(t, "a run of the script", func() bool {
		text, _ := os.ReadFile(out)
		return strings.Contains(string(text), "script\n")
	})
	await(t, "a call", func() bool { return calls.Load() > 0 })
	await(t, "the script's output in the log", func() bool { return strings.Contains(output.String(), "written") })
	if err := stop(); err != nil {
		t.Errorf("Run returned %v after the drain", err)
	}
}

// A reload replaces the work of a job that stays, adds and drops jobs, and a
// file with faults changes nothing.
func TestRun_Reload(t *testing.T) {
	dir := t.TempDir()
	text := func(word string, more string) string {
		return fmt.Sprintf(`
jobs:
  - name: stays
    schedule: "@every 1s"
    run: {script: {path: sh, args: ["-c", "echo %s >> %s"]}}
%s`, word, filepath.Join(dir, "stays"), more)
	}
	job := func(name string) string {
		return fmt.Sprintf("  - name: %s\n    schedule: \"@every 1s\"\n"+
			"    run: {script: {path: sh, args: [\"-c\", \"echo x >> %s\"]}}\n", name, filepath.Join(dir, name))
	}
	has := func(name, word string) func() bool {
		return func() bool {
			got, _ := os.ReadFile(filepath.Join(dir, name))
			return strings.Contains(string(got), word)
		}
	}
	path := file(t, "", text("old", job("goes")))
	signals := make(chan os.Signal, 1)
	output, stop := start(t, Config{File: path, Reload: signals})
	await(t, "the first file's runs", func() bool { return has("stays", "old")() && has("goes", "x")() })

	file(t, path, text("faulty", "  - {name: broken, schedule: \"@every 1s\"}\n"))
	signals <- os.Interrupt
	await(t, "the fault in the log", func() bool {
		return strings.Contains(output.String(), `job \"broken\": it has no \"run\" section`)
	})
	if has("stays", "faulty")() {
		t.Error("a file with faults was taken over in part")
	}

	file(t, path, text("new", job("comes")))
	signals <- os.Interrupt
	await(t, "the second file's runs", func() bool { return has("stays", "new")() && has("comes", "x")() })
	await(t, "the log to say that a job went", func() bool {
		text := output.String()
		return strings.Contains(text, "no longer has the job") && strings.Contains(text, "job=goes")
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
	if has("stays", "faulty")() {
		t.Error("a file with faults was taken over later")
	}
}

// Files that can't be run are refused before the store is opened, with all
// faults at once.
func TestRun_RefusesFiles(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"jobs: []", "has no jobs"},
		{"jobs: [{name: a, schedule: '@daily'}, {name: b, schedule: '@daily'}]", `job "a": it has no "run" section`},
		{"jobs: [{name: a, schedule: '@daily'}, {name: b, schedule: '@daily'}]", `job "b": it has no "run" section`},
		{"jobs: [{name: a, schedule: '@daily', run: {script: {path: no-such-program}}}]", "no-such-program"},
		{"jobs: [{name: a, schedule: 'nonsense', run: {script: {path: sh}}}]", "schedule"},
	} {
		err := Run(t.Context(), Config{
			Store: "etcd://127.0.0.1:1/never-opened",
			File:  file(t, "", c.text),
			Log:   slog.New(slog.DiscardHandler),
		})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.text, err, c.want)
		}
	}
	_, err := load(filepath.Join(t.TempDir(), "absent.yaml"), slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "absent.yaml") {
		t.Errorf("an absent file: got %v", err)
	}
}

// The address serves metrics and probes, and one that is taken is an error.
func TestRun_ServesMetricsAndHealth(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	path := file(t, "", `jobs: [{name: a, schedule: "@every 1s", run: {script: {path: "true"}}}]`)
	err = Run(t.Context(), Config{
		Store:  "memory://taken",
		File:   path,
		Listen: address,
		Log:    slog.New(slog.DiscardHandler),
	})
	if err == nil || !strings.Contains(err.Error(), "serve metrics and health") {
		t.Fatalf("the address is taken: got %v", err)
	}
	free.Close()
	start(t, Config{File: path, Listen: address})
	get := func(path string) (status int, body string) {
		r, err := http.Get("http://" + address + path)
		if err != nil {
			return 0, err.Error()
		}
		defer r.Body.Close()
		text, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(text)
	}
	await(t, "readiness", func() bool { status, _ := get("/readyz"); return status == http.StatusOK })
	await(t, "a run in the metrics", func() bool {
		_, text := get("/metrics")
		return strings.Contains(text, `elasticjob_runs_total{job_name="a",result="ok"}`)
	})
}
