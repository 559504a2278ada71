package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// readOnly is a store whose user may not write while denied is true.
type readOnly struct {
	store.Store
	sessions bool // the user may open sessions
	denied   *atomic.Bool
}

var errReadOnly = fmt.Errorf("%w: the user may read only", store.ErrPermission)

func (r readOnly) NewSession(ctx context.Context, o store.SessionOptions) (store.Session, error) {
	if r.denied.Load() && !r.sessions {
		return nil, errReadOnly
	}
	return r.Store.NewSession(ctx, o)
}

func (r readOnly) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	if r.denied.Load() {
		return store.Result{}, errReadOnly
	}
	return r.Store.Commit(ctx, t)
}

// Run ends at once, with an error, if the user may not write: if the session
// or the instance's key is refused.
func TestPermission_RunEndsIfJoinIsRefused(t *testing.T) {
	for _, sessions := range []bool{false, true} {
		bubble(t, func(c *cluster) {
			denied := new(atomic.Bool)
			denied.Store(true)
			c.jobs = nightly()
			c.wrap = func(s store.Store) store.Store { return readOnly{s, sessions, denied} }
			a := c.start("a")
			c.pass(time.Second)
			select {
			case <-a.done:
			default:
				t.Fatal("Run does not return")
			}
			if !errors.Is(a.err, store.ErrPermission) ||
				!strings.Contains(a.err.Error(), "read and write the namespace") {
				t.Errorf("Run returned %v, want ErrPermission and what to do", a.err)
			}
		})
	}
}

// An instance that has joined survives the loss of its permissions, and joins
// again when it has them back.
func TestPermission_InstanceSurvivesLoss(t *testing.T) {
	bubble(t, func(c *cluster) {
		denied := new(atomic.Bool)
		c.jobs = nightly()
		c.wrap = func(s store.Store) store.Store { return readOnly{s, false, denied} }
		a := c.start("a")
		c.until("it runs", func() bool { return c.total() == 2 })
		denied.Store(true)
		a.client.Cut() // the session is lost as well
		c.pass(2 * ttl)
		a.client.Heal()
		c.pass(time.Minute)
		select {
		case <-a.done:
			t.Fatal("Run has ended:", a.err)
		default:
		}
		denied.Store(false)
		before := c.total()
		c.until("it runs again", func() bool { return c.total() > before })
	})
}

// The Joined event reports a TTL that differs from the one requested by an
// option or the URL.
func TestJoined_ReportsOtherTTL(t *testing.T) {
	for name, row := range map[string]struct {
		config store.Config
		option []elastic.Option
		asked  string
	}{
		"option, too short": {option: []elastic.Option{elastic.WithSessionTTL(time.Millisecond)}, asked: "1ms"},
		"URL, too short":    {config: store.Config{SessionTTL: 2 * time.Millisecond}, asked: "2ms"},
		"URL, granted":      {config: store.Config{SessionTTL: 7 * time.Second}},
		"none":              {},
	} {
		bubble(t, func(c *cluster) {
			joined := make(chan elastic.Event, 10)
			s, err := elastic.New(store.NewPortable(c.server.Connect("b"),
				row.config), append(row.option, elastic.WithEvents(func(e elastic.Event) {
				if e.Kind == observe.Joined {
					joined <- e
				}
			}))...)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			e := <-joined
			cancel()
			<-done
			if e.Args["asked"] != row.asked || (e.Code == "session_ttl") != (row.asked != "") ||
				(e.Detail != "") != (row.asked != "") {
				t.Errorf("%s: got %+v, want asked=%q", name, e, row.asked)
			}
		})
	}
}
