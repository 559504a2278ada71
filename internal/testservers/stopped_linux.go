package testservers

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// awaitStopped waits until every thread of a process that was sent SIGSTOP
// stands still: the signal is only a request, and a server with many threads
// can answer once more before the last of them has seen it.
func awaitStopped(pid int) {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline) && !stopped(pid); {
		time.Sleep(time.Millisecond)
	}
}

func stopped(pid int) bool {
	threads, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/stat")
	for _, path := range threads {
		text, err := os.ReadFile(path)
		// The state follows the name, which is in parentheses and may hold
		// anything.
		if i := bytes.LastIndexByte(text, ')'); err == nil && i >= 0 && i+2 < len(text) && text[i+2] != 'T' {
			return false
		}
	}
	return true
}
