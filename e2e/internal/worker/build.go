// Package worker runs examples/worker in tests of real processes. Tests build
// it, start processes that share jobs on a store, cause faults in them, and
// read the journal of their handlers.
//
// A [Fleet] records all that as a history for package internal/checker. The
// faults and the expectations are those of the tests.
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

// Binary returns the worker that the tests of a process share. [Main] sets its
// directory. The first call builds it.
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
