package consul

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// The number in the flags of what was written tells that it was this
// transaction that wrote it.
func TestLostReplyOfAnAppliedTransactionIsFoundOut(t *testing.T) {
	t.Parallel()
	c := server(t)
	p, s, other := backend(c).BehindProxy(t)
	n := newSession(t, s)
	storetest.Commit(t, s, storetest.Do(store.Create("k", nil), store.Create("gone", nil)))
	guard := n.guard.Load()

	p.Drop(testservers.ToClient)
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
	p, s, other := backend(c).BehindProxy(t)
	n := newSession(t, s)
	storetest.Commit(t, s, storetest.Do(store.Create("k", nil)))
	p.Drop(testservers.ToClient)
	failed := storetest.Background(t.Context(), s, store.Txn{Session: n, Do: []store.Op{store.Set("k", []byte("applied"))}})
	storetest.Await(t, "the transaction to be applied", func() bool { return storetest.Read(t, other, "k") == "applied" })
	storetest.Commit(t, other, storetest.Do(store.Set("k", []byte("over"))))
	p.Heal()
	storetest.WantError(t, <-failed, store.ErrUnknown)
}

func TestLostRequestIsSeenNotToHaveBeenApplied(t *testing.T) {
	t.Parallel()
	storetest.LostRequestIsSeenNotToHaveBeenApplied(t, backend(server(t)), storetest.Lasting)
}

func TestSealedTransactionNeverCommitsLate(t *testing.T) {
	t.Parallel()
	c := server(t)
	storetest.SealedTransactionNeverCommitsLate(t, backend(c), storetest.Lasting, func() float64 { return c.Metric("consul_txn_apply_count") })
}

// In the laboratory a PUT that the client had given up after a second was
// applied later, over a newer value.
func TestCancelledCommitIsSettledBeforeItReturns(t *testing.T) {
	t.Parallel()
	storetest.CancelledCommitIsSettledBeforeItReturns(t, backend(server(t)), storetest.Lasting, guardOf, nil)
}

func TestCommitThatCannotBeSealedEndsTheSession(t *testing.T) {
	t.Parallel()
	storetest.CommitThatCannotBeSealedEndsTheSession(t, backend(server(t)), func(other store.Store, n store.Session) bool {
		_, err := other.(*client).get(t.Context(), n.(*session).marker)
		return errors.Is(err, store.ErrNotFound)
	})
}

// losing has Consul answer and loses the answer, for transactions with a bulky
// value.
type losing struct {
	armed  atomic.Bool
	lost   atomic.Int64
	answer func() (*http.Response, error) // what comes instead
}

func (l *losing) tap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if !l.armed.Load() || r.ContentLength < int64(len(storetest.Bulk)) {
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
	found := int64(0)
	storetest.SealIsInvisibleToOtherTransactionsInFlight(t, s, n, func(err error) {
		if err != nil {
			t.Fatal(err)
		}
		found++
	})
	storetest.Equal(t, "replies lost", l.lost.Load(), found)
}

// Whatever comes in place of an answer says nothing of what was done, and
// nothing is sent again for it; it would then fail on what the first copy has
// written.
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
			_, err := s.Commit(t.Context(), storetest.Do(store.Create("k", storetest.Bulk)))
			storetest.WantError(t, err, store.ErrUnknown)
			storetest.Equal(t, "times sent", l.lost.Load(), 1)
			storetest.Equal(t, "applied", len(storetest.Read(t, s, "k")), len(storetest.Bulk))
		})
	}
}

// Answers that say that nothing was done are another matter: it is sent until
// it is.
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
	s.hosts.closeIdle() // what is sent on a connection that has just died may have arrived
	_, err := s.Commit(storetest.Bounded(t, 200*time.Millisecond), storetest.Do(store.Create("k", nil)))
	storetest.WantError(t, err, store.ErrUnavailable)
	storetest.Mention(t, err, "connection refused")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want it to say that the time was up", err)
	}
}
