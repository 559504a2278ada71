package script

import "syscall"

// inGroup makes the script the leader of a process group, and has it die with this process: another instance repeats the run then.
func inGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
