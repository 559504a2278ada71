//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package file

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/elasticjob-go/elastic/store"
)

// flocks reports whether the system locks files for as long as the process
// lives.
const flocks = true

// flock locks an open file or directory, or returns errInUse. The lock ends
// when the file is closed.
func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errInUse
		default:
			return fmt.Errorf("lock %s: %w; a file store needs a file system with locks", f.Name(), err)
		}
	}
}

// trusted refuses a file or directory that other users own or may replace. The
// superuser is trusted: it can do all that anyway.
func trusted(path string, info os.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	mine := os.Geteuid()
	switch owner := int(stat.Uid); {
	case owner != mine && owner != 0:
		return fmt.Errorf("%w: %s belongs to user %d, and this process runs as user %d; give it to this user with chown, or name another directory",
			store.ErrPermission, path, owner, mine)
	case info.IsDir() && info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0:
		return fmt.Errorf("%w: every user may replace files in %s; take that right away with chmod o-w, or name a directory in it",
			store.ErrPermission, path)
	case info.Mode().IsRegular() && stat.Nlink > 1:
		return fmt.Errorf("%w: %s has a second name, by a hard link; remove one of the two", store.ErrInvalid, path)
	default:
		return nil
	}
}

// syncDir makes the names in a directory durable.
func syncDir(dir *os.File) error { return dir.Sync() }
