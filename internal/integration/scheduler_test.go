package integration

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/sharding"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// Open refuses invalid options and URLs, and reports all their faults
// together.
func TestOpen_ReportsAllFaults(t *testing.T) {
	_, err := elastic.Open(t.Context(), "memory://x", elastic.WithName("a/b"), elastic.WithWeight(0),
		elastic.WithSessionTTL(-1), elastic.WithDrainTimeout(-1), elastic.WithJoinDelay(-1))
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

// Open refuses each invalid option with an error that names the option, the
// bounds and the value.
func TestOpen_RefusesInvalidOptions(t *testing.T) {
	pinned := func(name string) elastic.Option {
		return elastic.WithStrategy(sharding.Pin(name, map[int]string{0: "a"}, sharding.Average))
	}
	for _, row := range []struct {
		name    string
		options []elastic.Option
		want    string
	}{
		{"empty name", []elastic.Option{elastic.WithName("")}, "option WithName: must have 1 to 100 characters, has 0"},
		{
			"name with @",
			[]elastic.Option{elastic.WithName("a@1")},
			"option WithName: must hold only letters a to z, digits and . _ -, has '@'",
		},
		{"name ..", []elastic.Option{elastic.WithName("..")}, "option WithName: "},
		{
			"long name",
			[]elastic.Option{elastic.WithName(strings.Repeat("a", 101))},
			"option WithName: must have 1 to 100 characters, has 101",
		},
		{
			"empty exclusive name",
			[]elastic.Option{elastic.WithExclusiveName("")},
			"option WithName: must have 1 to 100 characters, has 0",
		},
		{"no weight", []elastic.Option{elastic.WithWeight(0)}, "option WithWeight: must be 1 to 1000000, is 0"},
		{"negative weight", []elastic.Option{elastic.WithWeight(-1)}, "option WithWeight: must be 1 to 1000000, is -1"},
		{
			"large weight",
			[]elastic.Option{elastic.WithWeight(1_000_001)},
			"option WithWeight: must be 1 to 1000000, is 1000001",
		},
		{
			"negative TTL",
			[]elastic.Option{elastic.WithSessionTTL(-time.Second)},
			"option WithSessionTTL: must be positive, is -1s",
		},
		{
			"negative drain",
			[]elastic.Option{elastic.WithDrainTimeout(-1)},
			"option WithDrainTimeout: must not be negative, is -1ns",
		},
		{
			"negative join delay",
			[]elastic.Option{elastic.WithJoinDelay(-time.Minute)},
			"option WithJoinDelay: must not be negative, is -1m0s",
		},
		{
			"negative limit",
			[]elastic.Option{elastic.WithMaxConcurrent(-1)},
			"option WithMaxConcurrent: must not be negative, is -1",
		},
		{"label name", []elastic.Option{elastic.WithLabels(map[string]string{"a b": "c"})}, "option WithLabels: "},
		{"built-in strategy", []elastic.Option{pinned("sticky")}, `option WithStrategy: strategy "sticky" is built in`},
		{"strategy twice", []elastic.Option{pinned("mine"), pinned("mine")}, `option WithStrategy: `},
		{"strategy name", []elastic.Option{pinned("a/b")}, `option WithStrategy: the name "a/b" `},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := elastic.Open(t.Context(), "memory://options", row.options...)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
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
	if err := s.Add(elastic.Job{
		Name:     "a b",
		Schedule: "nonsense",
		Shards:   -3,
	}, ok); err == nil || !strings.Contains(err.Error(), "name:") ||
		!strings.Contains(err.Error(), "schedule:") || !strings.Contains(err.Error(), "shards:") {
		t.Errorf("a job with three faults: %v", err)
	}
	if err := s.Add(elastic.Job{
		Name:     "a",
		Schedule: "@daily",
	}, nil); err == nil || !strings.Contains(err.Error(), "handler") {
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

// Close returns in time, also when it is called by a function that Run waits
// for.
func TestClose_FromInside(t *testing.T) {
	closing := func(t *testing.T, from string) {
		var s *elastic.Scheduler
		closed := make(chan time.Duration, 1)
		end := sync.OnceFunc(func() {
			began := time.Now()
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			closed <- time.Since(began)
		})
		is := func(where string) {
			if where == from {
				end()
			}
		}
		s = plain(
			t,
			elastic.WithDrainTimeout(2*time.Second),
			elastic.WithEvents(func(e elastic.Event) {
				if e.Kind == observe.Ended {
					is("observer")
				}
			}),
			elastic.WithLogger(slog.New(slog.NewTextHandler(writerFunc(func() { is("logger") }), nil))),
			elastic.WithStrategy(
				sharding.Func("own", func(_ string, shards int, live []sharding.Instance, _ []string) []string {
					is("strategy")
					return slices.Repeat([]string{live[0].ID}, shards)
				}),
			),
			elastic.WithMiddleware(func(next elastic.Handler) elastic.Handler {
				return elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
					is("middleware")
					return next.Handle(ctx, run)
				})
			}),
		)
		s.MustAdd(elastic.Job{
			Name:     "report",
			Schedule: "* * * * * ?",
			Sharding: "own",
		}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
			is("handler")
			return nil
		}))
		began := time.Now()
		_ = s.Run(t.Context())
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("Run returned after %s", took)
		}
		if took := <-closed; took > 2*time.Second+rest {
			t.Errorf("Close took %s", took)
		}
		synctest.Wait()
	}
	for _, from := range []string{"observer", "logger", "strategy", "middleware", "handler"} {
		t.Run(from, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { closing(t, from) })
		})
	}
}

// The methods of a scheduler that has ended return ErrClosed, however it
// ended.
func TestClosed_MethodsReturnErrClosed(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *elastic.Scheduler){
		"closed": func(t *testing.T, s *elastic.Scheduler) { _ = s.Close() },
		"run": func(t *testing.T, s *elastic.Scheduler) {
			if _, err := leaves(t, s, time.Minute); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := plain(t)
				job := elastic.Job{Name: "report", Schedule: "* * * * * ?"}
				if err := s.Add(job, elastic.HandlerFunc(nothing)); err != nil {
					t.Fatal(err)
				}
				end(t, s)
				job.Name = "other"
				if err := s.Add(job, elastic.HandlerFunc(nothing)); !errors.Is(err, elastic.ErrClosed) {
					t.Errorf("Add: %v, want ErrClosed", err)
				}
				if err := s.Unregister("report"); !errors.Is(err, elastic.ErrClosed) {
					t.Errorf("Remove: %v, want ErrClosed", err)
				}
				if _, err := s.Trigger(t.Context(), "report"); !errors.Is(err, elastic.ErrClosed) {
					t.Errorf("Trigger: %v, want ErrClosed", err)
				}
				if err := s.Run(t.Context()); !errors.Is(err, elastic.ErrClosed) {
					t.Errorf("Run: %v, want ErrClosed", err)
				}
			})
		})
	}
}
