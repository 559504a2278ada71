package consul

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/conformance/servers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// behindProxy opens two stores on a fresh namespace, the first behind a proxy.
func behindProxy(t *testing.T, c *servers.Consul) (*servers.Proxy, *driver, *driver) {
	t.Helper()
	p := servers.StartProxy(t, c.Addr())
	ns := storetest.Namespace()
	return p, openAt(t, p.Addr(), ns), openAt(t, c.Addr(), ns)
}

// bulk is a value that is larger than anything else that is on its way, so that a test sees it in the proxy.
var bulk = []byte(strings.Repeat("x", 10<<10))

func heldBulk(t *testing.T, p *servers.Proxy) {
	t.Helper()
	storetest.Await(t, "the request to be on its way", func() bool { return p.Held(servers.ToServer) >= len(bulk) })
}

// The number in the flags of what was written tells that it was this transaction that wrote it.
func TestLostReplyOfAnAppliedTransactionIsFoundOut(t *testing.T) {
	t.Parallel()
	c := server(t)
	p, s, other := behindProxy(t, c)
	n := newSession(t, s)
	storetest.Commit(t, s, storetest.Do(store.Create("k", nil), store.Create("gone", nil)))
	guard := n.guard.Load()

	p.Drop(servers.ToClient)
	type outcome struct {
		r   store.Result
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := s.Commit(context.Background(), store.Txn{Session: n, Do: []store.Op{store.Delete("gone"), store.Set("k", []byte("applied")), store.CreateEphemeral("live/me", nil)}})
		done <- outcome{r, err}
	}()
	storetest.Await(t, "the transaction to be applied", func() bool { return storetest.Read(t, other, "k") == "applied" })
	storetest.Await(t, "the reply to be lost", func() bool { return p.Dropped() > 0 })
	p.Heal() // which breaks the connection
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	if n.guard.Load() <= guard {
		t.Error("reported before it was sealed")
	}
	e, err := s.Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "versions", fmt.Sprint(got.r.Versions), fmt.Sprint([]store.Version{0, e.Version, e.Version}))
	storetest.Commit(t, s, store.Txn{Session: n, If: []store.Cond{store.At("k", e.Version)}, Do: []store.Op{store.Set("k", []byte("the session goes on"))}})
}

// Unless somebody has written all of it over meanwhile.
func TestLostReplyIsUnknownWhenTheTraceIsGone(t *testing.T) {
	t.Parallel()
	c := server(t)
	p, s, other := behindProxy(t, c)
	n := newSession(t, s)
	storetest.Commit(t, s, storetest.Do(store.Create("k", nil)))
	p.Drop(servers.ToClient)
	failed := storetest.Background(t.Context(), s, store.Txn{Session: n, Do: []store.Op{store.Set("k", []byte("applied"))}})
	storetest.Await(t, "the transaction to be applied", func() bool { return storetest.Read(t, other, "k") == "applied" })
	storetest.Commit(t, other, storetest.Do(store.Set("k", []byte("over"))))
	p.Heal()
	storetest.WantError(t, <-failed, store.ErrUnknown)
}

func TestLostRequestIsSeenNotToHaveBeenApplied(t *testing.T) {
	t.Parallel()
	c := server(t)
	p, s, _ := behindProxy(t, c)
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
		heldBulk(t, p)
		p.Reset()
		p.Heal()
		err := <-failed
		t.Log(name, err)
		storetest.WantError(t, err, c.want)
	}
	storetest.Equal(t, "k", storetest.Read(t, s, "k"), "before")
	storetest.Equal(t, "new", storetest.Read(t, s, "new"), "-")
}

// The ghost: a transaction that was given up while it was on its way arrives after all, when somebody else has already
// gone on from its absence. Without a session it does commit, which shows that the test can see a ghost.
func TestSealedTransactionNeverCommitsLate(t *testing.T) {
	t.Parallel()
	c := server(t)
	for _, guarded := range []bool{true, false} {
		t.Run(fmt.Sprintf("guarded %v", guarded), func(t *testing.T) {
			p, s, rival := behindProxy(t, c)
			var txn store.Txn
			if guarded {
				txn.Session = newSession(t, s)
			}
			storetest.Commit(t, s, storetest.Do(store.Create("claim", nil)))
			txn.Do = []store.Op{store.Set("claim", bulk), store.Create("ghost", nil)}

			p.Hold(servers.ToServer)
			failed := storetest.Background(t.Context(), s, txn)
			heldBulk(t, p)
			p.Orphan()
			err := <-failed
			storetest.Commit(t, rival, storetest.Do(store.Set("claim", []byte("rival"))))
			dealtWith := func() float64 { return c.Metric("consul_txn_apply_count") }
			before := dealtWith()
			p.Release()
			storetest.Await(t, "the server to have seen the late copy", func() bool { return dealtWith() > before })
			if guarded {
				storetest.WantError(t, err, store.ErrUnavailable)
				storetest.Equal(t, "claim", storetest.Read(t, rival, "claim"), "rival")
				storetest.Equal(t, "ghost", storetest.Read(t, rival, "ghost"), "-")
				return
			}
			storetest.WantError(t, err, store.ErrUnknown)
			storetest.Equal(t, "ghost", storetest.Read(t, rival, "ghost"), "")
		})
	}
}

// The same when the caller gives up and not the network, as in the laboratory: a PUT that the client had given up after a
// second was applied later, over a newer value.
func TestCancelledCommitIsSettledBeforeItReturns(t *testing.T) {
	t.Parallel()
	c := server(t)
	p, s, _ := behindProxy(t, c)
	n := newSession(t, s)
	storetest.Commit(t, s, storetest.Do(store.Create("k", []byte("before"))))
	ctx, cancel := context.WithCancel(context.Background())
	p.Hold(servers.ToServer)
	failed := storetest.Background(ctx, s, store.Txn{Session: n, Do: []store.Op{store.Set("k", bulk)}})
	heldBulk(t, p)
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
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want it to say that the context was cancelled", err)
		}
	default:
		if err != nil {
			t.Fatalf("it was applied, and told as %v", err)
		}
	}
}

func TestCommitThatCannotBeSealedEndsTheSession(t *testing.T) {
	t.Parallel()
	c := server(t)
	p, s, other := behindProxy(t, c)
	n := brief(t, s)
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
		_, err := other.get(t.Context(), n.marker)
		return errors.Is(err, store.ErrNotFound)
	})
	p.Heal()
	storetest.Equal(t, "k", storetest.Read(t, s, "k"), "before")
}

// losing has Consul answer and loses the answer, for transactions with a bulky value.
type losing struct {
	armed  atomic.Bool
	lost   atomic.Int64
	answer func() (*http.Response, error) // what comes instead
}

func (l *losing) tap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if !l.armed.Load() || r.ContentLength < int64(len(bulk)) {
			return next.RoundTrip(r)
		}
		answer, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		answer.Body.Close()
		l.lost.Add(1)
		return l.answer()
	})
}

func TestSealIsInvisibleToOtherTransactionsInFlight(t *testing.T) {
	t.Parallel()
	c := server(t)
	l := &losing{answer: func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF }}
	s := openAt(t, c.Addr(), storetest.Namespace(), l.tap)
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
			if err != nil {
				t.Fatalf("writer %d, round %d: %v", w, i, err)
			}
		}
	}
	storetest.Equal(t, "replies lost", l.lost.Load(), rounds)
	entries, err := s.List(t.Context(), "w")
	if err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, "keys", len(entries), writers*rounds)
}

// Whatever comes in place of an answer says nothing of what was done, and nothing is sent again for it; it would then fail
// on what the first copy has written.
func TestTransactionIsSentOnceWhateverComesBack(t *testing.T) {
	t.Parallel()
	c := server(t)
	body := func(code int, text string) func() (*http.Response, error) {
		return func() (*http.Response, error) {
			return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(text)))}, nil
		}
	}
	for name, answer := range map[string]func() (*http.Response, error){
		"connection reset":      func() (*http.Response, error) { return nil, errors.New("connection reset by peer") },
		"half an answer":        body(http.StatusOK, `{"Results":[{"KV":{"LockIndex":0,`),
		"an answer of nonsense": body(http.StatusOK, `{"Errors":[{"OpIndex":0,"What":"?"}]}`),
		"a leader that lost": func() (*http.Response, error) {
			return nil, &statusError{500, "raft apply failed: leadership lost while committing log"}
		},
		"a proxy that gave up":   func() (*http.Response, error) { return nil, &statusError{503, "upstream connect error"} },
		"a proxy that timed out": func() (*http.Response, error) { return nil, &statusError{504, "gateway timeout"} },
	} {
		t.Run(name, func(t *testing.T) {
			l := &losing{answer: answer}
			s := openAt(t, c.Addr(), storetest.Namespace(), l.tap)
			l.armed.Store(true)
			_, err := s.Commit(t.Context(), storetest.Do(store.Create("k", bulk)))
			storetest.WantError(t, err, store.ErrUnknown)
			storetest.Equal(t, "times sent", l.lost.Load(), 1)
			storetest.Equal(t, "applied", len(storetest.Read(t, s, "k")), len(bulk))
		})
	}
}

// Answers that say that nothing was done are another matter: it is sent until it is.
func TestRefusedTransactionIsSentAgain(t *testing.T) {
	t.Parallel()
	c := server(t)
	for _, refusal := range []*statusError{{500, "No cluster leader"}, {429, "rate limit exceeded, try again later or against a different server"}, {503, "rate limit exceeded for operation that can only be performed by the leader, try again later"}} {
		t.Run(refusal.text, func(t *testing.T) {
			r := &refusing{err: refusal, path: "/v1/txn"}
			s := openAt(t, c.Addr(), storetest.Namespace(), r.tap)
			r.arm(3)
			storetest.Commit(t, s, storetest.Do(store.Create("k", nil)))
			storetest.Equal(t, "refusals left", r.left(), 0)
		})
	}
}

func TestCommitToAStoppedServerIsUnavailable(t *testing.T) {
	t.Parallel()
	c := server(t)
	s := openAt(t, c.Addr(), storetest.Namespace())
	c.Kill()
	_, err := s.Commit(storetest.Bounded(t, 200*time.Millisecond), storetest.Do(store.Create("k", nil)))
	storetest.WantError(t, err, store.ErrUnavailable)
	storetest.Mention(t, err, "connection refused", "deadline exceeded")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want it to say that the time was up", err)
	}
}
