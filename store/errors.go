package store

import (
	"errors"
	"strconv"
)

// What a store's methods return, found with errors.Is. A failed Commit was not
// applied, and never will be, with two exceptions that say so.
var (
	// ErrNotFound: Get found no such key.
	ErrNotFound = errors.New("store: key not found")

	// ErrConflict: a condition of the transaction, or the precondition of one
	// of its writes, did not hold. Nothing was applied. The error is a
	// *ConflictError.
	ErrConflict = errors.New("store: condition not met")

	// ErrSessionLost: the session is over. A transaction that was under way may
	// have been applied, and may still be applied until the store itself has
	// ended the session, but not after that.
	ErrSessionLost = errors.New("store: session lost")

	// ErrUnknown: the reply was lost, so the transaction may have been applied.
	// If it had a session, it will not be applied later: what a read shows now
	// is final. Without a session it can still be applied, unless one of its
	// conditions is an At that a later write has made false.
	ErrUnknown = errors.New("store: outcome unknown")

	// ErrUnavailable: the store could not be reached, or could not answer in
	// time. Nothing was applied.
	ErrUnavailable = errors.New("store: unavailable")

	// ErrEnded: the store has ended for good in this process, such as a file
	// store whose disk was full. No later call succeeds, however long the
	// caller waits; close the store and open it again. It is an
	// ErrUnavailable, too: nothing was applied, unless the error is also
	// ErrUnknown.
	ErrEnded error = endedError{}

	// ErrTooLarge: a value, or the transaction, is over the backend's limit
	// (Caps). Nothing was sent, or the backend refused it.
	ErrTooLarge = errors.New("store: too large")

	// ErrInvalid: the request makes no sense to any backend. Nothing was sent.
	ErrInvalid = errors.New("store: invalid request")

	// ErrPermission: the credentials are wrong or don't allow this. A read that
	// a backend merely filters is this error too, never an empty answer.
	ErrPermission = errors.New("store: permission denied")

	// ErrClosed: the store, the session or the watch was closed by this
	// process.
	ErrClosed = errors.New("store: closed")
)

// endedError is the type of ErrEnded.
type endedError struct{}

func (endedError) Error() string { return "store: ended" }

func (endedError) Is(target error) bool { return target == ErrUnavailable }

// ConflictError says on which keys a transaction failed.
type ConflictError struct {
	Key    string         // the first key that failed; empty if the backend does not tell
	Reason ConflictReason // why it failed

	// Others are the other keys that failed, each once, in the order of the
	// transaction. Where All is false there may be more that the backend does
	// not tell: ZooKeeper stops at the first.
	Others []Conflict

	// All reports that Key and Others are all keys that failed: at the moment
	// at which the store looked, every other condition of the transaction held.
	// A caller can send the rest again without them.
	All bool
}

// Conflict is one key that a transaction failed on.
type Conflict struct {
	Key    string
	Reason ConflictReason
}

// NewConflictError returns the error for all keys that failed, of which there
// must be at least one. Drivers whose backend tells of all use it.
func NewConflictError(all []Conflict) *ConflictError {
	return &ConflictError{Key: all[0].Key, Reason: all[0].Reason, Others: all[1:], All: true}
}

// Has reports whether the error names a key.
func (e *ConflictError) Has(key string) bool {
	if e.Key == key && key != "" {
		return true
	}
	for _, c := range e.Others {
		if c.Key == key {
			return true
		}
	}
	return false
}

// ConflictReason is why a key conflicts.
type ConflictReason string

// The three reasons.
const (
	Present ConflictReason = "is present"             // Create, CreateEphemeral
	Absent  ConflictReason = "is absent"              // Exists, At, Set, Delete
	Changed ConflictReason = "has changed"            // At
	Unclear ConflictReason = "is not as it should be" // the backend does not tell
)

func (e *ConflictError) Error() string {
	key := e.Key
	if key == "" {
		key = "a key of the transaction"
	}
	text := ErrConflict.Error() + ": " + key + " " + string(e.Reason)
	if n := len(e.Others); n > 0 {
		text += ", and " + strconv.Itoa(n) + " more"
	}
	return text
}

// Is makes a ConflictError an ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }
