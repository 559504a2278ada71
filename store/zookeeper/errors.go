package zookeeper

import (
	"errors"
	"fmt"

	"github.com/elasticjob-go/elastic/store"
	"github.com/go-zookeeper/zk"
)

// refusal returns the sentinel for an answer with which the server says that it has done nothing and will do nothing,
// and nil for any other error: what was asked may have been done, or may be done yet. Conflicts are not in it.
func refusal(err error) error {
	switch {
	case errors.Is(err, zk.ErrNoAuth), errors.Is(err, zk.ErrAuthFailed), errors.Is(err, zk.ErrInvalidACL):
		return store.ErrPermission
	case errors.Is(err, zk.ErrSessionExpired):
		return store.ErrSessionLost
	case errors.Is(err, zk.ErrSessionMoved): // to another connection of ours; this one is at its end
		return store.ErrUnavailable
	case errors.Is(err, errOldServer), errors.Is(err, zk.ErrNoChildrenForEphemerals), errors.Is(err, zk.ErrInvalidPath), errors.Is(err, zk.ErrBadArguments):
		return store.ErrInvalid
	case errors.Is(err, zk.ErrShortBuffer): // of the client library: nothing was sent
		return store.ErrTooLarge
	}
	return nil
}

// failed puts an error in its class, one of the store's sentinels.
func failed(class, why error) error { return fmt.Errorf("%w: %w", class, why) }

// readError gives the error of a request that changes nothing its class.
func (s *driver) readError(err error) error {
	if s.running.Closed() {
		return store.ErrClosed
	}
	class := refusal(err)
	if class == nil || class == store.ErrSessionLost { // the session of the connection, which the caller knows nothing of
		class = store.ErrUnavailable
	}
	return failed(class, err)
}
