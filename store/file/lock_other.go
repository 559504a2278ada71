//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/elasticjob-go/elastic/store"
)

// takeLock makes this process the owner of a directory by creating a file with its number. Where there is no flock the
// file outlives a process that is killed, and an operator has to remove it.
func takeLock(dir string) (*os.File, error) {
	name := filepath.Join(dir, lockName)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		pid, _ := os.ReadFile(name)
		return nil, fmt.Errorf("%w: directory %s is in use by process %s: a file store is for one process at a time; if there is no such process any more, remove %s",
			store.ErrUnavailable, dir, strings.TrimSpace(string(pid)), name)
	}
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(f, "%d\n", os.Getpid()); err != nil {
		f.Close()
		os.Remove(name)
		return nil, err
	}
	return f, nil
}

// releaseLock gives the directory up.
func releaseLock(f *os.File) error { return errors.Join(f.Close(), os.Remove(f.Name())) }

// syncDir does nothing: such systems have no way to ask for it, or do it by themselves.
func syncDir(string) error { return nil }
