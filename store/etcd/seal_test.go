package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestLostReplyOfAnAppliedTransactionIsUnknown(t *testing.T) {
	storetest.LostReplyIsUnknownAndSealed(t, backend(server(t)), guardOf)
}

func TestLostRequestIsSeenNotToHaveBeenApplied(t *testing.T) {
	storetest.LostRequestIsSeenNotToHaveBeenApplied(t, backend(server(t)), ttl)
}

func TestSealedTransactionNeverCommitsLate(t *testing.T) {
	e := server(t)
	storetest.SealedTransactionNeverCommitsLate(t, backend(e), ttl, func() float64 { return e.Metric("grpc_server_handled_total", `grpc_method="Txn"`) })
}

func TestCancelledCommitIsSettledBeforeItReturns(t *testing.T) {
	storetest.CancelledCommitIsSettledBeforeItReturns(t, backend(server(t)), ttl, guardOf, store.ErrUnknown)
}

func TestCommitThatCannotBeSealedEndsTheSession(t *testing.T) {
	t.Parallel()
	storetest.CommitThatCannotBeSealedEndsTheSession(t, backend(server(t)), func(other store.Store, n store.Session) bool {
		reply, err := other.(*client).client.Get(t.Context(), n.(*session).marker)
		return err == nil && len(reply.Kvs) == 0
	})
}

// losing is an interceptor that has the server answer and loses the answer, for
// transactions with a bulky value.
type losing struct {
	armed atomic.Bool
	lost  atomic.Int64
	as    codes.Code
}

func (l *losing) option() grpc.DialOption {
	return grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		err := invoke(ctx, method, request, reply, conn, opts...)
		if txn, ok := request.(*pb.TxnRequest); ok && l.armed.Load() && len(txn.Success) > 0 && len(txn.Success[0].GetRequestPut().GetValue()) >= len(storetest.Bulk) {
			l.lost.Add(1)
			return status.Error(l.as, "lost on purpose")
		}
		return err
	})
}

func TestSealIsInvisibleToOtherTransactionsInFlight(t *testing.T) {
	e := server(t)
	l := &losing{as: codes.Unavailable}
	s := openAt(t, e.Addr(), storetest.Namespace(), l.option())
	n := newSession(t, s)
	l.armed.Store(true)
	storetest.SealIsInvisibleToOtherTransactionsInFlight(t, s, n, func(err error) { storetest.WantError(t, err, store.ErrUnknown) })
}

// The client library would send it again, find its own first copy, and report a
// conflict.
func TestLibrarySendsNoTransactionTwice(t *testing.T) {
	e := server(t)
	for _, code := range []codes.Code{codes.Canceled, codes.DeadlineExceeded, codes.Unavailable} {
		l := &losing{as: code}
		s := openAt(t, e.Addr(), storetest.Namespace(), l.option())
		l.armed.Store(true)
		_, err := s.Commit(t.Context(), storetest.Do(store.Create("k", storetest.Bulk)))
		storetest.WantError(t, err, store.ErrUnknown)
		storetest.Equal(t, "times sent", l.lost.Load(), 1)
	}
}

func TestCommitToAStoppedServerIsUnavailable(t *testing.T) {
	e := server(t)
	s := openAt(t, e.Addr(), storetest.Namespace())
	e.Stop()
	storetest.Await(t, "the connection to be gone", func() bool {
		s.conns.mu.Lock()
		defer s.conns.mu.Unlock()
		return len(s.conns.open) == 0
	})
	_, err := s.Commit(storetest.Bounded(t, 200*time.Millisecond), storetest.Do(store.Create("k", nil)))
	storetest.WantError(t, err, store.ErrUnavailable)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want it to say that the time was up", err)
	}
}

// A full store answers "no space" for writes that it has applied, too.
func TestFullStoreCostsNoSession(t *testing.T) {
	e := server(t, "--quota-backend-bytes", fmt.Sprint(8<<20))
	s := openAt(t, e.Addr(), storetest.Namespace())
	n := newSession(t, s)
	value := make([]byte, 512<<10)
	var err error
	applied := 0
	for ; err == nil && applied < 100; applied++ {
		_, err = s.Commit(t.Context(), store.Txn{Session: n, Do: []store.Op{store.Create(fmt.Sprintf("k/%d", applied), value)}})
	}
	storetest.WantError(t, err, store.ErrUnknown)
	if err := n.Err(); err != nil {
		t.Fatalf("the session ended: %v", err)
	}
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.Delete("k/0")}})
}
