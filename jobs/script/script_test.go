//go:build unix

package script_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/jobs/script"
)

var shard = elastic.Run{
	Job:          "backup",
	Shard:        2,
	Shards:       5,
	Parameter:    "eu west",
	JobParameter: "all",
	Fire:         time.Date(2026, 1, 2, 3, 0, 0, 0, time.FixedZone("", 3600)),
	Attempt:      2,
	Previous:     "a@1",
}

// lines collects the output of a script.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(_ elastic.Run, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
}

func (l *lines) get() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// sh returns a handler that runs a text in a shell.
func sh(t *testing.T, text string, change ...func(*script.Script)) (elastic.Handler, *lines) {
	t.Helper()
	out := new(lines)
	s := script.Script{Path: "sh", Args: []string{"-c", text}, Output: out.add}
	for _, c := range change {
		c(&s)
	}
	h, err := script.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return h, out
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 10 s it is still not so that %s", what)
		}
	}
}

// The environment of a script describes its run.
func TestEnv_DescribesTheRun(t *testing.T) {
	t.Setenv("ELASTICJOB_LEFT_OVER", "of an outer script")
	t.Setenv("ELASTICJOB_SHARD", "99")
	t.Setenv("KEPT", "yes")
	h, out := sh(t, `env | grep -E '^(ELASTICJOB_|KEPT)' | sort`)
	if err := h.Handle(t.Context(), shard); err != nil {
		t.Fatal(err)
	}
	want := strings.Split(`ELASTICJOB_ATTEMPT=2
ELASTICJOB_FENCE=0
ELASTICJOB_FIRE=2026-01-02T03:00:00+01:00
ELASTICJOB_JOB=backup
ELASTICJOB_JOB_PARAMETER=all
ELASTICJOB_KEY=backup/2/2026-01-02T02:00:00Z
ELASTICJOB_PARAMETER=eu west
ELASTICJOB_PREVIOUS=a@1
ELASTICJOB_SHARD=2
ELASTICJOB_TOTAL=5
ELASTICJOB_TRIGGER=0
KEPT=yes`, "\n")
	if got := out.get(); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A stored value is never executed.
func TestHandle_ExecutesNoStoredValue(t *testing.T) {
	dir := t.TempDir()
	h, out := sh(t, `echo "$ELASTICJOB_PARAMETER"`, func(s *script.Script) { s.Dir = dir })
	for _, evil := range []string{
		`$(touch pwned)`, "`touch pwned`", `"; touch pwned; "`, `'; touch pwned; '`, "-rf", `x=() { :;}; touch pwned`,
	} {
		evilShard := shard
		evilShard.Parameter, evilShard.JobParameter = evil, evil
		if err := h.Handle(t.Context(), evilShard); err != nil {
			t.Errorf("%q: %v", evil, err)
		}
		if got := out.get(); got[len(got)-1] != evil {
			t.Errorf("got %q, want the parameter as it is, %q", got[len(got)-1], evil)
		}
	}
	if made, _ := os.ReadDir(dir); len(made) != 0 {
		t.Errorf("a parameter was executed: there is %v", made)
	}
	zero := shard
	zero.Parameter = "a\x00b"
	if err := h.Handle(t.Context(), zero); err == nil {
		t.Error("a parameter with a zero byte was passed on, want an error")
	}
}

// With Env a script gets no other variables but those of the run. AddEnv wins
// over Env, and neither can set the variables of the run.
func TestEnv_IsTheGivenOne(t *testing.T) {
	t.Setenv("STORE_PASSWORD", "secret")
	t.Setenv("MODE", "slow")
	fast := []string{"MODE=fast", "ELASTICJOB_SHARD=99"}
	for _, row := range []struct {
		name        string
		env, addEnv []string
		want        string
	}{
		{"Env", fast, nil, ",fast,2"},
		{"AddEnv", nil, fast, "secret,fast,2"},
		{"both", []string{"MODE=slow", "STORE_PASSWORD=x"}, fast, "x,fast,2"},
	} {
		h, out := sh(t, `echo "$STORE_PASSWORD,$MODE,$ELASTICJOB_SHARD"`, func(s *script.Script) {
			s.Env = row.env
			s.AddEnv = row.addEnv
		})
		if err := h.Handle(t.Context(), shard); err != nil {
			t.Fatal(err)
		}
		if got := out.get(); !slices.Equal(got, []string{row.want}) {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// An exit code other than 0 is an error that ends with the output.
func TestHandle_ExitCodeIsAnError(t *testing.T) {
	h, _ := sh(t, `echo begun; i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done; echo "disk full" >&2; exit 3`)
	err := h.Handle(t.Context(), shard)
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatalf("got %v, want an exec.ExitError with 3", err)
	}
	text := err.Error()
	if !strings.HasSuffix(text, "line 999\ndisk full") || strings.Contains(text, "begun") || len(text) > 1200 {
		t.Errorf("got %q, want it to end with the last KiB of the output", text)
	}
	quiet, _ := sh(t, "exit 4", func(s *script.Script) { s.Output = nil })
	if err := quiet.Handle(t.Context(), shard); err == nil || !strings.HasSuffix(err.Error(), "exit status 4") {
		t.Errorf("got %v", err)
	}
	killed, _ := sh(t, "kill -9 $$")
	if err := killed.Handle(t.Context(), shard); err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("got %v", err)
	}
}

// Output receives the lines of both streams in order.
func TestOutput_ComesLineByLine(t *testing.T) {
	h, out := sh(t, `echo one; echo two >&2; printf 'three\r\n\n'; printf '\377four'`)
	if err := h.Handle(t.Context(), shard); err != nil {
		t.Fatal(err)
	}
	if got, want := out.get(), []string{"one", "two", "three", "", "\uFFFDfour"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Output receives MaxOutput bytes, and then the number of the others.
func TestOutput_IsBounded(t *testing.T) {
	h, out := sh(t, `head -c 1000000 /dev/zero | tr '\0' x; echo; echo end; exit 1`, func(s *script.Script) { s.MaxOutput = 10_000 })
	err := h.Handle(t.Context(), shard)
	got := out.get()
	total := 0
	for _, line := range got[:len(got)-1] {
		total += len(line)
		if len(line) > 4<<10 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	if total != 10_000 {
		t.Errorf("%d bytes were handed on, want 10000", total)
	}
	if got[len(got)-1] != "… 990005 bytes of output are left out" {
		t.Errorf("got %q at the end", got[len(got)-1])
	}
	if err == nil || !strings.HasSuffix(err.Error(), "x\nend") {
		t.Errorf("got %v, want the end of the output all the same", err)
	}
}

// A long line is cut between characters.
func TestOutput_CutsBetweenCharacters(t *testing.T) {
	h, out := sh(t, `printf x; head -c 9000 /dev/zero | sed 's/\x00/é/g'; exit 0`)
	if err := h.Handle(t.Context(), shard); err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(out.get(), ""); all != "x"+strings.Repeat("é", 9000) || len(out.get()) < 4 {
		t.Errorf("got %d lines with %d replaced characters", len(out.get()), strings.Count(all, "\uFFFD"))
	}
}

// New reports each fault of a script, and that its program cannot be started.
func TestNew_ReportsAllFaults(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		s    script.Script
		want []string
	}{
		{script.Script{}, []string{"path", "is empty"}},
		{
			script.Script{Path: "no-such-program"},
			[]string{`"no-such-program" can't be started`, "not found in $PATH", "install it"},
		},
		{script.Script{Path: dir + "/missing"}, []string{"missing", "no such file"}},
		{script.Script{Path: plain}, []string{plain, "permission denied", "make it executable"}},
		{script.Script{Path: dir}, []string{dir, "can't be started"}},
		{
			script.Script{
				Path:      "no-such-program",
				Args:      []string{"a\x00"},
				Dir:       dir + "/missing",
				Env:       []string{"HALF"},
				Grace:     -1,
				MaxOutput: -1,
			},
			[]string{
				"path:", "args: must not hold a zero byte", "dir: ", "missing", `env: `,
				`"HALF"`, "grace: must not be negative, is -1ns", "max output: must not be negative, is -1",
			},
		},
		{script.Script{Path: "sh", Dir: plain}, []string{"dir: ", "is not a directory"}},
	} {
		_, err := script.New(tt.s)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q in it", err, want)
			}
		}
	}
	if _, err := script.New(script.Script{
		Path: "sh",
		Env:  []string{"TOKEN_abc"},
	}); err == nil || strings.Contains(err.Error(), "TOKEN_abcsecret") {
		t.Errorf("got %v", err)
	}
}

// An error shows only the beginning of an invalid variable.
func TestNew_ShowsNoVariable(t *testing.T) {
	_, err := script.New(script.Script{Path: "sh", Env: []string{"a-secret-without-a-name"}})
	if err == nil || strings.Contains(err.Error(), "forgot") {
		t.Errorf("got %v, want no more than the beginning", err)
	}
}

// A relative path is resolved when New is called.
func TestNew_ResolvesThePath(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hello"), []byte("#!/bin/sh\necho hello from $PWD\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	out := new(lines)
	h, err := script.New(script.Script{Path: "./hello", Dir: "/", Output: out.add})
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("/")
	if err := h.Handle(t.Context(), shard); err != nil || !slices.Equal(out.get(), []string{"hello from /"}) {
		t.Errorf("got %v and %q", err, out.get())
	}
}

// A later change of the slices that New was given has no effect.
func TestNew_CopiesSettings(t *testing.T) {
	args, env := []string{"-c", "echo $A"}, []string{"A=1"}
	out := new(lines)
	h, err := script.New(script.Script{Path: "sh", Args: args, Env: env, Output: out.add})
	if err != nil {
		t.Fatal(err)
	}
	args[1], env[0] = "echo other", "A=2"
	if err := h.Handle(t.Context(), shard); err != nil || !slices.Equal(out.get(), []string{"1"}) {
		t.Errorf("got %v and %q, want 1", err, out.get())
	}
}

// A panic of Output fails the run, and the program continues.
func TestOutput_PanicFailsTheRun(t *testing.T) {
	h, _ := sh(t, "echo a; echo b", func(s *script.Script) {
		s.Output = func(elastic.Run, string) { panic("no room") }
	})
	if err := h.Handle(t.Context(), shard); err == nil || !strings.Contains(err.Error(), "panicked: no room") {
		t.Errorf("got %v", err)
	}
}

// Runs at the same time do not mix their output.
func TestOutput_KeepsRunsApart(t *testing.T) {
	var mu sync.Mutex
	got := make(map[int]string)
	h, _ := sh(t, `echo $ELASTICJOB_SHARD`, func(s *script.Script) {
		s.Output = func(run elastic.Run, line string) {
			mu.Lock()
			defer mu.Unlock()
			got[run.Shard] += line
		}
	})
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if err := h.Handle(context.Background(), elastic.Run{Shard: i}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i := range 20 {
		if got[i] != fmt.Sprint(i) {
			t.Errorf("shard %d wrote %q", i, got[i])
		}
	}
}
