//go:build unix && !linux

package script

import "syscall"

// inGroup makes the script the leader of a process group.
func inGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
