package script

import "syscall"

// inGroup makes the script the leader of a process group, and lets it die with
// this process, because another instance then repeats the run.
func inGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
