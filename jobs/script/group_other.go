//go:build !unix

package script

import (
	"os"
	"syscall"
)

// inGroup returns no attributes: this system has no process groups.
func inGroup() *syscall.SysProcAttr { return nil }

// ask ends the process: this system has no way to ask it.
func ask(p *os.Process) error { return p.Kill() }

// kill ends the process. The processes that it started continue.
func kill(p *os.Process) { _ = p.Kill() }
