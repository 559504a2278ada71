//go:build !unix

package worker

import "syscall"

// This system has no signals that freeze a process. Sending these fails.
const (
	signalFreeze = syscall.Signal(19)
	signalWake   = syscall.Signal(18)
)
