package admintest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/store"
)

// Loss is the fate of the first act that a Losing store is asked to commit.
type Loss string

// The losses.
const (
	LostRequest     Loss = "the request is lost"
	LostReply       Loss = "the reply is lost"
	SessionBefore   Loss = "the session ends before the request"
	SessionAfter    Loss = "the session ends after the request, and the reply is lost"
	ReplyThenReads  Loss = "the reply is lost, and the store stops answering"
	RequestThenRead Loss = "the request is lost, and so is the first read"
)

var losses = []Loss{LostRequest, LostReply, SessionBefore, SessionAfter, ReplyThenReads, RequestThenRead}

// Losing is a store that loses the first act, within the contract of a store.
type Losing struct {
	store.Store
	loss Loss

	mu    sync.Mutex
	lost  bool
	blind int // reads of the audit that fail
}

// NewLosing returns a store that loses the first act that is committed to s.
func NewLosing(s store.Store, loss Loss) *Losing { return &Losing{Store: s, loss: loss} }

// Commit loses the first act.
func (l *Losing) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	isAct := slices.ContainsFunc(t.Do, func(op store.Op) bool {
		return op.Kind == store.OpCreate && strings.HasPrefix(op.Key, "audit/")
	})
	l.mu.Lock()
	lose := isAct && !l.lost
	l.lost = l.lost || isAct
	l.mu.Unlock()
	if !lose {
		return l.Store.Commit(ctx, t)
	}
	switch l.loss {
	case LostRequest:
		return store.Result{}, fmt.Errorf("lost: %w", store.ErrUnknown)
	case RequestThenRead:
		l.stopReading(1)
		return store.Result{}, fmt.Errorf("lost: %w", store.ErrUnknown)
	case SessionBefore:
		t.Session.Close(ctx)
		return store.Result{}, fmt.Errorf("lost: %w", store.ErrSessionLost)
	}
	if r, err := l.Store.Commit(ctx, t); err != nil {
		return r, err
	}
	switch l.loss {
	case SessionAfter:
		t.Session.Close(ctx)
		return store.Result{}, fmt.Errorf("lost: %w", store.ErrSessionLost)
	case ReplyThenReads:
		l.stopReading(1000)
	}
	return store.Result{}, fmt.Errorf("lost: %w", store.ErrUnknown)
}

func (l *Losing) stopReading(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blind = n
}

// Get fails as long as the store does not answer about the audit.
func (l *Losing) Get(ctx context.Context, key string) (store.Entry, error) {
	l.mu.Lock()
	blind := strings.HasPrefix(key, "audit/") && l.blind > 0
	if blind {
		l.blind--
	}
	l.mu.Unlock()
	if blind {
		return store.Entry{}, fmt.Errorf("read %s: %w", key, store.ErrUnavailable)
	}
	return l.Store.Get(ctx, key)
}

// RunLost runs each act with each loss on a store: the receipt says what the
// store holds.
func RunLost(t *testing.T, open func(t *testing.T) store.Store) {
	for _, name := range slices.Sorted(maps.Keys(acts())) {
		for _, loss := range losses {
			t.Run(name+"/"+string(loss), func(t *testing.T) {
				t.Parallel()
				s := open(t)
				l := NewLosing(s, loss)
				truth, err := admin.New(s, admin.As("li"))
				if err != nil {
					t.Fatal(err)
				}
				a, err := admin.New(l, admin.As("li"))
				if err != nil {
					t.Fatal(err)
				}
				w := &World{API: truth, t: t}
				w.apply(report())
				w.API = a
				r, err := acts()[name](w)
				w.API = truth
				w.judge(r, err, loss)
				truth.Close(context.Background())
				a.Close(context.Background())
			})
		}
	}
}

// judge compares the answer of an act with the store.
func (w *World) judge(r admin.Receipt, err error, loss Loss) {
	w.t.Helper()
	entries := w.audit()
	if loss == ReplyThenReads {
		if !errors.Is(err, store.ErrUnknown) || len(entries) != 2 {
			w.t.Errorf("got %v and %d entries, want an unknown outcome of an act that was done", err, len(entries))
		}
		return
	}
	if err != nil || !r.Applied || r.Earlier {
		w.t.Fatalf("got %+v, %v, want that it was done", r, err)
	}
	if len(entries) != 2 || entries[0].ID != r.ID || entries[0].Rev != r.Rev {
		w.t.Errorf("receipt %+v, entries %+v; want one entry of the act", r, entries)
	}
}
