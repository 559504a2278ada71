//go:build !linux

package chaos

import "syscall"

// dieWithParent can't be had here: a test that is killed leaves its workers behind.
func dieWithParent() *syscall.SysProcAttr { return nil }

// files can't be counted here.
func (w *worker) files() int { return 0 }
