//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package file

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/elasticjob-go/elastic/store"
)

// takeLock makes this process the owner of a directory. The lock ends with the process, however it ends. Its file
// stays: whoever removed it could remove the lock that somebody else has just taken.
func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		if err = f.Truncate(0); err == nil {
			_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
		}
	}
	if err == nil {
		return f, nil
	}
	defer f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		pid, _ := io.ReadAll(io.LimitReader(f, 20))
		return nil, fmt.Errorf("%w: directory %s is in use by process %s: a file store is for one process at a time",
			store.ErrUnavailable, dir, strings.TrimSpace(string(pid)))
	}
	return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
}

// releaseLock closes the file, which ends the lock.
func releaseLock(f *os.File) error { return f.Close() }

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
