package etcd

import (
	"context"
	"errors"
	"fmt"

	"github.com/elasticjob-go/elastic/store"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// refusal returns the sentinel for an answer with which the server says that it
// has done nothing and will do nothing, and nil for any other error: what was
// asked may have been done, or may be done yet.
//
// "No space" is not in it, although it looks like it: a server answers it, too,
// for the write that it has applied and that went over the quota
// (quotaApplierV3 in etcd's server/etcdserver/apply/quota.go).
func refusal(err error) error {
	for _, class := range []error{store.ErrPermission, store.ErrClosed} { // which have their class already
		if errors.Is(err, class) {
			return class
		}
	}
	switch e := rpctypes.Error(err); {
	case is(e, rpctypes.ErrPermissionDenied, rpctypes.ErrAuthFailed, rpctypes.ErrUserEmpty, rpctypes.ErrUserNotFound,
		rpctypes.ErrInvalidAuthToken, rpctypes.ErrAuthOldRevision, rpctypes.ErrPermissionNotGranted):
		return store.ErrPermission
	case is(e, rpctypes.ErrRequestTooLarge, rpctypes.ErrTooManyOps):
		return store.ErrTooLarge
	case is(e, rpctypes.ErrLeaseNotFound):
		return store.ErrSessionLost
	case is(e, rpctypes.ErrTooManyRequests):
		return store.ErrUnavailable
	case is(e, rpctypes.ErrNoSpace):
		return nil
	}
	switch status.Code(err) {
	case codes.ResourceExhausted: // gRPC's own, of either side: a message is over a limit, and was not taken
		return store.ErrTooLarge
	case codes.Unauthenticated, codes.PermissionDenied:
		return store.ErrPermission
	case codes.InvalidArgument: // such as a key that is named twice
		return store.ErrInvalid
	}
	return nil
}

func is(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// noSpace reports whether the server has answered that its quota is used up. It
// has dealt with the request then, one way or the other.
func noSpace(err error) bool { return is(rpctypes.Error(err), rpctypes.ErrNoSpace) }

// failed puts an error of the client library in its class, one of the store's
// sentinels.
func failed(class, why error) error { return fmt.Errorf("%w: %w", class, why) }

// readError gives the error of a request that changes nothing its class.
func (s *client) readError(ctx context.Context, err error) error {
	if s.running.Closed() {
		return store.ErrClosed
	}
	class := refusal(err)
	if class == nil {
		class = store.ErrUnavailable
	}
	return failed(class, reason(ctx, err))
}
