// Package rotate reads values that a store URL names by file, such as
// certificates and passwords, and reads them again when the files change.
package rotate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// maxSize is the size in bytes of the largest file that is read. A bundle of
// all authorities of a system has about 250 kB.
const maxSize = 4 << 20

// readPatience is how long Get waits for the file system. Files are often
// mounted from elsewhere, and a mount that hangs must not keep a process from
// connecting with the value that it has.
const readPatience = time.Second

// Value is a value that is made of the contents of files.
//
// The files are read at each Get, which is a small cost beside a handshake or
// the check of a password, and finds every kind of change: a file written in
// place, a file renamed over another, a link to another directory, whatever
// the times say. A value that can't be made of the files, because one of them
// is missing, half written, or doesn't fit the other, leaves the last good
// value in place.
//
// A Value is safe for concurrent use.
type Value[T any] struct {
	files []string
	parse func(texts [][]byte) (T, error)

	mu      sync.Mutex
	texts   [][]byte
	value   T
	fault   error
	reading chan struct{} // closed when the read under way has ended; nil without one
}

// New reads the files and returns a Value, or the error of the first read,
// which has the names as they were given. The names are resolved now, so that a
// process may change its directory later. parse gets the contents in the order
// of the files.
//
// A file that isn't a regular file, such as a pipe, is read this once: its
// content isn't there a second time.
func New[T any](parse func(texts [][]byte) (T, error), files ...string) (*Value[T], error) {
	v := &Value[T]{files: files, parse: parse}
	texts, err := v.read(true)
	if err != nil {
		return nil, err
	}
	value, err := parse(texts)
	if err != nil {
		return nil, err
	}
	v.texts, v.value = texts, value
	v.files = make([]string, len(files))
	for i, file := range files {
		if v.files[i], err = filepath.Abs(file); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// Get returns the value that the files hold now, or the last good one while
// they can't be read. It waits a second at most.
func (v *Value[T]) Get() T {
	v.mu.Lock()
	if v.reading == nil {
		v.reading = make(chan struct{})
		go v.refresh(v.reading)
	}
	reading := v.reading
	v.mu.Unlock()

	timer := time.NewTimer(readPatience)
	defer timer.Stop()
	select {
	case <-reading:
	case <-timer.C:
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.value
}

// Fault returns why the files could not be read at the last Get, and nil if
// they could.
func (v *Value[T]) Fault() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fault
}

// refresh reads the files again. A pair of files is read a second time if the
// two don't fit: one may have been replaced between the two reads.
func (v *Value[T]) refresh(done chan struct{}) {
	var (
		texts   [][]byte
		value   T
		err     error
		changed bool
	)
	for range 2 {
		texts, err = v.read(false)
		if err != nil {
			continue
		}
		changed = !v.holds(texts)
		if !changed {
			break
		}
		value, err = v.parse(texts)
		if err == nil {
			break
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fault = err
	if err == nil && changed {
		v.texts, v.value = texts, value
	}
	v.reading = nil
	close(done)
}

// holds reports whether the value was made of these contents.
func (v *Value[T]) holds(texts [][]byte) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, text := range texts {
		if !bytes.Equal(text, v.texts[i]) {
			return false
		}
	}
	return true
}

// read returns the contents of the files.
func (v *Value[T]) read(first bool) ([][]byte, error) {
	texts := make([][]byte, len(v.files))
	for i, file := range v.files {
		if !first {
			info, err := os.Stat(file)
			if err != nil {
				return nil, err
			}
			if !info.Mode().IsRegular() {
				texts[i] = v.texts[i]
				continue
			}
			if info.Size() > maxSize {
				return nil, tooLarge(file)
			}
		}
		text, err := readFile(file)
		if err != nil {
			return nil, err
		}
		texts[i] = text
	}
	return texts, nil
}

// readFile returns the content of a file that is not too large.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSize {
		return nil, tooLarge(name)
	}
	return text, nil
}

func tooLarge(name string) error {
	return fmt.Errorf("read %s: the file is larger than %d MiB", name, maxSize>>20)
}

// Secret is a password or a token: the text of a file, or a constant.
type Secret struct {
	constant string
	file     *Value[string]
}

// Constant returns a secret that never changes.
func Constant(text string) *Secret { return &Secret{constant: text} }

// SecretFile returns the secret that a file holds. Line breaks at its end
// don't count. An empty file is an error, and later on a file that isn't
// written yet.
func SecretFile(name string) (*Secret, error) {
	file, err := New(func(texts [][]byte) (string, error) {
		secret := string(bytes.TrimRight(texts[0], "\r\n"))
		if secret == "" {
			return "", errors.New(name + " is empty")
		}
		return secret, nil
	}, name)
	if err != nil {
		return nil, err
	}
	return &Secret{file: file}, nil
}

// Get returns the secret as it is now; see [Value.Get].
func (s *Secret) Get() string {
	if s.file == nil {
		return s.constant
	}
	return s.file.Get()
}

// String keeps %v from printing the secret.
func (s *Secret) String() string { return "***" }

// GoString keeps %#v from printing the secret.
func (s *Secret) GoString() string { return "rotate.Secret(***)" }
