//go:build !unix

package script

import (
	"os"
	"syscall"
)

// inGroup changes nothing: there are no process groups here.
func inGroup() *syscall.SysProcAttr { return nil }

// ask ends the process: there is no way to ask it.
func ask(p *os.Process) error { return p.Kill() }

// kill ends the process, and leaves what it has started.
func kill(p *os.Process) { _ = p.Kill() }
