package dbtest

import "syscall"

// attributes make the kernel kill the server when the test process ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
