package script

import (
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"unsafe"
)

// orphans are the process groups of scripts that have ended and left processes
// behind. Where those become children of this process, it must wait for them:
// otherwise each stays as a zombie for as long as this process lives.
var orphans struct {
	sync.Mutex
	groups  map[int]struct{}
	signals chan os.Signal // SIGCHLD; nil while there are no groups
}

// reap waits for whatever the group of a script that has ended leaves behind, in
// the background, if this process is the one that adopts it.
//
// It waits for that group and never for any child: the exit code of a process
// that another part of the program has started is not taken away from it.
func reap(group int) {
	if !adopts() {
		return
	}
	orphans.Lock()
	defer orphans.Unlock()
	if orphans.signals == nil {
		orphans.groups = make(map[int]struct{})
		orphans.signals = make(chan os.Signal, 1)
		// Before the first look, so that no end is missed after it.
		signal.Notify(orphans.signals, syscall.SIGCHLD)
		go reapAll(orphans.signals)
	}
	orphans.groups[group] = struct{}{}
	select {
	case orphans.signals <- syscall.SIGCHLD: // some may have ended already
	default: // a look is due anyway
	}
}

// reapAll looks at the groups whenever a child has ended, until there are none.
func reapAll(signals chan os.Signal) {
	for range signals {
		orphans.Lock()
		collect()
		if len(orphans.groups) == 0 {
			signal.Stop(signals)
			orphans.signals = nil
			orphans.Unlock()
			return
		}
		orphans.Unlock()
	}
}

// collect waits for every process of the groups that has ended, and forgets the
// groups that have no process left.
func collect() {
	for group := range orphans.groups {
		for {
			pid, err := syscall.Wait4(-group, nil, syscall.WNOHANG, nil)
			if errors.Is(err, syscall.ECHILD) {
				delete(orphans.groups, group)
			}
			if pid <= 0 && !errors.Is(err, syscall.EINTR) {
				break
			}
		}
	}
}

// adopts reports whether orphans become children of this process: it is the
// first process of its container, or has asked for them by prctl(2).
func adopts() bool {
	if os.Getpid() == 1 {
		return true
	}
	const getChildSubreaper = 37
	var asked int32
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, getChildSubreaper, uintptr(unsafe.Pointer(&asked)), 0)
	return errno == 0 && asked != 0
}
