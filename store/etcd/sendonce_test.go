package etcd

import (
	"context"
	"net"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
)

// The client library fetches another token on the transaction's context, and
// then sends the transaction again.
func TestATransactionWhoseTokenHasExpiredIsSentAgain(t *testing.T) {
	var s sending
	ctx := context.WithValue(context.Background(), sendingKey{}, &s)
	asked := 0
	ask := func(method string, answer error) error {
		return sendOnce(ctx, method, nil, nil, nil, func(_ context.Context, _ string, _, _ any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
			asked++
			for _, o := range opts {
				if p, ok := o.(grpc.PeerCallOption); ok {
					p.PeerAddr.Addr = &net.TCPAddr{}
				}
			}
			return answer
		})
	}
	if err := ask(pb.KV_Txn_FullMethodName, rpctypes.ErrGRPCInvalidAuthToken); err == nil {
		t.Error("the transaction with the old token was taken")
	}
	if err := ask(pb.Auth_Authenticate_FullMethodName, nil); err != nil {
		t.Error("no other token:", err)
	}
	if err := ask(pb.KV_Txn_FullMethodName, nil); err != nil || asked != 3 || !s.sent {
		t.Errorf("with the new token: %v; sent: %t, requests: %d, want 3", err, s.sent, asked)
	}
	if err := ask(pb.KV_Txn_FullMethodName, nil); err != errSentAlready || asked != 3 {
		t.Errorf("what may have been applied was sent again: %v", err)
	}
}
