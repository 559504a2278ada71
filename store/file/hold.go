package file

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/elasticjob-go/elastic/store"
)

// hold is this process's ownership of a directory. It rests on the directory
// and the log themselves, which are locked and open, and not on names that
// another program can remove. It follows no links.
type hold struct {
	path string      // without links
	root *os.Root    // all files are opened through it, wherever the path leads later
	dir  *os.File    // the directory itself, locked
	info os.FileInfo // of dir
	lock *os.File    // the file that older versions of this program lock
}

// errInUse means that another process has the lock of a file.
var errInUse = errors.New("locked by another process")

// takeHold makes this process the owner of a directory. The locks end with the
// process, however it ends.
func takeHold(path string) (*hold, error) {
	h := &hold{path: path}
	if err := h.take(); err != nil {
		h.release()
		return nil, err
	}
	return h, nil
}

func (h *hold) take() (err error) {
	if h.root, err = os.OpenRoot(h.path); err != nil {
		return err
	}
	if h.dir, err = h.root.Open("."); err != nil {
		return err
	}
	if h.info, err = h.dir.Stat(); err != nil {
		return err
	}
	if err := trusted(h.path, h.info); err != nil {
		return err
	}
	if err := h.own(); err != nil {
		return err
	}
	// A file system that can't lock a directory, as NFS, locks the log still.
	if err := flock(h.dir); errors.Is(err, errInUse) {
		return h.inUse(err)
	}
	if err := h.takeLockFile(); err != nil {
		return h.inUse(err)
	}
	return h.check()
}

// own refuses a directory that holds the files of another program: the wrong
// one was named.
func (h *hold) own() error {
	names, err := h.dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	foreign := ""
	for _, name := range names {
		switch name {
		case logName:
			return nil
		case newName, lockName, "lost+found":
		default:
			foreign = name
		}
	}
	if foreign != "" {
		return fmt.Errorf("%w: directory %s holds something else, such as %q; name one that is empty, or does not exist",
			store.ErrInvalid, h.path, foreign)
	}
	return nil
}

// takeLockFile locks the file of that name, and makes it if it is not there.
// The directory's lock is enough for processes of this version; older versions
// know this file only.
func (h *hold) takeLockFile() error {
	for {
		f, err := h.create(lockName)
		if errors.Is(err, os.ErrExist) {
			if !flocks {
				return errInUse
			}
			f, err = h.open(lockName)
			if errors.Is(err, os.ErrNotExist) {
				continue // it was removed in between
			}
		}
		if err != nil {
			return err
		}
		if err := flock(f); err != nil {
			f.Close()
			return err
		}
		if !h.names(lockName, f) {
			f.Close()
			continue
		}
		h.lock = f
		if err := f.Truncate(0); err != nil {
			return err
		}
		_, err = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
		return err
	}
}

// inUse says which process holds the directory, if err is errInUse.
func (h *hold) inUse(err error) error {
	if !errors.Is(err, errInUse) {
		return err
	}
	holder := "another process"
	if f, err := h.open(lockName); err == nil {
		pid, _ := io.ReadAll(io.LimitReader(f, 20))
		f.Close()
		if s := strings.TrimSpace(string(pid)); s != "" {
			holder = "process " + s
		}
	}
	cure := "a file store is for one process at a time"
	if !flocks {
		cure += fmt.Sprintf("; if there is no such process, remove %s", filepath.Join(h.path, lockName))
	}
	return fmt.Errorf("%w: directory %s is in use by %s; %s", store.ErrUnavailable, h.path, holder, cure)
}

// check returns an error once the path leads to another directory, or nowhere.
func (h *hold) check() error {
	info, err := os.Lstat(h.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("directory %s was removed while it was in use", h.path)
	case err != nil:
		return err
	case !os.SameFile(info, h.info):
		return fmt.Errorf("directory %s was replaced by another while it was in use", h.path)
	default:
		return nil
	}
}

// restore makes and locks the lock file again if it was removed, so that older
// versions stay out.
func (h *hold) restore() error {
	if h.names(lockName, h.lock) {
		return nil
	}
	h.lock.Close()
	return h.inUse(h.takeLockFile())
}

// names reports whether the directory has an open file under a name.
func (h *hold) names(name string, f *os.File) bool {
	info, err := h.root.Lstat(name)
	if err != nil {
		return false
	}
	open, err := f.Stat()
	return err == nil && os.SameFile(info, open)
}

// create makes a file that was not there.
func (h *hold) create(name string) (*os.File, error) {
	return h.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// open opens a file that is there. It refuses links, by both meanings of the
// word, and files of other users.
func (h *hold) open(name string) (*os.File, error) {
	path := filepath.Join(h.path, name)
	info, err := h.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file; remove it", store.ErrInvalid, path)
	}
	if err := trusted(path, info); err != nil {
		return nil, err
	}
	f, err := h.root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil && !os.SameFile(info, opened) {
		err = fmt.Errorf("%s was replaced while it was opened", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// remove removes a file, or a link in its place, if it is there.
func (h *hold) remove(name string) error {
	err := h.root.Remove(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// sync makes the names in the directory durable.
func (h *hold) sync() error { return syncDir(h.dir) }

// release gives the directory up.
func (h *hold) release() error {
	var errs []error
	if h.lock != nil {
		if !flocks && h.names(lockName, h.lock) {
			errs = append(errs, h.remove(lockName))
		}
		errs = append(errs, h.lock.Close())
	}
	if h.dir != nil {
		errs = append(errs, h.dir.Close())
	}
	if h.root != nil {
		errs = append(errs, h.root.Close())
	}
	return errors.Join(errs...)
}
