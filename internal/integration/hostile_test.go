package integration

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
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

func (r rogue) As(any) bool { r.do("As"); return false }

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
		"typed nil": {
			func(block func()) error { return nilled },
			"handler_error",
			"a nil *integration.nilError",
		},
		"typed nil list": {
			func(block func()) error { return nilErrors(nil) },
			"handler_error",
			"a nil integration.nilErrors",
		},
		"permanent typed nil": {
			func(block func()) error { return elastic.Permanent(nilled) },
			"handler_error",
			"a nil *integration.nilError",
		},
		"wrapped typed nil": {
			func(block func()) error { return fmt.Errorf("load: %w", nilled) },
			"handler_error",
			"load: ",
		},
		"joined typed nil": {
			func(block func()) error { return errors.Join(errors.New("x"), nilled) },
			"error_panicked",
			"Error method panicked",
		},
		"unwrap of nil": {
			func(block func()) error { var e *nilUnwrap; return e },
			"handler_error",
			"a nil *integration.nilUnwrap",
		},
		"Error panics":  {func(block func()) error { return rogue{"Error", boom} }, "error_panicked", "boom"},
		"Unwrap panics": {func(block func()) error { return rogue{"Unwrap", boom} }, "error_panicked", "boom"},
		"As panics":     {func(block func()) error { return rogue{"As", boom} }, "error_panicked", "rogue"},
		"Error exits": {
			func(block func()) error { return rogue{"Error", runtime.Goexit} },
			"error_panicked",
			"Goexit",
		},
		"As exits": {
			func(block func()) error { return rogue{"As", runtime.Goexit} },
			"error_panicked",
			"Goexit",
		},
		"Error blocks": {
			func(block func()) error { return rogue{"Error", block} },
			"error_blocked",
			"did not return within",
		},
		"As blocks": {
			func(block func()) error { return rogue{"As", block} },
			"error_blocked",
			"did not return within",
		},
		"Unwrap blocks": {
			func(block func()) error { return rogue{"Unwrap", block} },
			"error_blocked",
			"did not return within",
		},
		"panic": {
			func(block func()) error { panic("boom") },
			"handler_panicked",
			"the handler panicked: boom",
		},
		"panic with nil": {
			func(block func()) error { panic(nil) },
			"handler_panicked",
			"panic called with nil argument",
		},
		"panic with an error":  {func(block func()) error { panic(rogue{"Error", boom}) }, "handler_panicked", "boom"},
		"panic, String panics": {func(block func()) error { panic(rogueValue{boom}) }, "handler_panicked", "boom"},
		"panic, String exits": {
			func(block func()) error { panic(rogueValue{runtime.Goexit}) },
			"handler_panicked",
			"Goexit",
		},
		"panic, String blocks": {
			func(block func()) error { panic(rogueValue{block}) },
			"handler_panicked",
			"did not return within",
		},
		"exit": {func(block func()) error { runtime.Goexit(); return nil }, "handler_exited", "Goexit"},
		"a text of a megabyte": {
			func(block func()) error { return errors.New(strings.Repeat("é", 1<<19)) },
			"handler_error",
			"é",
		},
		"a text that is not text": {func(block func()) error { return errors.New("\xff\xfe") }, "handler_error", "\uFFFD"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				block := blocking(t)
				c := audited(t)
				c.Add(elastic.Job{
					Name:     "rogue",
					Schedule: "@every 20s",
				}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
					return tt.handle(block)
				}))
				c.Add(elastic.Job{
					Name:     "neighbour",
					Schedule: "* * * * * ?",
				}, elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
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
				if len(ended) < 2 || ended[0].Code != tt.code || ended[0].Err == nil ||
					len(ended[0].Err.Error()) > 20_000 {
					t.Errorf("got %+v, want two ends with the code %s and an error", ended, tt.code)
				}
				if err := c.Drain("a"); err != nil {
					t.Errorf("Run: %v", err)
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
		"option 1 is nil":                          nil,
		"WithEvents: the function is nil":          elastic.WithEvents(nil),
		"WithLogger: the logger is nil":            elastic.WithLogger(nil),
		"WithLogger: the logger is nil, or has no": elastic.WithLogger(&slog.Logger{}),
		"WithMiddleware: middleware 1 is nil":      elastic.WithMiddleware(nil),
		"WithMiddleware: middleware 2 is nil": elastic.WithMiddleware(func(h elastic.Handler) elastic.Handler {
			return h
		}, nil),
		"WithStrategy: the strategy is nil":         elastic.WithStrategy(nil),
		"WithStrategy: the strategy is nil ":        elastic.WithStrategy(noStrategy),
		"WithStrategy: strategy \"f\" is not valid": elastic.WithStrategy(sharding.Func("f", nil)),
		"WithStrategy: strategy \"p\" is not valid": elastic.WithStrategy(sharding.Pin("p", nil, noStrategy)),
	} {
		if _, err := elastic.New(connected(), option); err == nil ||
			!strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("New: %v, want %q", err, want)
		}
		if _, err := elastic.Open(t.Context(), "memory://nil", option); err == nil ||
			!strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("Open: %v, want %q", err, want)
		}
	}
	var noContext context.Context
	if _, err := elastic.Open(noContext, "memory://nil"); err == nil ||
		!strings.Contains(err.Error(), "the context is nil") {
		t.Errorf("Open: %v", err)
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
		"middleware 1 returned a nil": elastic.Use(func(elastic.Handler) elastic.Handler {
			return elastic.HandlerFunc(nil)
		}),
		"middleware 1 panicked: boom": elastic.Use(func(elastic.Handler) elastic.Handler { panic("boom") }),
	} {
		if err := s.Add(job, elastic.HandlerFunc(nothing), option); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Add: %v, want %q", err, want)
		}
	}
	if _, err := s.Trigger(t.Context(), "report", nil); err == nil ||
		!strings.Contains(err.Error(), "option 1 is nil") {
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

func (h rogueHandler) Validate() error { return h.f() }

// Whatever a strategy does, other jobs go on, an event says what is wrong, and
// the instance leaves in time.
func TestStrategy_Hostile(t *testing.T) {
	for name, tt := range map[string]struct {
		assign func(block func(), live []sharding.Instance) []string
		code   string
	}{
		"panics": {func(func(), []sharding.Instance) []string { panic("boom") }, "strategy_failed"},
		"panics odd": {
			func(func(), []sharding.Instance) []string { panic(rogueValue{func() { panic("boom") }}) },
			"strategy_failed",
		},
		"exits":   {func(func(), []sharding.Instance) []string { runtime.Goexit(); return nil }, "strategy_failed"},
		"blocks":  {func(block func(), _ []sharding.Instance) []string { block(); return nil }, "strategy_blocked"},
		"nothing": {func(func(), []sharding.Instance) []string { return nil }, "strategy_failed"},
		"too many": {
			func(_ func(), live []sharding.Instance) []string { return slices.Repeat([]string{live[0].ID}, 99) },
			"strategy_failed",
		},
		"strangers": {func(func(), []sharding.Instance) []string { return []string{"x", "y"} }, "strategy_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				block := blocking(t)
				c := audited(t, elastic.WithDrainTimeout(time.Second))
				own := elastic.WithStrategy(sharding.Func("own", func(
					_ string, _ int, live []sharding.Instance, _ []string,
				) []string {
					return tt.assign(block, live)
				}))
				done := elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil })
				c.Add(elastic.Job{Name: "neighbour", Schedule: "* * * * * ?", Shards: 2}, done)
				for _, instance := range []string{"a", "b"} {
					c.StartWith(instance, own)
					if err := c.AddTo(instance, elastic.Job{
						Name:     "rogue",
						Schedule: "* * * * * ?",
						Shards:   2,
						Sharding: "own",
					}, done); err != nil {
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
					s := plain(t, elastic.WithDrainTimeout(time.Second), with(func() {
						f(block)
					}), elastic.WithEvents(func(e elastic.Event) {
						if e.Kind == observe.Trouble && e.Code == "option_failed" && e.Args["option"] == option {
							told++
						}
					}))
					s.MustAdd(elastic.Job{
						Name:     "report",
						Schedule: "* * * * * ?",
					}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
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
