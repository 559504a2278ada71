//go:build !linux && !windows

package dbtest

import "syscall"

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
