package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// Each request that was sent is told once, in order, with its class and its
// duration; what was refused before is not.
func TestObserve_TellsEachRequest(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		c := memory.NewServer().Connect("test")
		p := store.NewPortable(c, store.Config{RequestTimeout: 2 * time.Second})
		var got []store.Request
		stop := p.Observe(func(r store.Request) { got = append(got, r) })
		ctx := context.Background()
		create := store.Txn{Do: []store.Op{store.Create("a", nil)}}
		_, _ = p.Get(ctx, "a")
		_, _ = p.Commit(ctx, create)
		_, _ = p.Commit(ctx, create)
		_, _ = p.List(ctx, "")
		_, _ = p.Get(ctx, "/invalid")
		c.Cut()
		_, _ = p.Get(ctx, "a")
		c.Heal()
		if s, err := p.NewSession(ctx, store.SessionOptions{}); err == nil {
			_ = s.Close(ctx)
		}
		if w, err := p.Watch(ctx, "a"); err == nil {
			_ = w.Close()
		}
		synctest.Wait()
		want := []store.Request{
			{Driver: "memory", Op: store.RequestGet, Outcome: store.OutcomeNotFound},
			{Driver: "memory", Op: store.RequestCommit, Outcome: store.OutcomeOK},
			{Driver: "memory", Op: store.RequestCommit, Outcome: store.OutcomeConflict},
			{Driver: "memory", Op: store.RequestList, Outcome: store.OutcomeOK},
			{Driver: "memory", Op: store.RequestGet, Outcome: store.OutcomeUnavailable, Duration: 2 * time.Second},
			{Driver: "memory", Op: store.RequestSession, Outcome: store.OutcomeOK},
			{Driver: "memory", Op: store.RequestWatch, Outcome: store.OutcomeOK},
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		stop()
		stop()
		_, _ = p.Get(ctx, "a")
		synctest.Wait()
		if len(got) != len(want) {
			t.Errorf("told after stop: %+v", got[len(want):])
		}
		_ = p.Close(ctx)
	})
}

// An observer that panics, ends its goroutine or blocks harms neither the
// requests nor another observer, and holds a bounded number of requests.
func TestObserve_HostileObserver(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		const requests = 3000
		p := store.NewPortable(memory.NewServer().Connect("test"), store.Config{})
		ctx := context.Background()
		told, calls := 0, 0
		open := make(chan struct{})
		var missed []int
		p.Observe(func(store.Request) { told++ })
		p.Observe(func(store.Request) {
			if calls++; calls%2 == 0 {
				runtime.Goexit()
			}
			panic("observer")
		})
		p.Observe(func(r store.Request) {
			<-open
			missed = append(missed, r.Missed)
		})
		start := time.Now()
		for range requests {
			_, _ = p.Get(ctx, "a")
			synctest.Wait()
		}
		if told != requests || calls != requests || time.Since(start) != 0 {
			t.Errorf("told %d and %d of %d requests, which waited %s", told, calls, requests, time.Since(start))
		}
		close(open)
		synctest.Wait()
		_, _ = p.Get(ctx, "a")
		synctest.Wait()
		sum := len(missed)
		for _, n := range missed {
			sum += n
		}
		if len(missed) > 1100 || sum != requests+1 {
			t.Errorf("the observer that was blocked was told of %d requests and missed %d, of %d",
				len(missed), sum-len(missed), requests+1)
		}
		_ = p.Close(ctx)
	})
}

// A request has one outcome, and the one that says most about what was applied.
func TestOutcomeOf_Classes(t *testing.T) {
	for _, row := range []struct {
		err  error
		want store.Outcome
	}{
		{nil, store.OutcomeOK},
		{fmt.Errorf("get a: %w", store.ErrNotFound), store.OutcomeNotFound},
		{&store.ConflictError{}, store.OutcomeConflict},
		{store.ErrSessionLost, store.OutcomeSessionLost},
		{store.ErrUnknown, store.OutcomeUnknown},
		{errors.Join(store.ErrEnded, store.ErrUnknown), store.OutcomeUnknown},
		{store.ErrEnded, store.OutcomeUnavailable},
		{fmt.Errorf("%w: %w", store.ErrUnavailable, context.Canceled), store.OutcomeUnavailable},
		{store.ErrTooLarge, store.OutcomeTooLarge},
		{store.ErrInvalid, store.OutcomeInvalid},
		{store.ErrPermission, store.OutcomePermission},
		{errors.Join(store.ErrClosed, store.ErrSessionLost), store.OutcomeSessionLost},
		{store.ErrClosed, store.OutcomeClosed},
		{context.Canceled, store.OutcomeCanceled},
		{errors.New("no class"), store.OutcomeOther},
	} {
		if got := store.OutcomeOf(row.err); got != row.want {
			t.Errorf("%v: got %q, want %q", row.err, got, row.want)
		}
	}
}
