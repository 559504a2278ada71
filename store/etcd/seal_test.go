package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance/servers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// behindProxy opens two stores on a fresh namespace, the first behind a proxy.
func behindProxy(t *testing.T, e *servers.Etcd) (*servers.Proxy, *driver, *driver) {
	t.Helper()
	p := servers.StartProxy(t, e.Addr())
	ns := storetest.Namespace()
	return p, openAt(t, p.Addr(), ns), openAt(t, e.Addr(), ns)
}

// bulk is a value that is larger than anything else that is on its way, so that a test sees it in the proxy.
var bulk = []byte(strings.Repeat("x", 10<<10))

func TestLostReplyOfAnAppliedTransactionIsUnknown(t *testing.T) {
	e := server(t)
	p, s, other := behindProxy(t, e)
	n := newSession(t, s)
	storetest.Commit(t, s, storetest.Do(store.Create("k", nil)))
	guard := n.guard.Load()

	p.Drop(servers.ToClient)
	failed := storetest.Background(t.Context(), s, store.Txn{Session: n, Do: []store.Op{store.Set("k", []byte("applied"))}})
	storetest.Await(t, "the transaction to be applied", func() bool { return storetest.Read(t, other, "k") == "applied" })
	storetest.Await(t, "the reply to be lost", func() bool { return p.Dropped() > 0 })
	p.Heal() // which breaks the connection
	storetest.WantError(t, <-failed, store.ErrUnknown)
	if n.guard.Load() <= guard {
		t.Error("reported before it was sealed")
	}
	storetest.Equal(t, "k", storetest.Read(t, s, "k"), "applied")
	storetest.Commit(t, s, store.Txn{Session: n, Do: []store.Op{store.Set("k", []byte("the session goes on"))}})
}

func TestLostRequestIsSeenNotToHaveBeenApplied(t *testing.T) {
	e := server(t)
	p, s, _ := behindProxy(t, e)
	n := newSession(t, s)
	storetest.Commit(t, s, storetest.Do(store.Create("k", []byte("before"))))
	for name, c := range map[string]struct {
		op   store.Op
		want error
	}{
		"set":    {store.Set("k", bulk), store.ErrUnavailable},
		"create": {store.Create("new", bulk), store.ErrUnknown}, // may have been created, and deleted since
	} {
		p.Hold(servers.ToServer)
		failed := storetest.Background(t.Context(), s, store.Txn{Session: n, Do: []store.Op{c.op}})
		storetest.Await(t, "the request to be on its way", func() bool { return p.Held(servers.ToServer) >= len(bulk) })
		p.Reset()
		p.Heal()
		err := <-failed
		t.Log(name, err)
		storetest.WantError(t, err, c.want)
	}
	storetest.Equal(t, "k", storetest.Read(t, s, "k"), "before")
	storetest.Equal(t, "new", (storetest.Read(t, s, "new") != "-"), false)
}

// The ghost: a transaction that was given up while it was on its way arrives after all, when somebody else has already
// gone on from its absence. Without a session it does commit, which shows that the test can see a ghost.
func TestSealedTransactionNeverCommitsLate(t *testing.T) {
	e := server(t)
	for _, guarded := range []bool{true, false} {
		t.Run(fmt.Sprintf("guarded %v", guarded), func(t *testing.T) {
			p, s, rival := behindProxy(t, e)
			var txn store.Txn
			if guarded {
				txn.Session = newSession(t, s)
			}
			storetest.Commit(t, s, storetest.Do(store.Create("claim", nil)))
			txn.Do = []store.Op{store.Set("claim", bulk), store.Create("ghost", nil)}

			p.Hold(servers.ToServer)
			failed := storetest.Background(t.Context(), s, txn)
			storetest.Await(t, "the request to be on its way", func() bool { return p.Held(servers.ToServer) >= len(bulk) })
			p.Orphan()
			err := <-failed
			storetest.Commit(t, rival, storetest.Do(store.Set("claim", []byte("rival"))))

			handled := func() float64 { return e.Metric("grpc_server_handled_total", `grpc_method="Txn"`) }
			before := handled()
			p.Release()
			storetest.Await(t, "the server to have seen the late copy", func() bool { return handled() > before })
			if guarded {
				storetest.WantError(t, err, store.ErrUnavailable)
				storetest.Equal(t, "claim", storetest.Read(t, rival, "claim"), "rival")
				storetest.Equal(t, "ghost", (storetest.Read(t, rival, "ghost") != "-"), false)
				return
			}
			storetest.WantError(t, err, store.ErrUnknown)
			storetest.Equal(t, "ghost", (storetest.Read(t, rival, "ghost") != "-"), true)
		})
	}
}

// The same when the caller gives up and not the network: Commit must not return before the outcome is final.
func TestCancelledCommitIsSettledBeforeItReturns(t *testing.T) {
	e := server(t)
	p, s, _ := behindProxy(t, e)
	n := newSession(t, s)
	storetest.Commit(t, s, storetest.Do(store.Create("k", []byte("before"))))
	ctx, cancel := context.WithCancel(context.Background())
	p.Hold(servers.ToServer)
	failed := storetest.Background(ctx, s, store.Txn{Session: n, Do: []store.Op{store.Set("k", bulk)}})
	storetest.Await(t, "the request to be on its way", func() bool { return p.Held(servers.ToServer) >= len(bulk) })
	cancel()
	guard := n.guard.Load()
	select {
	case err := <-failed:
		t.Fatalf("returned %v while the request may still arrive", err)
	case <-time.After(50 * time.Millisecond):
	}
	p.Heal()
	err := <-failed
	if n.guard.Load() == guard {
		t.Fatal("not sealed")
	}
	switch storetest.Read(t, s, "k") {
	case "before":
		storetest.WantError(t, err, store.ErrUnavailable)
	default:
		storetest.WantError(t, err, store.ErrUnknown)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it to say that the context was cancelled", err)
	}
}

func TestCommitThatCannotBeSealedEndsTheSession(t *testing.T) {
	t.Parallel()
	e := server(t)
	p, s, other := behindProxy(t, e)
	n := newSession(t, s)
	storetest.Commit(t, s, storetest.Do(store.Create("k", []byte("before"))))
	p.Hold(servers.ToServer)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	err := <-storetest.Background(ctx, s, store.Txn{Session: n, Do: []store.Op{store.Set("k", bulk)}})
	storetest.WantError(t, err, store.ErrSessionLost)
	storetest.WantError(t, n.Err(), store.ErrSessionLost)
	if late := time.Since(n.Deadline()); late > time.Second {
		t.Errorf("returned %v after the deadline", late)
	}
	storetest.Await(t, "the store to end the session", func() bool {
		reply, err := other.client.Get(t.Context(), n.marker)
		return err == nil && len(reply.Kvs) == 0
	})
	p.Heal()
	storetest.Equal(t, "k", storetest.Read(t, s, "k"), "before")
}

// losing is an interceptor that has the server answer and loses the answer, for transactions with a bulky value.
type losing struct {
	armed atomic.Bool
	lost  atomic.Int64
	as    codes.Code
}

func (l *losing) option() grpc.DialOption {
	return grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		err := invoke(ctx, method, request, reply, conn, opts...)
		if txn, ok := request.(*pb.TxnRequest); ok && l.armed.Load() && len(txn.Success) > 0 && len(txn.Success[0].GetRequestPut().GetValue()) >= len(bulk) {
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
	const writers, rounds = 8, 60
	errs := make([][]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				value := []byte("small")
				if w == 0 {
					value = bulk // its reply is lost
				}
				_, err := s.Commit(context.Background(), store.Txn{Session: n, Do: []store.Op{store.Create(fmt.Sprintf("w/%d/%d", w, i), value)}})
				errs[w] = append(errs[w], err)
			}
		})
	}
	wg.Wait()
	for w := range errs {
		for i, err := range errs[w] {
			if w == 0 {
				storetest.WantError(t, err, store.ErrUnknown)
			} else if err != nil {
				t.Fatalf("writer %d, round %d: %v", w, i, err)
			}
		}
	}
	entries, err := s.List(t.Context(), "w")
	if err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "keys", len(entries), writers*rounds)
}

// The client library would send it again, find its own first copy, and report a conflict.
func TestLibrarySendsNoTransactionTwice(t *testing.T) {
	e := server(t)
	for _, code := range []codes.Code{codes.Canceled, codes.DeadlineExceeded, codes.Unavailable} {
		l := &losing{as: code}
		s := openAt(t, e.Addr(), storetest.Namespace(), l.option())
		l.armed.Store(true)
		_, err := s.Commit(t.Context(), storetest.Do(store.Create("k", bulk)))
		storetest.WantError(t, err, store.ErrUnknown)
		storetest.Equal(t, "times sent", l.lost.Load(), 1)
	}
}

func TestCommitToAStoppedServerIsUnavailable(t *testing.T) {
	e := server(t)
	s := openAt(t, e.Addr(), storetest.Namespace())
	e.Stop()
	storetest.Await(t, "the connection to be gone", func() bool {
		s.lines.mu.Lock()
		defer s.lines.mu.Unlock()
		return len(s.lines.open) == 0
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
