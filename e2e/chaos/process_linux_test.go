package chaos

import (
	"fmt"
	"os"
	"syscall"
)

// dieWithParent has the kernel kill a worker when the test process ends, however it ends.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// files returns how many files and connections the process holds.
func (w *worker) files() int {
	all, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", w.pid())) // none if it is gone
	return len(all)
}
