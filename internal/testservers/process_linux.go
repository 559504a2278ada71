package testservers

import "syscall"

// dieWithParent makes the kernel kill the server when the test process ends for
// any reason: a time-out of go test runs no cleanup.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
