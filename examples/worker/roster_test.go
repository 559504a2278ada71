package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// A job file that is read again adds, changes and unregisters what differs, and
// leaves the other jobs alone.
func TestRoster_ReloadChangesOnlyDifferences(t *testing.T) {
	server := memory.NewServer()
	var mu sync.Mutex
	var scheduled []string // jobs whose schedule was told, once for each that is new
	s, err := elastic.New(server.Connect("a"), elastic.WithEvents(func(e elastic.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == observe.Scheduled {
			scheduled = append(scheduled, e.Job)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "jobs.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	await := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain for %s", what)
			}
		}
	}
	stored := func(job, text string) func() bool {
		return func() bool {
			return slices.ContainsFunc(server.Dump(), func(e store.Entry) bool { return e.Key == "jobs/"+job && strings.Contains(string(e.Value), text) })
		}
	}

	write(`{jobs: [{name: stays, schedule: "@daily"}, {name: grows, schedule: "@daily", shards: 2}, {name: goes, schedule: "@daily"}]}`)
	jobs, err := load(path)
	if err != nil {
		t.Fatal(err)
	}
	r := &roster{s, elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }), map[string]elastic.Job{}}
	if err := r.become(jobs); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	signals := make(chan os.Signal)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	group.Go(func() { _ = s.Run(ctx) })
	group.Go(func() { reload(ctx, path, []*roster{r}, signals, slog.New(slog.DiscardHandler)) })
	await("the jobs", func() bool { return stored("stays", "")() && stored("grows", `"shards":2`)() && stored("goes", "")() })

	write("jobs: nonsense")
	signals <- os.Interrupt
	write(`{jobs: [{name: stays, schedule: "@daily"}, {name: grows, schedule: "@daily", shards: 4}, {name: comes, schedule: "@daily"}]}`)
	signals <- os.Interrupt
	await("what has changed", func() bool { return stored("grows", `"shards":4`)() && stored("comes", "")() })

	signals <- os.Interrupt // taken when the one before is done
	if err := s.Unregister("goes"); err == nil {
		t.Error("it still takes part in a job that its file no longer has")
	}
	if !stored("goes", "")() {
		t.Error("a job that its file no longer has is gone from the store: other instances may have it")
	}
	mu.Lock()
	defer mu.Unlock()
	if n := len(slices.DeleteFunc(slices.Clone(scheduled), func(job string) bool { return job != "stays" })); n != 1 {
		t.Errorf("the job that stays as it is was added %d times", n)
	}
}
