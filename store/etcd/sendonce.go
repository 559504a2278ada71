package etcd

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// sending follows one transaction through the client library.
type sending struct {
	sent bool  // it may have reached a server
	err  error // what came back
}

type sendingKey struct{}

// errSentAlready ends the client library's loop; no caller sees it.
var errSentAlready = status.Error(codes.Aborted, "store/etcd: not sent a second time")

// sendOnce is the innermost interceptor of the client. It keeps the client
// library from sending a transaction a second time when the first copy may have
// reached a server, and tells whether it may.
//
// The library means to do so by itself: isSafeRetryMutableRPC in
// go.etcd.io/etcd/client/v3@v3.7.3/retry.go lets writes be sent again only if
// there was no connection. But before that is asked, the loop in
// retry_interceptor.go goes on after any DeadlineExceeded or Canceled while the
// caller's context is still alive, and those come from elsewhere, too: from a
// server whose clock is ahead of ours by the last millisecond of the deadline,
// and from a proxy that resets a stream. The second copy would then fail on
// what the first has written, and a transaction that was applied would be
// reported as a conflict.
//
// What gRPC sends again by itself, a request that it knows no server to have
// looked at, is no second copy. Nor is what the library asks in between on the
// same context: where the transaction's token has expired, for another.
func sendOnce(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	s, ok := ctx.Value(sendingKey{}).(*sending)
	if !ok || method != pb.KV_Txn_FullMethodName {
		return invoke(ctx, method, request, reply, conn, opts...)
	}
	if s.sent && refusal(s.err) == nil {
		return errSentAlready
	}
	// gRPC fills in the peer when the request has had a connection, and only
	// then.
	var to peer.Peer
	s.err = invoke(ctx, method, request, reply, conn, append(opts, grpc.Peer(&to))...)
	s.sent = to.Addr != nil
	return s.err
}
