package elastic_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// nilError is an error whose methods need a value.
type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

// nilUnwrap is an error whose Unwrap needs a value.
type nilUnwrap struct{ err error }

func (e *nilUnwrap) Error() string { return "x" }
func (e *nilUnwrap) Unwrap() error { return e.err }

// nilErrors is a list of errors, none.
type nilErrors []error

func (e nilErrors) Error() string { return e[0].Error() }

// rogue is an error of which one method does what f does.
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

// rogueValue is a value for panic whose String does what f does.
type rogueValue struct{ f func() }

func (r rogueValue) String() string { r.f(); return "rogue value" }

// blocking returns a function that does not return before the test ends. A
// bubble must have no goroutine left then.
func blocking(t *testing.T) func() {
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	return func() { <-end }
}

// A handler may return or panic with whatever it likes: the run has failed, the
// record and the event say why, other jobs go on, and the instance leaves in
// time.
func TestHandler_HostileResults(t *testing.T) {
	var nilled *nilError
	boom := func() { panic("boom") }
	for name, tt := range map[string]struct {
		handle func(block func()) error
		code   string
		text   string // is in the record
	}{
		"typed nil":               {func(block func()) error { return nilled }, "handler_error", "a nil *elastic_test.nilError"},
		"typed nil list":          {func(block func()) error { return nilErrors(nil) }, "handler_error", "a nil elastic_test.nilErrors"},
		"permanent typed nil":     {func(block func()) error { return elastic.Permanent(nilled) }, "handler_error", "a nil *elastic_test.nilError"},
		"wrapped typed nil":       {func(block func()) error { return fmt.Errorf("load: %w", nilled) }, "handler_error", "load: "},
		"joined typed nil":        {func(block func()) error { return errors.Join(errors.New("x"), nilled) }, "error_panicked", "Error method panicked"},
		"unwrap of nil":           {func(block func()) error { var e *nilUnwrap; return e }, "handler_error", "a nil *elastic_test.nilUnwrap"},
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
				c.Add(elastic.Job{Name: "rogue", Schedule: "@every 20s"}, elastic.HandlerFunc(func(context.Context, elastic.Shard) error {
					return tt.handle(block)
				}))
				c.Add(elastic.Job{Name: "neighbour", Schedule: "* * * * * ?"}, elastic.HandlerFunc(func(context.Context, elastic.Shard) error { return nil }))
				c.Start("a")
				c.Until("the run of the rogue has ended", func() bool { return c.Record("rogue", 0).Result != "" })
				r := c.Record("rogue", 0)
				if r.Result != failover.Failed || !strings.Contains(r.Error, tt.text) {
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

// A delay between retries that is as long as can be is a long wait, and nothing
// else; the instance leaves meanwhile as from any run.
func TestRetry_GreatestDelays(t *testing.T) {
	for name, job := range map[string]elastic.Job{
		"both":    {RetryDelay: math.MaxInt64, RetryMaxDelay: math.MaxInt64},
		"longest": {RetryDelay: time.Minute, RetryMaxDelay: math.MaxInt64},
		"half":    {RetryDelay: math.MaxInt64 / 2, RetryMaxDelay: math.MaxInt64},
		"beyond":  {RetryDelay: math.MaxInt64/2 + 1, RetryMaxDelay: math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := plain(t) // with the random numbers of every day
				calls := 0
				job.Name, job.Schedule, job.Retries = "report", "@every 10s", 100
				s.MustAdd(job, elastic.HandlerFunc(func(context.Context, elastic.Shard) error {
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

// plain returns a scheduler on a store of its own, with no options but these.
func plain(t *testing.T, options ...elastic.Option) *elastic.Scheduler {
	t.Helper()
	s, err := elastic.New(store.NewPortable(memory.NewServer().Connect("a"), store.Config{}), options...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A handler that asks to be called again in no time, or less, does not keep a
// processor busy.
func TestRetry_InNoTime(t *testing.T) {
	for _, d := range []time.Duration{0, 1, -1, math.MinInt64} {
		synctest.Test(t, func(t *testing.T) {
			c := elastictest.New(t)
			c.Add(elastic.Job{Name: "report", Schedule: "0 * * * * ?", Timeout: 10 * time.Second}, elastic.HandlerFunc(func(context.Context, elastic.Shard) error {
				return elastic.RetryIn(d, nil)
			}))
			c.Start("a")
			c.Until("the run has ended", func() bool { return c.Record("report", 0).Result != "" })
			if n := len(c.Runs("report")); n > 101 {
				t.Errorf("RetryIn(%d): called %d times in ten seconds", d, n)
			}
		})
	}
}

// A run that took longer than its job's timeout has failed, whatever the
// handler returns: the record, the event and its code say so.
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
				c.Add(elastic.Job{Name: "report", Schedule: "0 * * * * ?", Timeout: time.Second, Retries: 2}, elastic.HandlerFunc(func(context.Context, elastic.Shard) error {
					time.Sleep(9 * time.Second)
					return returned
				}))
				c.Start("a")
				c.Until("the run has ended", func() bool { return c.Record("report", 0).Result != "" })
				if r := c.Record("report", 0); r.Result != failover.Failed || !strings.Contains(r.Error, "longer than the job's timeout") {
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
