//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package history

import (
	"errors"
	"os"
)

// lockFile returns an error: without a lock that ends with the process, two
// processes could use one spool.
func lockFile(string) (*os.File, error) {
	return nil, errors.New("this system has no locks of files; run without a spool")
}
