package integration

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// exporter counts what it is told.
type exporter struct {
	attach func(stats func() observe.Stats) error

	mu       sync.Mutex
	stats    func() observe.Stats
	events   int
	requests map[store.RequestOp]int
}

func (x *exporter) Attach(stats func() observe.Stats) error {
	x.stats = stats
	if x.attach != nil {
		return x.attach(stats)
	}
	return nil
}

func (x *exporter) Observe(elastic.Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.events++
}

func (x *exporter) ObserveStore(r store.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.requests == nil {
		x.requests = map[store.RequestOp]int{}
	}
	x.requests[r.Op]++
}

// An exporter gets events, requests of the store, and the state.
func TestExporter_GetsAllThatIsTold(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 1 0 * * ?", Shards: 2}}
		x := &exporter{}
		a := c.start("a", elastic.WithExporter(x))
		c.until("the job has run", func() bool { return len(c.seen(observe.Ended)) == 2 })
		c.pass(time.Second)
		counts := a.store.Counts()
		x.mu.Lock()
		defer x.mu.Unlock()
		if n := int64(x.requests[store.RequestCommit]); n != counts.Commits || n == 0 {
			t.Errorf("told of %d commits, want %d", n, counts.Commits)
		}
		if x.events < 4 {
			t.Errorf("told of %d events", x.events)
		}
		if s := x.stats(); len(s.Jobs) != 1 || s.Jobs[0].Owned != 2 {
			t.Errorf("got the state %+v, want one job with 2 shards", s)
		}
	})
}

// An exporter that refuses the scheduler, panics or blocks ends Open with an
// error that says so.
func TestExporter_RefusalEndsOpen(t *testing.T) {
	refuse := func(func() observe.Stats) error { return errors.New("it has one") }
	panics := func(func() observe.Stats) error { panic("oh") }
	blocks := func(func() observe.Stats) error { time.Sleep(time.Hour); return nil }
	for name, row := range map[string]struct {
		attach func(func() observe.Stats) error
		want   string
	}{
		"error": {refuse, "attach exporter 1: it has one"},
		"panic": {panics, "attach exporter 1: its Attach panicked"},
		"block": {blocks, "attach exporter 1: its Attach did not return"},
	} {
		vtime.Test(t, func(t *testing.T) {
			client := memory.NewServer().Connect("a")
			s := store.NewPortable(client, store.Config{})
			_, err := elastic.New(s, elastic.WithExporter(&exporter{attach: row.attach}))
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%s: got %v, want %q", name, err, row.want)
			}
			if _, err := s.Get(t.Context(), "jobs/x"); !errors.Is(err, store.ErrClosed) {
				t.Errorf("the store answers %v, want it closed", err)
			}
			time.Sleep(time.Hour) // until the one that blocks has returned
		})
	}
	if _, err := elastic.Open(t.Context(), "memory:///x", elastic.WithExporter((*exporter)(nil))); err == nil {
		t.Error("a nil exporter was accepted")
	}
}

// Events that an observer misses are counted.
func TestStats_CountDroppedEvents(t *testing.T) {
	bubble(t, func(c *cluster) {
		release := make(chan bool)
		defer close(release)
		var missed int
		a := c.start("a", elastic.WithEvents(func(e elastic.Event) {
			<-release
			missed += e.Count
		}))
		c.jobs = []elastic.Job{{Name: "often", Schedule: "* * * * * ?", Shards: 100}}
		c.add(a, c.jobs[0])
		c.pass(time.Minute)
		if n := a.sched.Stats().EventsDropped; n < 1000 {
			t.Errorf("%d events were dropped, want them counted", n)
		}
	})
}
