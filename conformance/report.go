package conformance

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
)

// seed returns the seed of a case: ELASTIC_TEST_SEED, or a random one.
func seed() uint64 {
	given, _ := strconv.ParseUint(os.Getenv("ELASTIC_TEST_SEED"), 10, 64)
	return cmp.Or(given, rand.Uint64())
}

// rand returns the random numbers of one goroutine of a case. Two goroutines of
// one number draw the same.
func (t *test) rand(goroutine int) *rand.Rand {
	return rand.New(rand.NewPCG(t.seed, uint64(goroutine)))
}

// history keeps the last calls of the stores of a case, with their outcomes.
type history struct {
	mu    sync.Mutex
	start time.Time
	calls []string
	total int
}

// remembered is the number of calls that a history keeps.
const remembered = 60

// note adds a call that began at a time and has just ended.
func (h *history) note(client int, began time.Time, what string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	outcome := "ok"
	if err != nil {
		outcome = err.Error()
	}
	if h.total++; len(h.calls) == remembered {
		h.calls = append(h.calls[:0], h.calls[1:]...)
	}
	h.calls = append(
		h.calls,
		fmt.Sprintf(
			"%8.3f to %8.3f store %d: %s: %s",
			began.Sub(h.start).Seconds(), time.Since(h.start).Seconds(), client, what, outcome,
		),
	)
}

func (h *history) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprintf(
		"the last %d of %d calls, in seconds since the start:\n%s",
		len(h.calls), h.total, strings.Join(h.calls, "\n"),
	)
}

// report describes what a reader needs to understand a failure without running
// it again.
func (t *test) report() string {
	return fmt.Sprintf("\nseed %d\n%s\n%s", t.seed, t.history, t.content())
}

// content describes the content of the namespace, if it can be read within
// seconds.
func (t *test) content() string {
	const shown = 40
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	text := "what the store holds can't be read"
	done := make(chan struct{})
	go func() { // Open may end the goroutine
		defer close(done)
		s := t.ns.Open(t.TB)
		defer s.Close(ctx)
		entries, err := s.List(ctx, "")
		if err != nil {
			text += ": " + err.Error()
			return
		}
		var b strings.Builder
		fmt.Fprintf(&b, "the store holds %d keys:", len(entries))
		for _, e := range entries[:min(shown, len(entries))] {
			fmt.Fprintf(&b, "\n%s=%.40q version %d created %d owner %q", e.Key, e.Value, e.Version, e.Created, e.Owner)
		}
		text = b.String()
	}()
	select {
	case <-done:
		return text
	case <-ctx.Done():
		return "what the store holds can't be read: it does not answer"
	}
}

// Get and the methods below are those of store.Portable, with a note in the
// history.

func (c *client) Get(ctx context.Context, key string) (store.Entry, error) {
	began := time.Now()
	e, err := c.Portable.Get(ctx, key)
	c.t.history.note(c.number, began, fmt.Sprintf("get %s = %.20q@%d", key, e.Value, e.Version), err)
	return e, err
}

func (c *client) List(ctx context.Context, prefix string) ([]store.Entry, error) {
	began := time.Now()
	entries, err := c.Portable.List(ctx, prefix)
	c.t.history.note(c.number, began, fmt.Sprintf("list %q: %d entries", prefix, len(entries)), err)
	return entries, err
}

func (c *client) Commit(ctx context.Context, txn store.Txn) (store.Result, error) {
	began := time.Now()
	r, err := c.Portable.Commit(ctx, txn)
	c.t.history.note(
		c.number, began, fmt.Sprintf("commit %.200s -> %v", text(txn), r.Versions[:min(4, len(r.Versions))]), err,
	)
	return r, err
}

func (c *client) NewSession(ctx context.Context, o store.SessionOptions) (store.Session, error) {
	began := time.Now()
	ss, err := c.Portable.NewSession(ctx, o)
	c.t.history.note(c.number, began, "new session", err)
	return ss, err
}
