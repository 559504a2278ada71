package zookeeper

import (
	"context"
	"errors"
	"fmt"

	"github.com/elasticjob-go/elastic/store"
	"github.com/go-zookeeper/zk"
)

// serverError is an error code in an answer of the server that the client
// library does not know. See KeeperException.Code of ZooKeeper.
type serverError struct{ code int32 }

// errDemandsAuth is the answer to whatever is asked by a client that has not
// authenticated by a scheme that the server demands.
var errDemandsAuth = serverError{-124}

// lastSystemError ends the codes of what went wrong in the server. From it on
// down they are of the API, and say that nothing was done.
const lastSystemError = -100

// serverReasons are the server's texts for codes that an operator may see.
var serverReasons = map[int32]string{
	-1:   "system error",
	-2:   "runtime inconsistency",
	-3:   "data inconsistency",
	-4:   "connection loss",
	-5:   "marshalling error",
	-7:   "operation timeout",
	-8:   "bad arguments",
	-12:  "unknown session",
	-111: "the node has children that are no keys",
	-113: "invalid callback",
	-119: "the server is read-only: it has no majority",
	-120: "a local session can't own ephemeral nodes; set localSessionsUpgradingEnabled on the servers",
	-121: "no such watcher",
	-122: "the request took longer than the server allows",
	-123: "reconfiguration is disabled",
	-124: "the server demands that clients authenticate; name a user in the URL, and allow the scheme digest on the server (SASL is not supported)",
	-125: "quota exceeded; raise the quota of the namespace",
	-127: "the server is overloaded and has throttled the request",
}

// libraryErrors are answers that the client library has a name for, and that
// no transaction is expected to have as a whole.
var libraryErrors = map[error]int32{
	zk.ErrNotEmpty:         -111,
	zk.ErrReconfigDisabled: -123,
}

func (e serverError) Error() string {
	reason := serverReasons[e.code]
	if reason == "" {
		reason = "an error that this driver does not know"
	}
	return fmt.Sprintf("%s (error %d of the server)", reason, e.code)
}

// named returns the serverError for an error of the client library that stands
// for a code of the server, and other errors as they are. The library returns
// codes that it does not know as text only.
func named(err error) error {
	if err == nil {
		return nil
	}
	for known, code := range libraryErrors {
		if errors.Is(err, known) {
			return serverError{code}
		}
	}
	var code int32
	if n, _ := fmt.Sscanf(err.Error(), "unknown error: %d", &code); n == 1 {
		return errorOf(code)
	}
	return err
}

// refusal returns the sentinel for an answer with which the server says that it
// has done nothing and will do nothing, and nil for any other error: what was
// asked may have been done, or may be done yet. Conflicts are not in it.
func refusal(err error) error {
	var answer serverError
	switch {
	case errors.Is(err, zk.ErrNoAuth), errors.Is(err, zk.ErrAuthFailed), errors.Is(err, zk.ErrInvalidACL), errors.Is(err, errDemandsAuth):
		return store.ErrPermission
	case errors.Is(err, zk.ErrSessionExpired):
		return store.ErrSessionLost
	case errors.Is(err, zk.ErrSessionMoved): // to another connection of ours; this one is at its end
		return store.ErrUnavailable
	case errors.Is(err, errOldServer), errors.Is(err, zk.ErrNoChildrenForEphemerals), errors.Is(err, zk.ErrInvalidPath), errors.Is(err, zk.ErrBadArguments):
		return store.ErrInvalid
	case errors.Is(err, zk.ErrShortBuffer): // of the client library: nothing was sent
		return store.ErrTooLarge
	case errors.As(err, &answer) && answer.code <= lastSystemError: // also of codes that are not known yet
		return store.ErrUnavailable
	}
	return nil
}

// failed puts an error in its class, one of the store's sentinels.
func failed(class, why error) error { return fmt.Errorf("%w: %w", class, why) }

// readError gives the error of a request that changes nothing its class.
func (s *client) readError(err error) error {
	if s.running.Closed() {
		return store.ErrClosed
	}
	class := refusal(err)
	if class == nil || class == store.ErrSessionLost { // the session of the connection, which the caller knows nothing of
		class = store.ErrUnavailable
	}
	return failed(class, err)
}

// lateError is the end of a context. Its text is the reason why the end came
// first, and not that it came.
type lateError struct {
	end error // of the context
	why error
}

// late returns the error of a context that has ended.
func late(ctx context.Context, why error) error { return lateError{ctx.Err(), why} }

var (
	errNoConnection = errors.New("no connection to a server yet")
	errNoAnswer     = errors.New("the server has not answered in time")
)

func (e lateError) Error() string {
	if errors.Is(e.end, context.DeadlineExceeded) {
		return e.why.Error()
	}
	return fmt.Sprintf("%v: %v", e.end, e.why)
}

func (e lateError) Unwrap() []error { return []error{e.end, e.why} }
