package integration

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// stopped is the store of a process that is stopped after the store has
// committed its claims, and before it has the answer. When it resumes it gets
// that answer first, and then learns of the end of its session.
type stopped struct {
	store.Store
	client     *memory.Client
	armed      *atomic.Bool
	woke, told chan struct{}
}

// stoppedSession is a session whose process learns late of its end.
type stoppedSession struct {
	store.Session
	told, done chan struct{}
}

func (s stopped) NewSession(ctx context.Context, o store.SessionOptions) (store.Session, error) {
	inner, err := s.Store.NewSession(ctx, o)
	if err != nil {
		return nil, err
	}
	own := stoppedSession{inner, s.told, make(chan struct{})}
	go func() {
		<-inner.Done()
		<-s.told
		close(own.done)
	}()
	return own, nil
}

func (s stopped) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	if own, ok := t.Session.(stoppedSession); ok {
		t.Session = own.Session
	}
	r, err := s.Store.Commit(ctx, t)
	if strings.HasPrefix(t.Do[0].Key, "runs/") && s.armed.CompareAndSwap(true, false) {
		s.client.Cut()
		<-s.woke
	}
	return r, err
}

func (s stoppedSession) Done() <-chan struct{} { return s.done }

func (s stoppedSession) Err() error {
	select {
	case <-s.done:
		return s.Session.Err()
	default:
		return nil
	}
}

// A process is stopped between the commit of its claims and the answer, for
// longer than its session lives. It enters no handler when it resumes,
// although it learns of the end of its session last.
func TestHeld_NoHandlerAfterDeadline(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Shards: 8, Failover: true}}
		p := stopped{armed: new(atomic.Bool), woke: make(chan struct{}), told: make(chan struct{})}
		c.wrap = func(s store.Store) store.Store {
			p.Store, p.client = s, s.(*memory.Client)
			return p
		}
		a := c.start("a")
		c.wrap = nil
		b := c.start("b")
		c.until("a and b share the shards", func() bool { return c.balanced("report", "a", "b") })
		p.armed.Store(true)
		c.until("a is stopped", func() bool { return !p.armed.Load() })
		c.until(
			"b has repeated all runs",
			func() bool { return len(c.find(func(r *ran) bool { return r.node == b })) == 8 },
		)
		close(p.woke)
		c.pass(10 * time.Millisecond)
		if runs := c.find(func(r *ran) bool { return r.node == a }); len(runs) > 0 {
			t.Errorf("%d handlers were entered after the session's deadline, the first with %+v", len(runs), runs[0])
		}
		close(p.told)
		p.client.Heal()
		c.until("a is back", func() bool { return c.balanced("report", "a", "b") })
	})
}

// A handler is not retried after the deadline of its session.
func TestHeld_NoRetryAfterDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := audited(t)
		var calm atomic.Bool
		c.Add(elastic.Job{Name: "report", Schedule: "0 * * * * ?", Shards: 4, Failover: true},
			elastic.HandlerFunc(func(context.Context, elastic.Run) error {
				if calm.Load() {
					return nil
				}
				return elastic.RetryIn(15*time.Second, errors.New("not yet"))
			}))
		c.Start("a", "b")
		c.NextFire("report")
		c.Pause("a")
		over := time.Now().Add(10 * time.Second)
		c.Advance(50 * time.Second)
		retries := 0
		for _, r := range c.Runs("report") {
			if r.Instance == "a" && r.Began.After(over) {
				t.Errorf("a handler was entered after its session's deadline: %s", r)
			}
			if r.Retry > 0 {
				retries++
			}
		}
		if retries == 0 {
			t.Error("there was no retry, so the test shows nothing")
		}
		calm.Store(true)
		c.Resume("a")
		c.UntilQuiet()
	})
}

// Held is false from the first call on after a process was stopped for longer
// than its session lives, and then the context has ended.
func TestHeld_ComparesClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := audited(t)
		ask := make(chan struct{})
		var held, ended bool
		c.Add(elastic.Job{
			Name:     "report",
			Schedule: "0 * * * * ?",
			Failover: true,
		}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
			if run.Attempt > 1 {
				return nil
			}
			if !run.Held() {
				t.Error("Held is false in a run that has just begun")
			}
			<-ask
			if ctx.Err() != nil {
				t.Error("the context ended before the process was stopped, so the test shows nothing")
			}
			held = run.Held()
			ended = errors.Is(context.Cause(ctx), elastic.ErrSessionLost)
			return nil
		}))
		c.Start("a")
		c.NextFire("report")
		c.Pause("a")
		c.Advance(30 * time.Second)
		close(ask)
		synctest.Wait()
		if held || !ended {
			t.Errorf("Held: %v, context ended: %v; want false, true", held, ended)
		}
		c.Resume("a")
		c.Advance(2 * time.Minute)
	})
}

// An instance that has reached its session's deadline while the store still
// answers lets its handlers return before it ends the session, because then
// another instance can start their runs.
func TestHeld_HandlersReturnFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := audited(t)
		const cleanup = 300 * time.Millisecond
		c.Add(elastic.Job{
			Name:     "report",
			Schedule: "0 * * * * ?",
			Failover: true,
		}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
			if run.Attempt > 1 {
				return nil
			}
			<-ctx.Done()
			time.Sleep(cleanup)
			return ctx.Err()
		}))
		c.Start("a")
		c.NextFire("report")
		c.Start("b")
		// Renewals do not arrive, all other requests do.
		c.Client("a").OnRequest(func(r memory.Request) memory.Fault {
			return memory.Fault{LoseRequest: r.Kind == memory.Renew}
		})
		c.Until("b has the run", func() bool { return len(c.Runs("report")) == 2 })
		runs := c.Runs("report")
		if runs[0].Ended.IsZero() || runs[1].Began.Before(runs[0].Ended) {
			t.Errorf("the successor began before the handler had returned: %s; %s", runs[0], runs[1])
		}
		c.Client("a").OnRequest(nil)
		c.UntilQuiet()
	})
}
