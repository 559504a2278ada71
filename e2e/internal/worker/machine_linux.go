package worker

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// waits returns how long each thread of a process has waited for a processor
// since it began, by the kernel's account.
func waits(pid int) map[string]time.Duration {
	all := map[string]time.Duration{}
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid)) // the pattern is well-formed
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		if fields := strings.Fields(string(text)); len(fields) == 3 {
			ns, _ := strconv.ParseInt(fields[1], 10, 64)
			all[path] = time.Duration(ns)
		}
	}
	return all
}

// children returns the processes that this one has started: workers and
// servers.
func children() (pids []int) {
	paths, _ := filepath.Glob("/proc/self/task/*/children") // the pattern is well-formed
	for _, path := range paths {
		text, _ := os.ReadFile(path) // none if the thread has ended
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
