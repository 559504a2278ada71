package engine

import (
	"errors"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// The codes of events are listed in docs/events.md. They keep their meaning.

// storeCode returns the code of an error of the store, by its class.
func storeCode(err error) string {
	switch {
	case errors.Is(err, store.ErrSessionLost):
		return "session_lost"
	case errors.Is(err, store.ErrEnded), errors.Is(err, store.ErrClosed):
		return "store_ended"
	case errors.Is(err, store.ErrUnavailable):
		return "store_unavailable"
	case errors.Is(err, store.ErrUnknown):
		return "outcome_unknown"
	case errors.Is(err, store.ErrPermission):
		return "permission_denied"
	case errors.Is(err, store.ErrTooLarge):
		return "value_too_large"
	case errors.Is(err, store.ErrInvalid):
		return "request_invalid"
	}
	return "store_failed"
}

// unreadableCode returns the code of a document that can't be read, by its key.
func unreadableCode(key string) string {
	switch layout.Prefix(key) {
	case layout.Instances:
		return "instance_unreadable"
	case layout.Jobs:
		return "job_unreadable"
	case layout.Assignments:
		return "assignment_unreadable"
	case layout.Signals:
		return "signals_unreadable"
	case layout.JobSets:
		return "jobset_unreadable"
	}
	return "record_unreadable"
}
