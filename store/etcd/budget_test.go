package etcd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
	"google.golang.org/grpc"
)

// requests counts what a store sends: calls, and messages on streams, by the
// method's name.
type requests struct {
	mu   sync.Mutex
	sent map[string]int
}

func (r *requests) options() []grpc.DialOption {
	r.sent = map[string]int{}
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			r.count(method)
			return invoke(ctx, method, request, reply, conn, opts...)
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			stream, err := open(ctx, desc, conn, method, opts...)
			return &countedStream{stream, r, method}, err
		}),
	}
}

type countedStream struct {
	grpc.ClientStream
	requests *requests
	method   string
}

func (s *countedStream) SendMsg(m any) error {
	s.requests.count(s.method)
	return s.ClientStream.SendMsg(m)
}

func (r *requests) count(method string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent[method[strings.LastIndexByte(method, '/')+1:]]++
}

// take returns what was sent since the last call, such as "Range:1 Txn:2".
func (r *requests) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, method := range slices.Sorted(maps.Keys(r.sent)) {
		all = append(all, fmt.Sprintf("%s:%d", method, r.sent[method]))
	}
	clear(r.sent)
	return strings.Join(all, " ")
}

func TestBudgets(t *testing.T) {
	e := server(t)
	var r requests
	s := openAt(t, e.Addr(), storetest.Namespace(), r.options()...)
	storetest.Equal(t, "open", r.take(), "Range:1")
	n := newSession(t, s)
	storetest.Equal(t, "start a session", r.take(), "LeaseGrant:1 Txn:1")

	var create store.Txn
	for i := range 100 {
		create.Do = append(create.Do, store.Create(fmt.Sprintf("k/%d", i), []byte("v")))
	}
	create.Session = n
	v := storetest.Commit(t, s, create)
	storetest.Equal(t, "create 100 keys in a session", r.take(), "Txn:1")
	storetest.Commit(t, s, store.Txn{Session: n, If: []store.Cond{store.At("k/1", v[1]), store.Exists("k/2")}, Do: []store.Op{store.Set("k/1", nil), store.Delete("k/0")}})
	storetest.Equal(t, "compare and set", r.take(), "Txn:1")
	_, err := s.Commit(t.Context(), store.Txn{Session: n, If: []store.Cond{store.At("k/1", v[1])}, Do: []store.Op{store.Set("k/1", nil)}})
	storetest.WantConflict(t, err, "k/1", store.Changed)
	storetest.Equal(t, "a conflict, with its reason", r.take(), "Txn:1")
	storetest.Read(t, s, "k/1")
	storetest.Equal(t, "get", r.take(), "Range:1")
	if _, err := s.List(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "list 99 keys", r.take(), "Range:1")

	m := storetest.Follow(t, s, "k")
	m.Next()
	storetest.Await(t, "the watch to have begun", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.sent["Watch"] > 0 })
	storetest.Equal(t, "start a watch", r.take(), "Range:1 Watch:1")
	for i := range 20 {
		storetest.Commit(t, s, storetest.Do(store.Set("k/1", fmt.Append(nil, i))))
	}
	m.UntilHas("k/1", "19")
	storetest.Equal(t, "20 changes that are watched", r.take(), "Txn:20")
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "end a session", r.take(), "LeaseRevoke:1")
}

// What an instance costs the store while nothing happens: the renewals of one
// session, and one sign of life for all its watches. With the defaults that is
// 18 and 15 a minute.
func TestIdleStoreAsksForNothingElse(t *testing.T) {
	e := server(t)
	var r requests
	s := openAt(t, e.Addr(), storetest.Namespace(), r.options()...)
	hasty(s)
	n := newSession(t, s)
	for i := range 6 {
		storetest.Follow(t, s, fmt.Sprintf("w/%d", i)).Next()
	}
	storetest.Await(t, "the watches to have begun", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.sent["Watch"] >= 6 })
	before := n.Deadline()
	storetest.Await(t, "a renewal", func() bool { return n.Deadline().After(before) })

	r.take()
	const renewed = 5
	start, first := time.Now(), n.Deadline()
	storetest.Await(t, "more renewals", func() bool { return n.Deadline().Sub(first) >= (renewed-1)*n.Granted/renewals })
	took := time.Since(start)
	r.mu.Lock()
	defer r.mu.Unlock()
	for method, most := range map[string]int{
		"LeaseKeepAlive": int(took/(n.Granted/renewals)) + 1,
		"Watch":          int(took/s.probeEvery) + 1,
	} {
		if got := r.sent[method]; got > most {
			t.Errorf("%d messages on %s in %v, want at most %d", got, method, took, most)
		}
		delete(r.sent, method)
	}
	if len(r.sent) > 0 {
		t.Errorf("asked for more in %v: %v", took, r.sent)
	}
	if aMinute := time.Minute/(store.DefaultTTL/renewals) + time.Minute/probeEvery; aMinute > 40 {
		t.Errorf("an idle store with the defaults sends %d requests a minute, want at most 40", aMinute)
	}
}
