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
// behind. If those become children of this process, it must wait for them.
// Otherwise each stays as a zombie until this process ends.
var orphans struct {
	sync.Mutex
	groups  map[int]struct{}
	signals chan os.Signal // SIGCHLD; nil while there are no groups
}

// reap waits in the background for the processes that the group of an ended
// script has left, if this process adopts them.
//
// It waits for that group only, never for any child: it must not take the exit
// code of a process that another part of the program has started.
func reap(group int) {
	if !adopts() {
		return
	}
	orphans.Lock()
	defer orphans.Unlock()
	if orphans.signals == nil {
		orphans.groups = make(map[int]struct{})
		orphans.signals = make(chan os.Signal, 1)
		// Before the first look, so that the end of no process is missed.
		signal.Notify(orphans.signals, syscall.SIGCHLD)
		go reapAll(orphans.signals)
	}
	orphans.groups[group] = struct{}{}
	select {
	case orphans.signals <- syscall.SIGCHLD: // some may have ended already
	default: // the loop will look anyway
	}
}

// reapAll looks at the groups whenever a child has ended, until no group is
// left.
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

// collect waits for each process of the groups that has ended, and removes the
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

// adopts reports whether orphans become children of this process. That is so
// for the first process of a container, and for one that has asked for it by
// prctl(2).
func adopts() bool {
	if os.Getpid() == 1 {
		return true
	}
	const getChildSubreaper = 37
	var asked int32
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, getChildSubreaper, uintptr(unsafe.Pointer(&asked)), 0)
	return errno == 0 && asked != 0
}
