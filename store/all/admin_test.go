package all

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/admin/admintest"
	"github.com/elasticjob-go/elastic/internal/testservers"
	"github.com/elasticjob-go/elastic/store"
)

// servers start a server of each store, and return the URL of a namespace.
var servers = map[string]func(t *testing.T) func(namespace string) string{
	"file": func(t *testing.T) func(string) string {
		dir := t.TempDir()
		return func(namespace string) string { return "file://" + dir + "/" + namespace }
	},
	"etcd":      func(t *testing.T) func(string) string { return testservers.StartEtcd(t).URL },
	"zookeeper": func(t *testing.T) func(string) string { return testservers.StartZooKeeper(t).URL },
	"consul":    func(t *testing.T) func(string) string { return testservers.StartConsul(t).URL },
}

// opener returns a function that opens a namespace, which is closed when the
// test ends.
func opener(url func(string) string, namespace string) func(t *testing.T) store.Store {
	return func(t *testing.T) store.Store {
		t.Helper()
		s, err := store.Open(t.Context(), url(namespace))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(context.Background()) })
		return s
	}
}

// The API of package admin holds on every store.
func TestAdmin_OnEveryStore(t *testing.T) {
	var namespaces atomic.Int64
	for scheme, start := range servers {
		t.Run(scheme, func(t *testing.T) {
			url := start(t)
			admintest.Run(t, func(t *testing.T) *admintest.World {
				open := opener(url, fmt.Sprintf("admin%d", namespaces.Add(1)))
				s := open(t)
				a, err := admin.New(s, admin.As("li"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { a.Close(context.Background()) })
				w := &admintest.World{API: a, Open: open}
				if p, ok := s.(*store.Portable); ok {
					w.Counts = p.Counts
				}
				return w
			})
		})
	}
}

// The outcome of an act whose answer was lost is settled on every store.
func TestAdmin_LostReplies(t *testing.T) {
	var namespaces atomic.Int64
	for scheme, start := range servers {
		t.Run(scheme, func(t *testing.T) {
			url := start(t)
			admintest.RunLost(t, func(t *testing.T) store.Store {
				return opener(url, fmt.Sprintf("lost%d", namespaces.Add(1)))(t)
			})
		})
	}
}

// A program changes its own jobs on every store, and a change holds when the
// call has returned.
func TestScheduler_ChangesJobsOnEveryStore(t *testing.T) {
	for scheme, start := range servers {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			s, err := elastic.Open(t.Context(), start(t)("changes"), elastic.WithName("a"))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var runs atomic.Int64
			s.MustAdd(elastic.Job{Name: "tick", Schedule: "@every 1s"}, elastic.HandlerFunc(
				func(context.Context, elastic.Run) error {
					runs.Add(1)
					return nil
				}))
			go s.Run(context.Background())
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			for runs.Load() == 0 && ctx.Err() == nil {
				time.Sleep(10 * time.Millisecond)
			}
			if err := s.Disable(ctx, "tick"); err != nil {
				t.Fatal(err)
			}
			// A run that was claimed before may still enter its handler.
			shards, err := s.Shards(ctx, "tick")
			if err != nil || len(shards) != 1 {
				t.Fatalf("got %+v, %v", shards, err)
			}
			fence := shards[0].Fence
			time.Sleep(2 * time.Second)
			if shards, err = s.Shards(ctx, "tick"); err != nil || shards[0].Fence != fence {
				t.Errorf("it began after a disable: fence %d, then %+v, %v", fence, shards, err)
			}
			err = s.Update(ctx, "tick", func(j *elastic.Job) error {
				j.Shards, j.Disabled = 2, false
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			before := runs.Load()
			for runs.Load() < before+4 && ctx.Err() == nil {
				time.Sleep(10 * time.Millisecond)
			}
			if err := s.RemoveJob(ctx, "tick"); err != nil {
				t.Fatal(err)
			}
			if err := s.Enable(ctx, "tick"); err == nil {
				t.Error("a job that was removed was enabled")
			}
			if ctx.Err() != nil {
				t.Error("it did not run in time")
			}
		})
	}
}
