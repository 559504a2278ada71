package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/elasticjob-go/elastic/store"
)

// refusal returns the sentinel for an answer with which Consul says that it has
// done nothing and will do nothing, and nil for any other error: what was asked
// may have been done, or may be done yet.
//
// Most failures have status 500 and differ in their text only. A leader that
// loses its leadership while it commits says so with 500, too, and the commit
// may yet happen; so an unknown text is no refusal. Neither is an unknown 503
// or 504: a proxy answers them for a request that it has passed on.
func refusal(err error) error {
	var s *statusError
	switch {
	case errors.Is(err, store.ErrPermission): // a list that was filtered
		return store.ErrPermission
	case !errors.As(err, &s):
		return nil
	}
	switch s.code {
	case http.StatusForbidden, http.StatusUnauthorized:
		return store.ErrPermission
	case http.StatusRequestEntityTooLarge:
		return store.ErrTooLarge
	case http.StatusBadRequest:
		return store.ErrInvalid
	case http.StatusTooManyRequests, http.StatusNotFound, http.StatusMethodNotAllowed: // of a proxy, the last two
		return store.ErrUnavailable
	}
	if strings.Contains(s.text, "Invalid Session TTL") {
		return store.ErrInvalid
	}
	for _, text := range []string{
		noLeader,                    // no leader to send it to
		"Missing node registration", // the agent is too young to hold sessions (issue 819)
		"rate limit exceeded",       // before anything is done
		"No known Consul servers", "No path to datacenter",
	} {
		if strings.Contains(s.text, text) {
			return store.ErrUnavailable
		}
	}
	return nil
}

// deniedError is an answer by which the token lacks a right.
type deniedError struct{ error }

func (deniedError) Is(target error) bool { return target == store.ErrPermission }

// final reports whether a refusal would be the same from another agent, or a
// moment later.
func final(class error) bool {
	return class == store.ErrPermission || class == store.ErrTooLarge || class == store.ErrInvalid
}

// lostError marks what was sent and not answered: it may have been done, or may
// be done yet.
type lostError struct{ error }

func (e lostError) Unwrap() error { return e.error }

// class puts an error of ask in one of the store's classes.
func (s *client) class(err error) error {
	var lost lostError
	switch class := refusal(err); {
	case class != nil:
		return class
	case errors.As(err, &lost):
		return store.ErrUnknown
	case s.running.Closed():
		return store.ErrClosed
	}
	return store.ErrUnavailable
}

// failed puts an error of the client library in its class, one of the store's
// sentinels.
func failed(class, why error) error { return fmt.Errorf("%w: %w", class, why) }

// readError gives the error of a request that changes nothing its class.
func (s *client) readError(err error) error {
	for _, class := range []error{store.ErrNotFound, store.ErrPermission, store.ErrClosed} { // which have their class already
		if errors.Is(err, class) {
			return err
		}
	}
	class := s.class(err)
	if class == store.ErrUnknown {
		class = store.ErrUnavailable
	}
	return failed(class, err)
}

// because makes an error that of the caller's context, too, if that has ended.
// The text says why no answer came, and not that the time was up.
func because(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return timeUp{err, cause}
	}
	return err
}

// timeUp is an error of a call whose context has ended.
type timeUp struct {
	error
	cause error
}

func (e timeUp) Unwrap() []error { return []error{e.error, e.cause} }
