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

// kill ends the process group, if a process of it is left. While one is left,
// no other group can have its number. Between the end of the group and this
// call the number could be given to a new group, but that takes as many new
// processes as there are numbers.
func kill(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
