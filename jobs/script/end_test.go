//go:build unix

package script_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/jobs/script"
)

// number waits for the line that begins with a word, and returns the process
// number in it.
func number(t *testing.T, out *lines, word string) (pid int) {
	t.Helper()
	until(t, "the script has written "+word, func() bool {
		for _, line := range out.get() {
			if text, found := strings.CutPrefix(line, word+" "); found {
				pid, _ = strconv.Atoi(text)
				return true
			}
		}
		return false
	})
	return pid
}

// gone reports whether a process has ended. A zombie has ended, too.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func grace(d time.Duration) func(*script.Script) { return func(s *script.Script) { s.Grace = d } }

// When the context ends, the whole process group gets SIGTERM.
func TestEnd_AsksTheWholeGroup(t *testing.T) {
	leaving := errors.New("leaving")
	ctx, cancel := context.WithCancelCause(t.Context())
	h, out := sh(t, `sleep 1000 & echo child $!; echo script $$; trap 'echo asked; exit 0' TERM; wait`, grace(time.Hour))
	done := make(chan error)
	go func() { done <- h.Handle(ctx, shard) }()
	child, self := number(t, out, "child"), number(t, out, "script")
	cancel(leaving)
	if err := <-done; !errors.Is(err, leaving) {
		t.Errorf("got %v, want the cause, even though the script ended with 0", err)
	}
	if got := out.get(); got[len(got)-1] != "asked" {
		t.Errorf("got %q, want the script to have been asked", got)
	}
	until(t, "nothing of it is left", func() bool { return gone(child) && gone(self) })
}

// Processes that ignore SIGTERM are killed after the grace, also those that the
// script started.
func TestEnd_KillsAfterTheGrace(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"the script", `trap '' TERM; sleep 1000 & echo child $!; echo script $$; while :; do wait; done`},
		{"what it has started", `(trap '' TERM; exec sleep 1000) & echo child $!; echo script $$; wait`},
		{
			"what it has started, which has closed its output",
			`(trap '' TERM; exec sleep 1000 >&- 2>&-) & echo child $!; echo script $$; wait`,
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		h, out := sh(t, tt.text, grace(50*time.Millisecond))
		done := make(chan error)
		go func() { done <- h.Handle(ctx, shard) }()
		child, self := number(t, out, "child"), number(t, out, "script")
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want the cause", tt.name, err)
		}
		until(t, tt.name+" is gone", func() bool { return gone(child) && gone(self) })
	}
}

// The error of a run whose context has ended is the cause.
func TestEnd_ReturnsTheCause(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, elastic.ErrTimeout)
	defer cancel()
	h, _ := sh(t, `exec sleep 1000`)
	if err := h.Handle(ctx, shard); !errors.Is(err, elastic.ErrTimeout) {
		t.Errorf("got %v, want the cause", err)
	}
}

// A script is not started if its context has ended.
func TestHandle_NeedsALiveContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h, out := sh(t, `echo started`)
	if err := h.Handle(ctx, shard); !errors.Is(err, context.Canceled) || len(out.get()) != 0 {
		t.Errorf("got %v and %q, want the cause and no output", err, out.get())
	}
}

// A process in the background that keeps the output open is killed after the
// grace, and fails the run.
func TestEnd_KillsProcessesThatKeepOutput(t *testing.T) {
	h, out := sh(t, `sleep 1000 & echo child $!`, grace(time.Millisecond))
	err := h.Handle(t.Context(), shard)
	if !errors.Is(err, exec.ErrWaitDelay) || !strings.Contains(err.Error(), "kept its output open") {
		t.Errorf("got %v", err)
	}
	child := number(t, out, "child")
	until(t, "it is gone", func() bool { return gone(child) })
}

// A run does not end before Output has returned.
func TestEnd_WaitsForOutput(t *testing.T) {
	release, taken := make(chan struct{}), 0
	h, _ := sh(t, `echo one; echo two`, grace(time.Nanosecond), func(s *script.Script) {
		s.Output = func(elastic.Run, string) {
			<-release
			taken++
		}
	})
	done := make(chan error)
	go func() { done <- h.Handle(t.Context(), shard) }()
	select {
	case err := <-done:
		t.Errorf("got %v while the output was not taken", err)
	case <-time.After(1500 * time.Millisecond): // longer than the output is waited for
	}
	close(release)
	if err := <-done; !errors.Is(err, exec.ErrWaitDelay) || !strings.Contains(err.Error(), "Output did not return") {
		t.Errorf("got %v", err)
	}
	if taken == 0 {
		t.Error("nothing was taken")
	}
}

// A process in the background that does not keep the output open continues.
func TestEnd_LeavesQuietProcesses(t *testing.T) {
	h, out := sh(t, `sleep 1000 >/dev/null 2>&1 & echo child $!`)
	if err := h.Handle(t.Context(), shard); err != nil {
		t.Fatal(err)
	}
	child := number(t, out, "child")
	if gone(child) {
		t.Error("it is gone")
	}
	if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

// On Linux a script dies with the process that started it. The test runs itself
// as that process.
func TestEnd_ScriptDiesWithItsParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends a process with its parent")
	}
	if os.Getenv("KILL_ME") != "" {
		h, err := script.New(script.Script{Path: "sh",
			Args: []string{"-c", `echo script $$; exec sleep 1000 >/dev/null`},
			Output: func(_ elastic.Run, line string) {
				os.Stdout.WriteString(line + "\n")
			}})
		if err != nil {
			t.Fatal(err)
		}
		t.Fatal(h.Handle(context.Background(), shard))
	}
	out := new(lines)
	program, err := script.New(script.Script{
		Path: os.Args[0], Args: []string{"-test.run", "^" + t.Name() + "$"}, Env: append(os.Environ(), "KILL_ME=1"),
		Output: func(run elastic.Run, line string) { out.add(run, line) }, Grace: time.Nanosecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- program.Handle(ctx, shard) }()
	self := number(t, out, "script")
	if gone(self) {
		t.Fatal("the script has ended by itself")
	}
	cancel()
	<-done
	until(t, "the script is gone, too", func() bool { return gone(self) })
}
