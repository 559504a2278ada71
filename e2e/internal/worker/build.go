// Package worker is examples/worker as tests of real processes have it: they
// build it, start processes of it that share jobs on a store, do to them what
// happens to processes, and read what their handlers write to a journal.
//
// A [Fleet] keeps account of all that, so that package internal/checker can
// look at it in the end as a history. What the tests of a package do to a
// fleet, and what they promise of it, is theirs.
package worker

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// Build builds the worker as a file, with more flags for go build. It runs in a
// package of this module, whose tests are that deep in the repository; up is
// the way from there to its root.
func Build(up, binary string, flags ...string) error {
	var said bytes.Buffer
	cmd := exec.Command("go", slices.Concat([]string{"build", "-o", binary}, raceFlag, flags, []string{"./worker"})...)
	cmd.Dir = filepath.Join(up, "examples")
	cmd.Stdout, cmd.Stderr = &said, &said
	ended, err := Spawn(cmd)
	if err != nil {
		return fmt.Errorf("build the worker: %w", err)
	}
	if <-ended; !cmd.ProcessState.Success() {
		return fmt.Errorf("build the worker: %s\n%s", cmd.ProcessState, &said)
	}
	return nil
}

// Binary returns the worker that the tests of a process share. [Main] has said
// where it is; it is built when somebody first asks.
var Binary func() (string, error)

// Main runs the tests of a package. Up is the way from its directory to the
// root of the repository.
func Main(m *testing.M, up string) (code int) {
	dir, err := os.MkdirTemp("", "elastic-worker-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	Binary = sync.OnceValues(func() (string, error) {
		binary := filepath.Join(dir, "worker")
		return binary, Build(up, binary)
	})
	defer theMachine.watch()()
	return m.Run()
}
