package script_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// zombies returns the children of this process that are zombies.
func zombies(t *testing.T) (all []string) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it is gone
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[0] == "Z" && fields[1] == strconv.Itoa(os.Getpid()) {
			all = append(all, name)
		}
	}
	return all
}

// A program that adopts the processes that its scripts leave, as the first
// process of a container does, keeps no zombies of them. Its other children
// keep their exit codes. The test runs itself as that program.
func TestReap_KeepsNoZombies(t *testing.T) {
	if os.Getenv("ADOPT") == "" {
		program := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		program.Env = append(os.Environ(), "ADOPT=1")
		if out, err := program.CombinedOutput(); err != nil {
			t.Errorf("%v:\n%s", err, out)
		}
		return
	}
	const setChildSubreaper = 36
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		t.Fatal(errno)
	}
	// The second process outlives its parent, and has a child that outlives it.
	h, _ := sh(t, `(exit 0) >/dev/null 2>&1 & (sleep 0.1 & (sleep 0.2; exit 3) & sleep 0.15) >/dev/null 2>&1 & exit 0`)
	timed, _ := sh(t, `trap '' TERM; (sleep 1000 & sleep 1000) & wait; wait`, grace(time.Nanosecond))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := h.Handle(t.Context(), shard); err != nil {
				t.Error(err)
			}
		})
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := timed.Handle(ctx, shard); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	for i := range 40 {
		attr := &syscall.SysProcAttr{Setpgid: i%3 == 1, Setsid: i%3 == 2}
		group.Go(func() {
			other := exec.Command("sh", "-c", fmt.Sprintf("exit %d", i+1))
			other.SysProcAttr = attr
			err := other.Run()
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != i+1 {
				t.Errorf("got %v, want exit code %d", err, i+1)
			}
		})
	}
	group.Wait()
	until(t, "no zombie is left", func() bool { return len(zombies(t)) == 0 })
	until(t, "nothing runs", func() bool {
		_, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		return errors.Is(err, syscall.ECHILD)
	})
}
