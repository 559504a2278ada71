package worker

import (
	"fmt"
	"os"
	"syscall"
)

// dieWithParent makes the kernel kill a worker when the test process ends for
// any reason.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// Files returns how many files and connections the process holds.
func (p *Process) Files() int {
	all, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID())) // none if it is gone
	return len(all)
}
