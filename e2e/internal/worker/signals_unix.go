//go:build unix

package worker

import "syscall"

// The signals that freeze a process and let it continue.
const (
	signalFreeze = syscall.SIGSTOP
	signalWake   = syscall.SIGCONT
)
