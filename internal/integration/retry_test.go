package integration

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/observe"
)

var errFlaky = errors.New("the printer is busy")

// failing returns a handler that fails for a number of calls and then succeeds.
// It counts its calls.
func failing(times int64, calls *atomic.Int64) elastic.HandlerFunc {
	return func(_ context.Context, run elastic.Run) error {
		if n := calls.Add(1); n-1 != int64(run.Retry) {
			return fmt.Errorf("call %d has Retry %d", n, run.Retry)
		} else if n <= times {
			return errFlaky
		}
		return nil
	}
}

// A handler that fails is called again under the same claim, at no cost to the
// store.
func TestRetry_KeepsTheClaim(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Retries: 3, RetryDelay: 2 * time.Second}}
		var calls atomic.Int64
		c.does(failing(3, &calls))
		n := c.start("a")
		c.pass(59 * time.Second)
		before := n.store.Counts()
		c.until("the run has ended", func() bool { return c.record("report", 0).Result != "" })
		if r := c.record("report", 0); calls.Load() != 4 || r.Result != failover.ResultSucceeded || r.Attempt != 1 {
			t.Errorf("%d calls, then %s; want 4 and ok at the first attempt", calls.Load(), r)
		}
		if took := c.record("report", 0).Ended.Sub(c.record("report", 0).Started); took > 14*time.Second {
			t.Errorf("it took %s, want at most 2s + 4s + 8s", took)
		}
		// The floor of the first fences, begin, complete, and perhaps a
		// heartbeat.
		if commits := n.store.Counts().Sub(before).Commits; commits > 4 {
			t.Errorf("%d commits, but retries must cost none", commits)
		}
		if told := c.seen(observe.Retrying); len(told) != 3 || !errors.Is(told[0].Err, errFlaky) ||
			!strings.HasPrefix(told[0].Detail, "again in ") {
			t.Errorf("the events are %v", told)
		}
	})
}

// The error that a handler returns decides whether it is called again.
func TestRetry_ErrorDecides(t *testing.T) {
	for _, tt := range []struct {
		name    string
		err     error
		calls   int64
		result  failover.Result
		message string
	}{
		{"an error", errFlaky, 3, failover.ResultFailed, "the printer is busy"},
		{"a permanent error", elastic.Permanent(errFlaky), 1, failover.ResultFailed, "the printer is busy"},
		{
			"a permanent error inside another",
			fmt.Errorf("page 7: %w", elastic.Permanent(errFlaky)),
			1,
			failover.ResultFailed,
			"page 7: the printer is busy",
		},
		{"nothing to do", elastic.Skip("no new orders"), 1, failover.ResultSkipped, "no new orders"},
		{"nothing", elastic.Permanent(nil), 1, failover.ResultSucceeded, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(c *cluster) {
				c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Retries: 2}}
				var calls atomic.Int64
				c.does(func(context.Context, elastic.Run) error { calls.Add(1); return tt.err })
				c.start("a")
				c.pass(100 * time.Second)
				if r := c.record("report", 0); calls.Load() != tt.calls || r.Result != tt.result ||
					r.Error != tt.message {
					t.Errorf(
						"%d calls, then %s %q; want %d, %s %q",
						calls.Load(),
						r,
						r.Error,
						tt.calls,
						tt.result,
						tt.message,
					)
				}
			})
		})
	}
}

// A handler can ask for a retry after a delay of its own.
func TestRetry_HandlerAsksForRetry(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?"}}
		var calls atomic.Int64
		c.does(func(context.Context, elastic.Run) error {
			if calls.Add(1) < 3 {
				return elastic.RetryIn(5*time.Second, nil)
			}
			return nil
		})
		c.start("a")
		c.pass(90 * time.Second)
		if r := c.record("report", 0); r.Result != failover.ResultSucceeded ||
			r.Ended.Sub(r.Started) != 10*time.Second {
			t.Errorf("%s after %s, want ok after 10s", r, r.Ended.Sub(r.Started))
		}
	})
}

// The job's timeout ends retries.
func TestRetry_EndsAtTimeout(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Timeout: 10 * time.Second}}
		c.does(func(context.Context, elastic.Run) error { return elastic.RetryIn(time.Hour, errFlaky) })
		c.start("a")
		c.pass(90 * time.Second)
		if r := c.record("report", 0); r.Result != failover.ResultFailed || r.Ended.Sub(r.Started) != 10*time.Second ||
			!strings.Contains(r.Error, "timeout") {
			t.Errorf("%s after %s: %q; want a failure after 10s with the timeout", r, r.Ended.Sub(r.Started), r.Error)
		}
	})
}

// A draining instance hands over runs that wait for a retry.
func TestRetry_DrainHandsOverWaitingRuns(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Failover: true}}
		var done atomic.Bool
		c.does(func(context.Context, elastic.Run) error {
			if done.Load() {
				return nil
			}
			return elastic.RetryIn(time.Hour, errFlaky)
		})
		a := c.start("a", elastic.WithDrainTimeout(time.Second))
		c.pass(65 * time.Second)
		c.start("b")
		done.Store(true)
		_ = c.leave(a)
		c.pass(time.Second)
		if r := c.record("report", 0); r.Result != failover.ResultSucceeded || r.Attempt != 2 {
			t.Errorf("%s, want ok at the second attempt", r)
		}
	})
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
				job.Name = "report"
				job.Schedule = "@every 10s"
				job.Retries = 100
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

// A handler that asks for a retry with no delay, or a negative one, does not
// keep a processor busy.
func TestRetry_ZeroDelay(t *testing.T) {
	for _, d := range []time.Duration{0, 1, -1, math.MinInt64} {
		synctest.Test(t, func(t *testing.T) {
			c := audited(t)
			c.Add(elastic.Job{
				Name:     "report",
				Schedule: "0 * * * * ?",
				Timeout:  10 * time.Second,
			}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
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
