package admin

import (
	"errors"
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/status"
)

// The causes of errors beside those of package store. Nothing was written.
var (
	// ErrNotFound: there is no such job, instance, revision or entry.
	ErrNotFound = errors.New("not found")

	// ErrInvalid: an argument is not valid.
	ErrInvalid = errors.New("invalid")

	// ErrExists: there is one already.
	ErrExists = errors.New("exists already")

	// ErrChanged: another writer changed the job since the revision that the
	// caller has seen. The error is mostly a *ChangedError.
	ErrChanged = errors.New("was changed meanwhile")

	// ErrRemoved: an operator removed the job, or moved it; Restore brings a
	// removed one back.
	ErrRemoved = errors.New("was removed")

	// ErrDisabled: the job, or each shard that was named, is disabled.
	ErrDisabled = errors.New("is disabled")

	// ErrUnclaimed: the job runs without claims, so nothing is known of its
	// runs.
	ErrUnclaimed = errors.New("runs without claims")

	// ErrBroadcast: the job is a broadcast, whose shards can't be named.
	ErrBroadcast = errors.New("is a broadcast")

	// ErrBusy: as many triggers or cancels wait as may.
	ErrBusy = errors.New("is busy")

	// ErrClock: the clock of this computer differs from those of the fleet.
	ErrClock = errors.New("the clock of this computer is wrong")

	// ErrRefused: the act is refused as long as [Force] is not given.
	ErrRefused = errors.New("refused")

	// ErrUnreadable: a document can't be read, and is left alone. The error is
	// an *UnreadableError.
	ErrUnreadable = errors.New("can't be read, and is left alone")
)

// ChangedError says who changed a job.
type ChangedError struct {
	Rev uint64        // the revision that it has now
	By  status.Change // who wrote that
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf(
		"it %v: it has revision %d, by %s at %s",
		ErrChanged,
		e.Rev,
		e.By.By,
		e.By.At.Format(time.RFC3339),
	)
}

// Is makes a ChangedError an ErrChanged.
func (e *ChangedError) Is(target error) bool { return target == ErrChanged }

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

// Fault is one fault of a field.
type Fault struct {
	Field string `json:"field"`
	Want  string `json:"want"` // what is wrong, with the value, and what is wanted
}

// InvalidError has all faults of a job. It is an ErrInvalid.
type InvalidError struct {
	Faults []Fault
	err    error
}

func (e *InvalidError) Error() string {
	if e.err != nil {
		return ErrInvalid.Error() + ":\n" + e.err.Error()
	}
	text := ErrInvalid.Error() + ":"
	for _, f := range e.Faults {
		text += "\n" + f.Want
	}
	return text
}

// Is makes an InvalidError an ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }
