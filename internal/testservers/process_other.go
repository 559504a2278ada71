//go:build !linux

package testservers

import "syscall"

// dieWithParent does nothing: only Linux offers it.
func dieWithParent() *syscall.SysProcAttr { return nil }
