package testservers

import "syscall"

// dieWithParent has the kernel kill the server when the test process ends,
// however it ends: a time-out of go test runs no cleanup.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
