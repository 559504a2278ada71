package worker

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"
)

// The kernel reports waits of four processes that share a processor. They run
// at low priority, so that they disturb only each other.
func TestMachine_ReadsWaitsFromKernel(t *testing.T) {
	if len(waits(os.Getpid())) == 0 {
		t.Skip("this kernel keeps no account of who waits: a machine with too much to do makes tests fail")
	}
	mine := map[int]bool{}
	for range 4 * runtime.NumCPU() {
		cmd := exec.Command("nice", "-n", "19", "sh", "-c", "while :; do :; done")
		ended, err := Spawn(cmd)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); <-ended })
		mine[cmd.Process.Pid] = true
	}
	m := &machine{}
	stop := m.watch()
	defer stop()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(every) {
		all := m.starved(mine)
		if slices.ContainsFunc(all, func(s starvation) bool { return mine[s.pid] && s.to.Sub(s.from) >= 2*every }) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %v, want some of %d busy processes to wait", all, len(mine))
		}
	}
}
