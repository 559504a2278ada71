//go:build !linux

package worker

import "syscall"

// dieWithParent can't be had here: a test that is killed leaves its workers
// behind.
func dieWithParent() *syscall.SysProcAttr { return nil }

// Files can't be counted here.
func (p *Process) Files() int { return 0 }
