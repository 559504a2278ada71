package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
)

// with runs a command line with an environment.
func with(t *testing.T, ctx context.Context, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a := newApp(&out)
	a.asks = false
	a.getenv = func(name string) string { return env[name] }
	code = execute(ctx, a, args, &out, &errs)
	return code, out.String(), errs.String()
}

// freeAddress returns an address of this machine that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Commands act through a server as they do on a store. The server knows who
// acts by the token, and refuses what the role does not cover.
func TestConsole_CommandsThroughServer(t *testing.T) {
	dir := t.TempDir()
	tokens := filepath.Join(dir, "tokens.yaml")
	secret := func(name, role string) string {
		code, out, stderr := elasticctl(t, "token", "new", name, "--role", role, "--file", tokens)
		if code != exitDone {
			t.Fatalf("token new: %d %s", code, stderr)
		}
		return strings.TrimSpace(out)
	}
	admin, reader := secret("ada", "admin"), secret("rita", "read")
	if text, err := os.ReadFile(tokens); err != nil || strings.Contains(string(text), admin) {
		t.Errorf("the file of tokens holds a token: %v", err)
	}
	url := testservers.StartEtcd(t).URL("console")
	address := freeAddress(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		code, _, stderr := with(t, ctx, nil, "console", "--store", url, "--listen", address, "--tokens", tokens)
		t.Log(stderr)
		ended <- code
	}()
	as := func(token string, args ...string) (int, string, string) {
		t.Helper()
		env := map[string]string{"ELASTIC_SERVER": "http://" + address, "ELASTIC_TOKEN": token}
		return with(t, t.Context(), env, args...)
	}
	jobs := filepath.Join(dir, "jobs.yaml")
	text := "jobs: [{name: report, schedule: '0 0 3 * * ?', shards: 4}]"
	if err := os.WriteFile(jobs, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stderr := exitUnreachable, ""
	for end := time.Now().Add(time.Minute); code == exitUnreachable && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
		code, _, stderr = as(admin, "job", "ls")
	}
	if code != exitDone {
		t.Fatalf("job ls: %d %s", code, stderr)
	}
	for _, c := range []struct {
		token string
		args  []string
		code  int
		want  string
	}{
		{admin, []string{"job", "apply", "-f", jobs, "--yes"}, exitDone, "report"},
		{reader, []string{"job", "ls"}, exitDone, "report"},
		{reader, []string{"job", "show", "report", "-o", "json"}, exitDone, `"schedule"`},
		{reader, []string{"job", "disable", "report", "--yes"}, exitNotAllowed, "needs the role operate"},
		{"nonsense", []string{"job", "ls"}, exitNotAllowed, "send a valid token"},
		{admin, []string{"job", "disable", "report", "--yes", "--why", "INC-1"}, exitDone, ""},
		{admin, []string{"job", "show", "absent"}, exitNotFound, "absent"},
		{admin, []string{"audit"}, exitDone, "ada"},
		{admin, []string{"why", "report"}, exitDone, "disabled"},
	} {
		code, out, stderr := as(c.token, c.args...)
		if code != c.code || !strings.Contains(out+stderr, c.want) {
			t.Errorf("%v: exit code %d, want %d with %q\n%s%s", c.args, code, c.code, c.want, out, stderr)
		}
	}
	stop()
	if code := <-ended; code != exitDone && code != exitInterrupted {
		t.Errorf("the server ended with the exit code %d", code)
	}
}

// A server that other machines reach needs tokens.
func TestConsole_RefusesOpenAddress(t *testing.T) {
	code, _, stderr := elasticctl(t, "console", "--store", "memory://x", "--listen", ":0")
	if code != exitUsage || !strings.Contains(stderr, "callers are not identified") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
