package admin

import (
	"errors"
	"fmt"
)

// The causes of errors beside those of package store. Nothing was written.
var (
	// ErrNotFound: there is no such job, instance, revision or entry.
	ErrNotFound = errors.New("not found")

	// ErrInvalid: an argument is not valid.
	ErrInvalid = errors.New("invalid")

	// ErrUnreadable: a document can't be read, and is left alone. The error is
	// an *UnreadableError.
	ErrUnreadable = errors.New("can't be read, and is left alone")
)

// UnreadableError names a document that can't be read.
type UnreadableError struct {
	Key string // of the store
	Err error  // what is wrong with its value
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%s %v: %v", e.Key, ErrUnreadable, e.Err)
}

// Is makes an UnreadableError an ErrUnreadable.
func (e *UnreadableError) Is(target error) bool { return target == ErrUnreadable }

func (e *UnreadableError) Unwrap() error { return e.Err }

// invalid returns an ErrInvalid that says what is wrong and what is wanted.
func invalid(format string, a ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, a...))
}
