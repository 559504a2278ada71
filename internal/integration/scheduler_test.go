package integration

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// Open refuses invalid options and URLs, and reports all their faults
// together.
func TestOpen_ReportsAllFaults(t *testing.T) {
	_, err := elastic.Open(t.Context(), "memory://x", elastic.WithName("a/b"), elastic.WithWeight(0), elastic.WithSessionTTL(-1), elastic.WithDrainTimeout(-1), elastic.WithJoinDelay(-1))
	if err == nil {
		t.Fatal("invalid options are accepted")
	}
	for _, want := range []string{"WithName", "WithWeight", "WithSessionTTL", "WithDrainTimeout", "WithJoinDelay"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s:\n%v", want, err)
		}
	}
	if _, err := elastic.Open(t.Context(), "nowhere"); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a URL without a scheme: %v", err)
	}
}

// Add refuses invalid jobs and handlers, and writes nothing for them.
func TestAdd_RefusesInvalidJobs(t *testing.T) {
	server := memory.NewServer()
	s, err := elastic.New(store.NewPortable(server.Connect("a"), store.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ok := elastic.HandlerFunc(nothing)
	if err := s.Add(elastic.Job{Name: "a b", Schedule: "nonsense", Shards: -3}, ok); err == nil || !strings.Contains(err.Error(), "name:") ||
		!strings.Contains(err.Error(), "schedule:") || !strings.Contains(err.Error(), "shards:") {
		t.Errorf("a job with three faults: %v", err)
	}
	if err := s.Add(elastic.Job{Name: "a", Schedule: "@daily"}, nil); err == nil || !strings.Contains(err.Error(), "handler") {
		t.Errorf("a job without a handler: %v", err)
	}
	if err := s.Unregister("a"); err == nil {
		t.Error("removing a job that was never added: no error")
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("MustAdd does not panic")
			}
		}()
		s.MustAdd(elastic.Job{}, ok)
	}()
	if d := server.Dump(); len(d) != 0 {
		t.Errorf("the store holds %v", d)
	}
}

// A scheduler can run once. Close ends Run and waits for it.
func TestScheduler_RunsOnce(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		s, err := elastic.New(store.NewPortable(memory.NewServer().Connect("a"), store.Config{}))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Run(context.Background()); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		time.Sleep(time.Second)
		if err := s.Run(context.Background()); !errors.Is(err, elastic.ErrClosed) {
			t.Errorf("a second Run: %v, want ErrClosed", err)
		}
		if err := s.Close(); err != nil { // ends Run and waits for it
			t.Errorf("Close: %v", err)
		}
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
		if err := s.Run(context.Background()); !errors.Is(err, elastic.ErrClosed) {
			t.Errorf("Run after Close: %v, want ErrClosed", err)
		}
	})
}

// A scheduler that never ran can be closed.
func TestScheduler_ClosedBeforeRun(t *testing.T) {
	s, err := elastic.Open(t.Context(), "memory://never-ran")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := s.Run(t.Context()); !errors.Is(err, elastic.ErrClosed) {
		t.Errorf("Run after Close: %v, want ErrClosed", err)
	}
}

// Run returns at once if its context has ended.
func TestScheduler_RunWithEndedContext(t *testing.T) {
	s, err := elastic.Open(t.Context(), "memory://ended")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}

// A slow observer delays no run.
func TestObserver_SlowDelaysNoRun(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		heard := 0
		release := make(chan struct{})
		s, err := elastic.New(store.NewPortable(memory.NewServer().Connect("a"), store.Config{}), elastic.WithEvents(func(elastic.Event) {
			heard++
			<-release
		}))
		if err != nil {
			t.Fatal(err)
		}
		runs := make(chan time.Time, 100)
		s.MustAdd(elastic.Job{Name: "report", Schedule: "* * * * * ?"}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
			runs <- time.Now()
			return nil
		}))
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Run(context.Background()) })
		time.Sleep(10500 * time.Millisecond)
		if len(runs) != 10 {
			t.Errorf("%d runs in ten seconds with an observer that blocks, want 10", len(runs))
		}
		close(release)
		_ = s.Close()
		wg.Wait()
		if heard < 20 {
			t.Errorf("the observer got %d events, want at least those of 10 runs", heard)
		}
	})
}
