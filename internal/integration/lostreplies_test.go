package integration

import (
	"context"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// An instance keeps its session when a watch begins with an old state. A
// restarted server answers its first watches with the content that it had when
// it stopped; newer instances are missing in it.
func TestLostReply_StaleWatchKeepsSession(t *testing.T) {
	bubble(t, func(c *cluster) {
		old := make(chan store.Update, 1)
		c.wrap = func(s store.Store) store.Store { return behind{s, old} }
		c.does(sleepFor(20 * time.Second))
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Shards: 2, Failover: true}}
		a := c.start("a")
		c.until("a runs both", func() bool { return c.running(a, 0) && c.running(a, 1) })
		old <- store.Update{Reset: true}
		c.put(layout.InstanceKey("another@1"), layout.Instance{Name: "another", State: layout.Draining}.Encode()) // an update for the watch
		c.pass(2 * time.Minute)
		if len(old) > 0 {
			t.Fatal("the watch did not show the old state")
		}
		if lost := c.seen(observe.SessionLost); len(lost) > 0 {
			t.Errorf("a gave up its session: %v", lost[0])
		}
		c.delete(layout.InstanceKey("another@1"))
		if got := c.record("report", 0); got.Attempt != 1 {
			t.Errorf("the record says %s, want a first attempt", got)
		}
	})
}

// An instance keeps its session when the answer to a heartbeat is lost. A read
// settles whether the heartbeat was applied.
func TestLostReply_HeartbeatKeepsSession(t *testing.T) {
	for _, fault := range []memory.Fault{{LoseReply: true, Broken: true}, {LoseRequest: true, Broken: true}} {
		bubble(t, func(c *cluster) {
			c.jobs = []elastic.Job{{Name: "report", Schedule: "0 0 * * * ?"}}
			lost := 0
			c.startWith("a", func(r memory.Request) memory.Fault {
				if r.Kind != memory.Transact || r.Txn.Do[0].Kind != store.OpSet || lost > 2 {
					return memory.Fault{}
				}
				lost++
				return fault
			})
			c.pass(10 * time.Minute)
			if lost == 0 {
				t.Fatal("there was no heartbeat")
			}
			if seen := c.seen(observe.SessionLost); len(seen) > 0 {
				t.Errorf("a gave up its session: %v", seen[0])
			}
		})
	}
}

// behind is a store whose watch of the instances shows the content of old once,
// instead of the current content.
type behind struct {
	store.Store
	old chan store.Update
}

func (s behind) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	w, err := s.Store.Watch(ctx, prefix)
	if err != nil || prefix != layout.Instances {
		return w, err
	}
	return behindWatch{w, s.old}, nil
}

type behindWatch struct {
	store.Watch
	old chan store.Update
}

func (w behindWatch) Next(ctx context.Context) (store.Update, error) {
	u, err := w.Watch.Next(ctx)
	select {
	case old := <-w.old:
		return old, err
	default:
		return u, err
	}
}

// An instance joins again if another client has written its key while the
// answer to its heartbeat was lost.
func TestLostReply_ForeignKeyMakesRejoin(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 0 * * * ?"}}
		lost := false
		a := c.startWith("a", func(r memory.Request) memory.Fault {
			if r.Kind != memory.Transact || r.Txn.Do[0].Kind != store.OpSet || lost {
				return memory.Fault{}
			}
			lost = true
			c.put(r.Txn.Do[0].Key, layout.Instance{Name: "a", Weight: 7, State: layout.Up}.Encode())
			return memory.Fault{LoseRequest: true, Broken: true}
		})
		c.pass(5 * time.Minute)
		if seen := c.seen(observe.SessionLost); !lost || len(seen) != 1 || !c.balanced("report", a.name) {
			t.Errorf("heartbeat lost: %t; sessions given up: %v; owners: %v", lost, seen, c.owners("report"))
		}
	})
}
