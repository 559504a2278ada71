//go:build unix

package containers

import (
	"errors"
	"syscall"
)

// isGone reports whether this machine has no process with the ID pid.
func isGone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
