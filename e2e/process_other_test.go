//go:build !linux

package e2e

import "syscall"

// dieWithParent can't be had here: a test that is killed leaves its workers behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
