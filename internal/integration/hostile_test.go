package integration

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/sharding"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// nilError is an error whose method panics on a nil pointer.
type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

// nilUnwrap is an error whose Unwrap panics on a nil pointer.
type nilUnwrap struct{ err error }

func (e *nilUnwrap) Error() string { return "x" }
func (e *nilUnwrap) Unwrap() error { return e.err }

// nilErrors is a list of errors whose method panics on an empty list.
type nilErrors []error

func (e nilErrors) Error() string { return e[0].Error() }

// rogue is an error of which one method calls f.
type rogue struct {
	method string
	f      func()
}

func (r rogue) do(method string) {
	if method == r.method {
		r.f()
	}
}

func (r rogue) Error() string { r.do("Error"); return "rogue" }
func (r rogue) Unwrap() error { r.do("Unwrap"); return nil }
func (r rogue) Is(error) bool { r.do("Is"); return false }
func (r rogue) As(any) bool   { r.do("As"); return false }

// rogueValue is a value for panic whose String calls f.
type rogueValue struct{ f func() }

func (r rogueValue) String() string { r.f(); return "rogue value" }

// blocking returns a function that blocks until the test ends, when the bubble
// must have no goroutine left.
func blocking(t *testing.T) func() {
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	return func() { <-end }
}

// A handler may return or panic with any value. The run fails, the record and
// the event say why, other jobs go on, and the instance leaves in time.
func TestHandler_HostileResults(t *testing.T) {
	var nilled *nilError
	boom := func() { panic("boom") }
	for name, tt := range map[string]struct {
		handle func(block func()) error
		code   string
		text   string // is in the record
	}{
		"typed nil":               {func(block func()) error { return nilled }, "handler_error", "a nil *integration.nilError"},
		"typed nil list":          {func(block func()) error { return nilErrors(nil) }, "handler_error", "a nil integration.nilErrors"},
		"permanent typed nil":     {func(block func()) error { return elastic.Permanent(nilled) }, "handler_error", "a nil *integration.nilError"},
		"wrapped typed nil":       {func(block func()) error { return fmt.Errorf("load: %w", nilled) }, "handler_error", "load: "},
		"joined typed nil":        {func(block func()) error { return errors.Join(errors.New("x"), nilled) }, "error_panicked", "Error method panicked"},
		"unwrap of nil":           {func(block func()) error { var e *nilUnwrap; return e }, "handler_error", "a nil *integration.nilUnwrap"},
		"Error panics":            {func(block func()) error { return rogue{"Error", boom} }, "error_panicked", "boom"},
		"Unwrap panics":           {func(block func()) error { return rogue{"Unwrap", boom} }, "error_panicked", "boom"},
		"As panics":               {func(block func()) error { return rogue{"As", boom} }, "error_panicked", "rogue"},
		"Error exits":             {func(block func()) error { return rogue{"Error", runtime.Goexit} }, "error_panicked", "Goexit"},
		"As exits":                {func(block func()) error { return rogue{"As", runtime.Goexit} }, "error_panicked", "Goexit"},
		"Error blocks":            {func(block func()) error { return rogue{"Error", block} }, "error_blocked", "did not return within"},
		"As blocks":               {func(block func()) error { return rogue{"As", block} }, "error_blocked", "did not return within"},
		"Unwrap blocks":           {func(block func()) error { return rogue{"Unwrap", block} }, "error_blocked", "did not return within"},
		"panic":                   {func(block func()) error { panic("boom") }, "handler_panicked", "the handler panicked: boom"},
		"panic with nil":          {func(block func()) error { panic(nil) }, "handler_panicked", "panic called with nil argument"},
		"panic with an error":     {func(block func()) error { panic(rogue{"Error", boom}) }, "handler_panicked", "boom"},
		"panic, String panics":    {func(block func()) error { panic(rogueValue{boom}) }, "handler_panicked", "boom"},
		"panic, String exits":     {func(block func()) error { panic(rogueValue{runtime.Goexit}) }, "handler_panicked", "Goexit"},
		"panic, String blocks":    {func(block func()) error { panic(rogueValue{block}) }, "handler_panicked", "did not return within"},
		"exit":                    {func(block func()) error { runtime.Goexit(); return nil }, "handler_exited", "Goexit"},
		"a text of a megabyte":    {func(block func()) error { return errors.New(strings.Repeat("é", 1<<19)) }, "handler_error", "é"},
		"a text that is not text": {func(block func()) error { return errors.New("\xff\xfe") }, "handler_error", "\uFFFD"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				block := blocking(t)
				c := elastictest.New(t)
				c.Add(elastic.Job{Name: "rogue", Schedule: "@every 20s"}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
					return tt.handle(block)
				}))
				c.Add(elastic.Job{Name: "neighbour", Schedule: "* * * * * ?"}, elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
				c.Start("a")
				c.Until("the run of the rogue has ended", func() bool { return c.Record("rogue", 0).Result != "" })
				r := c.Record("rogue", 0)
				if r.Result != failover.ResultFailed || !strings.Contains(r.Error, tt.text) {
					t.Errorf("the record has %q %q, want failed with %q", r.Result, r.Error, tt.text)
				}
				before := len(c.Runs("neighbour"))
				c.Advance(30 * time.Second)
				if n := len(c.Runs("neighbour")) - before; n < 29 {
					t.Errorf("the other job ran %d times in 30 seconds", n)
				}
				var ended []elastic.Event
				for _, e := range eventsOf(c, observe.Ended) {
					if e.Job == "rogue" {
						ended = append(ended, e)
					}
				}
				if len(ended) < 2 || ended[0].Code != tt.code || ended[0].Err == nil || len(ended[0].Err.Error()) > 20_000 {
					t.Errorf("got %+v, want two ends with the code %s and an error", ended, tt.code)
				}
				if err := c.Drain("a"); err != nil {
					t.Errorf("Run: %v", err)
				}
			})
		})
	}
}

// The largest possible delay between retries is a long wait and nothing more.
// The instance can leave during it.
func TestRetry_LargestDelays(t *testing.T) {
	for name, job := range map[string]elastic.Job{
		"both":    {RetryDelay: math.MaxInt64, RetryMaxDelay: math.MaxInt64},
		"longest": {RetryDelay: time.Minute, RetryMaxDelay: math.MaxInt64},
		"half":    {RetryDelay: math.MaxInt64 / 2, RetryMaxDelay: math.MaxInt64},
		"beyond":  {RetryDelay: math.MaxInt64/2 + 1, RetryMaxDelay: math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := plain(t) // with real random numbers
				calls := 0
				job.Name, job.Schedule, job.Retries = "report", "@every 10s", 100
				s.MustAdd(job, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
					calls++
					return errors.New("x")
				}))
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if err := s.Run(ctx); err != nil {
					t.Errorf("Run: %v", err)
				}
				if calls < 1 || calls > 50 {
					t.Errorf("%d calls", calls)
				}
			})
		})
	}
}

// plain returns a scheduler on a store of its own, with these options only.
func plain(t *testing.T, options ...elastic.Option) *elastic.Scheduler {
	t.Helper()
	s, err := elastic.New(store.NewPortable(memory.NewServer().Connect("a"), store.Config{}), options...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A handler that asks for a retry with no delay, or a negative one, does not
// keep a processor busy.
func TestRetry_ZeroDelay(t *testing.T) {
	for _, d := range []time.Duration{0, 1, -1, math.MinInt64} {
		synctest.Test(t, func(t *testing.T) {
			c := elastictest.New(t)
			c.Add(elastic.Job{Name: "report", Schedule: "0 * * * * ?", Timeout: 10 * time.Second}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
				return elastic.RetryIn(d, nil)
			}))
			c.Start("a")
			c.Until("the run has ended", func() bool { return c.Record("report", 0).Result != "" })
			if n := len(c.Runs("report")); n > 1001 {
				t.Errorf("RetryIn(%d): called %d times in ten seconds", d, n)
			}
		})
	}
}

// A run that takes longer than its job's timeout fails, whatever the handler
// returns. The record, the event and its code say so.
func TestTimeout_FailsWhateverIsReturned(t *testing.T) {
	for name, returned := range map[string]error{
		"nil":     nil,
		"error":   errors.New("out of paper"),
		"skip":    elastic.Skip("nothing to do"),
		"retry":   elastic.RetryIn(time.Second, nil),
		"handed":  elastic.HandOver("later"),
		"context": elastic.ErrTimeout,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := elastictest.New(t)
				c.Add(elastic.Job{Name: "report", Schedule: "0 * * * * ?", Timeout: time.Second, Retries: 2}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
					time.Sleep(9 * time.Second)
					return returned
				}))
				c.Start("a")
				c.Until("the run has ended", func() bool { return c.Record("report", 0).Result != "" })
				if r := c.Record("report", 0); r.Result != failover.ResultFailed || !strings.Contains(r.Error, "longer than the job's timeout") {
					t.Errorf("the record has %q %q, want failed for its timeout", r.Result, r.Error)
				}
				ended := eventsOf(c, observe.Ended)
				if len(ended) != 1 || ended[0].Code != "timeout" || !errors.Is(ended[0].Err, elastic.ErrTimeout) {
					t.Errorf("got %+v, want one end with the code timeout", ended)
				}
			})
		})
	}
}

// leaves runs a scheduler for a duration and ends it. It returns the time that
// Run took to return after that, and its error.
func leaves(t *testing.T, s *elastic.Scheduler, after time.Duration) (took time.Duration, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	began := time.Now()
	err = s.Run(ctx)
	return time.Since(began) - after, err
}

// rest is how long Run may take beyond the drain timeout: the handlers' grace
// of three seconds, and one.
const rest = 4 * time.Second

// Whatever an observer does, runs go on, the other observers get all events,
// and Run returns in time.
func TestObserver_Hostile(t *testing.T) {
	for name, tt := range map[string]struct {
		observe func(s *elastic.Scheduler, block func())
		code    string // that the other observer gets
		fails   bool   // Run returns an error
	}{
		"panics":     {func(*elastic.Scheduler, func()) { panic("boom") }, "observer_panicked", false},
		"panics odd": {func(*elastic.Scheduler, func()) { panic(rogueValue{func() { panic("boom") }}) }, "observer_panicked", false},
		"exits":      {func(*elastic.Scheduler, func()) { runtime.Goexit() }, "observer_exited", false},
		"blocks":     {func(_ *elastic.Scheduler, block func()) { block() }, "observer_blocked", true},
		"slow":       {func(*elastic.Scheduler, func()) { time.Sleep(time.Minute) }, "observer_blocked", true},
		"a little":   {func(*elastic.Scheduler, func()) { time.Sleep(time.Millisecond) }, "", false},
		"removes":    {func(s *elastic.Scheduler, _ func()) { _ = s.Unregister("nothing") }, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				block := blocking(t)
				var s *elastic.Scheduler
				runs := 0
				var seen []elastic.Event
				s = plain(t,
					elastic.WithDrainTimeout(time.Second),
					elastic.WithEvents(func(elastic.Event) { tt.observe(s, block) }),
					elastic.WithEvents(func(e elastic.Event) { seen = append(seen, e) }))
				s.MustAdd(elastic.Job{Name: "report", Schedule: "* * * * * ?"}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
					runs++
					return nil
				}))
				took, err := leaves(t, s, time.Minute)
				if took > time.Second+rest || (err != nil) != tt.fails {
					t.Errorf("Run returned %v after %s", err, took)
				}
				if runs < 55 {
					t.Errorf("%d runs in a minute", runs)
				}
				ends, codes := 0, map[string]int{}
				for _, e := range seen {
					if e.Kind == observe.Ended {
						ends++
					}
					if e.Kind == observe.ObserverFailed {
						codes[e.Code]++
					}
				}
				if ends != runs || seen[len(seen)-1].Kind != observe.Left {
					t.Errorf("the other observer got %d ends of %d runs, and last %s", ends, runs, seen[len(seen)-1].Kind)
				}
				if tt.code != "" && codes[tt.code] != 1 || tt.code == "" && len(codes) > 0 {
					t.Errorf("the other observer got the codes %v, want %q once", codes, tt.code)
				}
				time.Sleep(time.Minute) // the slow observer returns
			})
		})
	}
}

// An observer that is too slow learns how many events it has lost, and the
// others learn that it is slow.
func TestObserver_LearnsWhatItLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow, other []elastic.Event
		s := plain(t,
			elastic.WithEvents(func(e elastic.Event) {
				slow = append(slow, e)
				if e.Kind == observe.Joined {
					time.Sleep(time.Hour)
				}
			}),
			elastic.WithEvents(func(e elastic.Event) { other = append(other, e) }))
		s.MustAdd(elastic.Job{Name: "report", Schedule: "* * * * * ?"}, elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
		if took, err := leaves(t, s, 2*time.Hour); took > elastic.DefaultDrain+rest || err != nil {
			t.Errorf("Run returned %v after %s", err, took)
		}
		lost, told := 0, 0
		for _, e := range slow {
			if e.Kind == observe.ObserverFailed && e.Code == "observer_slow" {
				lost += e.Count
			}
		}
		for _, e := range other {
			if e.Kind == observe.ObserverFailed && e.Code == "observer_slow" {
				told++
			}
		}
		if lost == 0 || told != 1 {
			t.Errorf("the slow observer learned of %d lost events, the other learned %d times that it is slow", lost, told)
		}
		if delivered := len(slow) - 1; delivered+lost < len(other)-2 || delivered+lost > len(other) {
			t.Errorf("%d events were delivered and %d lost, the other observer got %d", delivered, lost, len(other))
		}
	})
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
		s = plain(t,
			elastic.WithDrainTimeout(2*time.Second),
			elastic.WithEvents(func(e elastic.Event) {
				if e.Kind == observe.Ended {
					is("observer")
				}
			}),
			elastic.WithLogger(slog.New(slog.NewTextHandler(writerFunc(func() { is("logger") }), nil))),
			elastic.WithStrategy(sharding.Func("own", func(_ string, shards int, live []sharding.Instance, _ []string) []string {
				is("strategy")
				return slices.Repeat([]string{live[0].ID}, shards)
			})),
			elastic.WithMiddleware(func(next elastic.Handler) elastic.Handler {
				return elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
					is("middleware")
					return next.Handle(ctx, run)
				})
			}))
		s.MustAdd(elastic.Job{Name: "report", Schedule: "* * * * * ?", Sharding: "own"}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
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

// writerFunc is a writer that calls a function.
type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) { f(); return len(p), nil }

// Nil arguments are refused at once, and the error names them.
func TestNil_IsRefusedByName(t *testing.T) {
	var noStore *store.Portable
	var noStrategy *nilStrategy
	connected := func() store.Store { return store.NewPortable(memory.NewServer().Connect("a"), store.Config{}) }
	for name, s := range map[string]store.Store{"nil": nil, "typed nil": noStore} {
		if _, err := elastic.New(s); err == nil || !strings.Contains(err.Error(), "the store is nil") {
			t.Errorf("a store that is %s: %v", name, err)
		}
	}
	for want, option := range map[string]elastic.Option{
		"option 1 is nil":                           nil,
		"WithEvents: the function is nil":           elastic.WithEvents(nil),
		"WithLogger: the logger is nil":             elastic.WithLogger(nil),
		"WithLogger: the logger is nil, or has no":  elastic.WithLogger(&slog.Logger{}),
		"WithMiddleware: middleware 1 is nil":       elastic.WithMiddleware(nil),
		"WithMiddleware: middleware 2 is nil":       elastic.WithMiddleware(func(h elastic.Handler) elastic.Handler { return h }, nil),
		"WithStrategy: the strategy is nil":         elastic.WithStrategy(nil),
		"WithStrategy: the strategy is nil ":        elastic.WithStrategy(noStrategy),
		"WithStrategy: strategy \"f\" is not valid": elastic.WithStrategy(sharding.Func("f", nil)),
		"WithStrategy: strategy \"p\" is not valid": elastic.WithStrategy(sharding.Pin("p", nil, noStrategy)),
	} {
		if _, err := elastic.New(connected(), option); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("New: %v, want %q", err, want)
		}
		if _, err := elastic.Open(t.Context(), "memory://nil", option); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("Open: %v, want %q", err, want)
		}
	}
	s := plain(t)
	defer s.Close()
	job := elastic.Job{Name: "report", Schedule: "@daily"}
	var noPointer *nothingHandler
	for want, h := range map[string]elastic.Handler{
		"the handler is nil":   nil,
		"the handler is nil ":  elastic.HandlerFunc(nil),
		"the handler is nil  ": noPointer,
		"Validate of the integration.rogueHandler panicked: boom": rogueHandler{func() error { panic("boom") }},
		"its handler is not valid: a nil *integration.nilError":   rogueHandler{func() error { var e *nilError; return e }},
	} {
		if err := s.Add(job, h); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("Add: %v, want %q", err, want)
		}
	}
	for want, option := range map[string]elastic.AddOption{
		"option 1 is nil":                     nil,
		"option Use: middleware 1 is nil":     elastic.Use(nil),
		"middleware 1 returned a nil handler": elastic.Use(func(elastic.Handler) elastic.Handler { return nil }),
		"middleware 1 returned a nil":         elastic.Use(func(elastic.Handler) elastic.Handler { return elastic.HandlerFunc(nil) }),
		"middleware 1 panicked: boom":         elastic.Use(func(elastic.Handler) elastic.Handler { panic("boom") }),
	} {
		if err := s.Add(job, elastic.HandlerFunc(nothing), option); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Add: %v, want %q", err, want)
		}
	}
	if _, err := s.Trigger(t.Context(), "report", nil); err == nil || !strings.Contains(err.Error(), "option 1 is nil") {
		t.Errorf("Trigger: %v", err)
	}
	if err := s.Add(job, elastic.HandlerFunc(nothing)); err != nil {
		t.Errorf("Add after these errors: %v", err)
	}
}

// nilStrategy is a strategy whose methods panic on a nil pointer.
type nilStrategy struct{ name string }

func (s *nilStrategy) Name() string { return s.name }
func (s *nilStrategy) Assign(string, int, []sharding.Instance, []string) []string {
	return []string{s.name}
}

// nothingHandler is a handler with pointers that can be nil.
type nothingHandler struct{}

func (nothingHandler) Handle(context.Context, elastic.Run) error { return nil }

// rogueHandler is a handler whose Validate calls f.
type rogueHandler struct{ f func() error }

func (h rogueHandler) Handle(context.Context, elastic.Run) error { return nil }
func (h rogueHandler) Validate() error                           { return h.f() }

// Whatever a strategy does, other jobs go on, an event says what is wrong, and
// the instance leaves in time.
func TestStrategy_Hostile(t *testing.T) {
	for name, tt := range map[string]struct {
		assign func(block func(), live []sharding.Instance) []string
		code   string
	}{
		"panics":     {func(func(), []sharding.Instance) []string { panic("boom") }, "strategy_failed"},
		"panics odd": {func(func(), []sharding.Instance) []string { panic(rogueValue{func() { panic("boom") }}) }, "strategy_failed"},
		"exits":      {func(func(), []sharding.Instance) []string { runtime.Goexit(); return nil }, "strategy_failed"},
		"blocks":     {func(block func(), _ []sharding.Instance) []string { block(); return nil }, "strategy_blocked"},
		"nothing":    {func(func(), []sharding.Instance) []string { return nil }, "strategy_failed"},
		"too many":   {func(_ func(), live []sharding.Instance) []string { return slices.Repeat([]string{live[0].ID}, 99) }, "strategy_failed"},
		"strangers":  {func(func(), []sharding.Instance) []string { return []string{"x", "y"} }, "strategy_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				block := blocking(t)
				c := elastictest.New(t, elastic.WithDrainTimeout(time.Second))
				own := elastic.WithStrategy(sharding.Func("own", func(_ string, _ int, live []sharding.Instance, _ []string) []string {
					return tt.assign(block, live)
				}))
				done := elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil })
				c.Add(elastic.Job{Name: "neighbour", Schedule: "* * * * * ?", Shards: 2}, done)
				for _, instance := range []string{"a", "b"} {
					c.StartWith(instance, own)
					if err := c.AddTo(instance, elastic.Job{Name: "rogue", Schedule: "* * * * * ?", Shards: 2, Sharding: "own"}, done); err != nil {
						t.Fatal(err)
					}
				}
				c.Advance(time.Minute)
				if n := len(c.Runs("neighbour")); n < 2*55 {
					t.Errorf("the other job ran %d times in a minute", n)
				}
				told := false
				for _, e := range eventsOf(c, observe.Trouble) {
					told = told || e.Job == "rogue" && e.Code == tt.code && e.Args["strategy"] == "own" && e.Err != nil
				}
				if !told || len(c.Runs("rogue")) > 0 {
					t.Errorf("want an event %s, got %v; %d runs of the job", tt.code, told, len(c.Runs("rogue")))
				}
				for _, instance := range []string{"a", "b"} {
					if err := c.Drain(instance); err != nil {
						t.Errorf("Run of %s: %v", instance, err)
					}
				}
			})
		})
	}
}

// Whatever the functions of options do, jobs run, an event says what is wrong,
// and Run returns in time.
func TestOptions_HostileFunctions(t *testing.T) {
	boom := func() { panic("boom") }
	for name, f := range map[string]func(block func()){
		"panics":  func(func()) { boom() },
		"exits":   func(func()) { runtime.Goexit() },
		"blocks":  func(block func()) { block() },
		"returns": func(func()) {}, // nonsense
	} {
		for option, with := range map[string]func(f func()) elastic.Option{
			"Testing.Now": func(f func()) elastic.Option {
				return elastic.WithTesting(elastic.Testing{Now: func() time.Time { f(); return time.Time{} }})
			},
			"Testing.Incarnation": func(f func()) elastic.Option {
				return elastic.WithTesting(elastic.Testing{Incarnation: func() string { f(); return "a/b" }})
			},
			"Testing.Random": func(f func()) elastic.Option {
				return elastic.WithTesting(elastic.Testing{Random: func(time.Duration) time.Duration { f(); return -1 }})
			},
		} {
			t.Run(option+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					block := blocking(t)
					runs, told := 0, 0
					s := plain(t, elastic.WithDrainTimeout(time.Second), with(func() { f(block) }), elastic.WithEvents(func(e elastic.Event) {
						if e.Kind == observe.Trouble && e.Code == "option_failed" && e.Args["option"] == option {
							told++
						}
					}))
					s.MustAdd(elastic.Job{Name: "report", Schedule: "* * * * * ?"}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
						runs++
						return nil
					}))
					took, err := leaves(t, s, 2*time.Minute)
					if took > time.Second+rest || err != nil {
						t.Errorf("Run returned %v after %s", err, took)
					}
					if runs < 100 || told != 1 {
						t.Errorf("%d runs in two minutes, %d events that the option fails", runs, told)
					}
				})
			})
		}
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
