//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package file

import "os"

// flocks reports whether the system locks files for as long as the process
// lives. Without that the lock file outlives a process that is killed, and an
// operator has to remove it.
const flocks = false

// flock does nothing: the lock file alone says that a directory is in use.
func flock(*os.File) error { return nil }

// trusted does nothing: such systems have other rights than Unix.
func trusted(string, os.FileInfo) error { return nil }

// syncDir does nothing: such systems have no way to ask for it, or do it by
// themselves.
func syncDir(*os.File) error { return nil }
