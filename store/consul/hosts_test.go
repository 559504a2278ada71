package consul

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

func TestAnotherHostIsOneThatAnsweredLast(t *testing.T) {
	named := func(addr string) *host { return &host{addr: addr, wire: newWire(nil, &token{}, false)} }
	a, b, c, d := named("a"), named("b"), named("c"), named("d")
	h := &hosts{all: []*host{a, b, c, d}}
	now := time.Now
	mark := func(at interface{ Store(int64) }) { at.Store(int64(now().Sub(epoch))) }
	mark(&a.answered)
	mark(&b.failed)
	mark(&d.answered)

	before := now()
	mark(&a.answered)
	h.leave(a, before)
	storetest.Equal(t, "one that has answered since", h.now().addr, "a")
	h.leave(b, now())
	storetest.Equal(t, "one that is not asked", h.now().addr, "a")
	h.leave(a, now())
	storetest.Equal(t, "one that answered before one that was never asked", h.now().addr, "d")
	h.leave(d, now())
	storetest.Equal(t, "one that was never asked before one that failed", h.now().addr, "c")
	h.leave(c, now())
	storetest.Equal(t, "the next of those that failed", h.now().addr, "d")
	mark(&b.answered)
	h.leave(d, now())
	storetest.Equal(t, "one that is back", h.now().addr, "b")
	alone := &hosts{all: []*host{a}}
	alone.leave(a, now())
	storetest.Equal(t, "the only one", alone.now().addr, "a")
}

// A large list takes time to come in. To ask for it again because it is late
// would take more.
func TestAnswerThatHasBegunIsWaitedFor(t *testing.T) {
	t.Parallel()
	const patience = 3 * time.Second
	var lists atomic.Int64
	c := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/txn" {
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"Errors":[{"OpIndex":0,"What":"failed to check index, key \"ns/.sys/probe\" doesn't exist"}]}`)
			return
		}
		lists.Add(1)
		w.Header().Set("X-Consul-Index", "7")
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(patience * 4 / 5): // longer than an attempt may take that is not answered
		}
		fmt.Fprint(w, `[{"Key":"ns/k","CreateIndex":7,"ModifyIndex":7}]`)
	}))
	defer c.Close()
	s := openAt(t, c.Listener.Addr().String(), "ns")
	entries, err := s.List(storetest.Bounded(t, patience), "")
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	storetest.Equal(t, "times asked", lists.Load(), 1)
}
