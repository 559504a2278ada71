//go:build unix

package script

import (
	"errors"
	"os"
	"syscall"
)

// ask asks the process group to end.
func ask(p *os.Process) error {
	if err := syscall.Kill(-p.Pid, syscall.SIGTERM); errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	} else if err != nil {
		return err
	}
	return nil
}

// kill ends the process group, if anything is left of it. Its number can't be anybody else's while there is; that it is given to
// a new group between the end of this one and the call is possible, but takes as many new processes as there are numbers.
func kill(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
