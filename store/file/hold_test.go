//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/elasticjob-go/elastic/store"
)

// A second process stays out whatever files of a directory were removed or
// moved while the first has it open.
func TestHold_KeepsSecondProcessOut(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(dir string) (open string, err error)
	}{
		{"the lock file is removed", func(dir string) (string, error) {
			return dir, os.Remove(filepath.Join(dir, lockName))
		}},
		{"the directory has another name", func(dir string) (string, error) {
			return dir + "-moved", os.Rename(dir, dir+"-moved")
		}},
		{"the log is in another directory", func(dir string) (string, error) {
			if err := os.Mkdir(dir+"-other", 0o700); err != nil {
				return "", err
			}
			return dir + "-other", os.Rename(filepath.Join(dir, logName), filepath.Join(dir+"-other", logName))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "jobs")
			c := openAt(t, dir)
			do(t, c, nil, store.Create("k", nil))
			open, err := row.change(dir)
			if err != nil {
				t.Fatal(err)
			}
			if got := openElsewhere(t, open); !strings.Contains(got, "in use by") {
				t.Errorf("the second process is told %q, want that the directory is in use", got)
			}
		})
	}
}

// The new log of a rewrite is as well locked as the one before.
func TestHold_KeepsRewrittenLogLocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "jobs")
	c := openAt(t, dir)
	before := c.dir.journal.file
	c.dir.journal.grow = 1
	c.dir.journal.base = 0
	do(t, c, nil, store.Create("k", nil))
	do(t, c, nil, store.Set("k", nil)) // the rewrite after the first is over
	if c.dir.journal.file == before {
		t.Fatal("the log was not rewritten")
	}
	other := dir + "-other"
	if err := errors.Join(os.Mkdir(other, 0o700), os.Rename(filepath.Join(dir, logName), filepath.Join(other, logName))); err != nil {
		t.Fatal(err)
	}
	if got := openElsewhere(t, other); !strings.Contains(got, "in use by") {
		t.Errorf("the second process is told %q, want that the directory is in use", got)
	}
}

// Versions of this program that lock only the lock file stay out, also after
// that file was removed: it is made and locked again.
func TestHold_RestoresRemovedLockFile(t *testing.T) {
	dir := t.TempDir()
	openAt(t, dir)
	name := filepath.Join(dir, lockName)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	await(t, "the lock file is back", func() bool {
		_, err := os.Stat(name)
		return err == nil
	})
	await(t, "the lock file is locked", func() bool {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return errors.Is(flock(f), errInUse)
	})
}

// A process of an older version, which locks only the lock file, keeps this
// version out.
func TestHold_RespectsOlderVersions(t *testing.T) {
	dir := t.TempDir()
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := flock(f); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(dir, true); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "in use by") {
		t.Errorf("open: %v, want that the directory is in use", err)
	}
}

// Links, pipes and files with two names in the place of the store's own files
// are not opened, and what they lead to keeps its content.
func TestHold_FollowsNoLinks(t *testing.T) {
	plants := map[string]func(victim, name string) error{
		"link":      os.Symlink,
		"hard link": os.Link,
		"dangling link": func(victim, name string) error {
			return os.Symlink(victim+"-not-there", name)
		},
		"link to the directory": func(_, name string) error { return os.Symlink(".", name) },
		"link to the log":       func(_, name string) error { return os.Symlink(logName, name) },
		"pipe":                  func(_, name string) error { return syscall.Mkfifo(name, 0o600) },
	}
	for plant, f := range plants {
		for _, name := range []string{lockName, logName, newName} {
			if plant == "link to the log" && name == logName {
				continue
			}
			t.Run(plant+" as "+name, func(t *testing.T) {
				top := t.TempDir()
				dir, victim := filepath.Join(top, "jobs"), filepath.Join(top, "victim")
				if name != logName {
					mustClose(t, openAt(t, dir))
					os.Remove(filepath.Join(dir, name))
				} else if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(victim, []byte("precious\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := f(victim, filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
				c, err := connect(dir, true)
				if name == newName {
					// It is worthless whatever it is, and is removed.
					if err != nil {
						t.Fatalf("open: %v", err)
					}
					mustClose(t, c)
				} else if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), name) {
					t.Errorf("open: %v, want an ErrInvalid that names the file", err)
				}
				if got, err := os.ReadFile(victim); err != nil || string(got) != "precious\n" {
					t.Errorf("the other file holds %q, %v", got, err)
				}
				if _, err := os.Lstat(victim + "-not-there"); err == nil {
					t.Error("the file that the link names was made")
				}
			})
		}
	}
}

// A link that is planted under the name of the log's successor while the store
// is open is replaced, and not followed.
func TestHold_RewriteFollowsNoLinks(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := openAt(t, dir)
	if err := os.Symlink(victim, filepath.Join(dir, newName)); err != nil {
		t.Fatal(err)
	}
	c.dir.journal.grow = 1
	c.dir.journal.base = 0
	do(t, c, nil, store.Create("k", nil))
	do(t, c, nil, store.Set("k", []byte("v")))
	want := dump(t, c)
	mustClose(t, c)
	if got, err := os.ReadFile(victim); err != nil || string(got) != "precious\n" {
		t.Errorf("the other file holds %q, %v", got, err)
	}
	if got := dump(t, openAt(t, dir)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// A directory in which other users may replace files is refused, before
// anything is written there.
func TestHold_RefusesUntrustedDirectories(t *testing.T) {
	type row struct {
		name    string
		prepare func(dir string) error
		want    string // of the error; empty: the directory is taken
	}
	rows := []row{
		{"every user may write", func(dir string) error { return os.Chmod(dir, 0o777) }, "chmod o-w"},
		{"a tmp directory", func(dir string) error { return os.Chmod(dir, 0o777|os.ModeSticky) }, ""},
		{"the group may write", func(dir string) error { return os.Chmod(dir, 0o770) }, ""},
	}
	if os.Geteuid() == 0 { // only the superuser can give files away
		rows = append(rows,
			row{"another user's", func(dir string) error { return os.Chown(dir, 12345, 0) }, "belongs to user 12345"},
			row{"another user's log", func(dir string) error {
				name := filepath.Join(dir, logName)
				return errors.Join(os.WriteFile(name, nil, 0o666), os.Chown(name, 12345, 0))
			}, "belongs to user 12345"},
			row{"another user's lock", func(dir string) error {
				name := filepath.Join(dir, lockName)
				return errors.Join(os.WriteFile(name, nil, 0o666), os.Chown(name, 12345, 0))
			}, "belongs to user 12345"},
			row{"another user's link", func(dir string) error {
				return errors.Join(os.Rename(dir, dir+"-real"), os.Symlink(dir+"-real", dir), os.Lchown(dir, 12345, 0))
			}, "belongs to user 12345"},
		)
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "jobs")
			if err := errors.Join(os.Mkdir(dir, 0o700), row.prepare(dir)); err != nil {
				t.Fatal(err)
			}
			c, err := connect(dir, true)
			if err == nil {
				mustClose(t, c)
			}
			switch {
			case row.want == "" && err != nil:
				t.Errorf("open: %v, want no error", err)
			case row.want != "" && (!errors.Is(err, store.ErrPermission) || !strings.Contains(err.Error(), row.want)):
				t.Errorf("open: %v, want an ErrPermission that says %q", err, row.want)
			}
		})
	}
}

// losses are the ways in which a directory stops being the one that was opened.
var losses = map[string]func(dir string) error{
	"the directory is removed": os.RemoveAll,
	"the directory is moved":   func(dir string) error { return os.Rename(dir, dir+"-moved") },
	"the directory is replaced": func(dir string) error {
		return errors.Join(os.Rename(dir, dir+"-moved"), os.Mkdir(dir, 0o700))
	},
	"the directory is a link now": func(dir string) error {
		return errors.Join(os.Rename(dir, dir+"-moved"), os.Mkdir(dir+"-other", 0o700), os.Symlink(dir+"-other", dir))
	},
	"the log is removed": func(dir string) error { return os.Remove(filepath.Join(dir, logName)) },
	"the log is moved": func(dir string) error {
		return os.Rename(filepath.Join(dir, logName), filepath.Join(dir, "old"))
	},
	"the log is replaced by a copy": func(dir string) error {
		name := filepath.Join(dir, logName)
		log, err := os.ReadFile(name)
		return errors.Join(err, os.WriteFile(name+".copy", log, 0o600), os.Rename(name+".copy", name))
	},
	"the log is cut": func(dir string) error { return os.Truncate(filepath.Join(dir, logName), 10) },
	"the log grows": func(dir string) error {
		f, err := os.OpenFile(filepath.Join(dir, logName), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(make([]byte, 4096))
		return errors.Join(err, f.Close())
	},
}

// A store whose directory or log is no longer the one that it has open
// acknowledges nothing more.
func TestHold_AcknowledgesNothingWhenLost(t *testing.T) {
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "jobs")
			c := openAt(t, dir)
			do(t, c, nil, store.Create("before", nil))
			if err := lose(dir); err != nil {
				t.Fatal(err)
			}
			commit := func(key string) error {
				_, err := c.Commit(t.Context(), store.Txn{Do: []store.Op{store.Create(key, nil)}})
				return err
			}
			if err := commit("during"); !errors.Is(err, store.ErrEnded) || !strings.Contains(err.Error(), dir) {
				t.Errorf("the first commit: %v, want an ErrEnded that names the directory", err)
			}
			if err := commit("after"); !errors.Is(err, store.ErrEnded) || errors.Is(err, store.ErrUnknown) {
				t.Errorf("a later commit: %v, want ErrEnded", err)
			}
		})
	}
}

// A store that is idle finds out as well, and its watches end.
func TestHold_NoticesLossWhileIdle(t *testing.T) {
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "jobs")
			c := openAt(t, dir)
			w, err := c.Watch(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if _, err := w.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := lose(dir); err != nil {
				t.Fatal(err)
			}
			if u, err := w.Next(t.Context()); err != nil || !u.Stale {
				t.Errorf("the watch says %+v, %v, want Stale", u, err)
			}
			if _, err := w.Next(t.Context()); !errors.Is(err, store.ErrEnded) {
				t.Errorf("the watch ends with %v, want ErrEnded", err)
			}
		})
	}
}
