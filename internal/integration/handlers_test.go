package integration

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/observe"
)

// A run that takes longer than its timeout fails.
func TestTimeout_FailsRun(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "slow", Schedule: "0 * * * * ?", Timeout: 5 * time.Second}}
		c.does(sleepFor(25 * time.Second))
		c.start("a")
		c.pass(70 * time.Second)
		r := c.record("slow", 0)
		if r.Result != failover.ResultFailed || !strings.Contains(r.Error, elastic.ErrTimeout.Error()) {
			t.Errorf("the record says %s %q, want a failure with the timeout", r, r.Error)
		}
	})
}

// A handler that panics fails its run and does not end the process.
func TestHandler_Panics(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?"}}
		c.does(func(context.Context, elastic.Run) error { panic("out of paper") })
		c.start("a")
		c.pass(25 * time.Second)
		if r := c.record("report", 0); r.Result != failover.ResultFailed || !strings.Contains(r.Error, "out of paper") {
			t.Errorf("the record says %s %q, want failed: out of paper", r, r.Error)
		}
		panics := c.seen(observe.Panicked)
		if len(panics) != 2 || !strings.Contains(panics[0].Detail, "handlers_test.go") {
			t.Errorf("%d panics were reported, want 2 with stacks", len(panics))
		}
	})
}

// A handler that calls runtime.Goexit fails its run, and its shard goes on.
func TestHandler_Goexit(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?"}}
		c.does(func(context.Context, elastic.Run) error { runtime.Goexit(); return nil })
		c.start("a")
		c.pass(35 * time.Second)
		if r := c.record("report", 0); r.Result != failover.ResultFailed || !strings.Contains(r.Error, "Goexit") {
			t.Errorf("the record says %s %q, want a failure with runtime.Goexit", r, r.Error)
		}
		if got := c.fires(); got != "[10 20 30]" {
			t.Errorf("ran the fires %s, want [10 20 30]", got)
		}
	})
}

// A handler that ignores its context is reported and not called again until it
// returns.
func TestHandler_IgnoresTimeout(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "deaf", Schedule: "0/10 * * * * ?", Timeout: 2 * time.Second}}
		c.does(func(context.Context, elastic.Run) error {
			time.Sleep(45 * time.Second)
			return errors.New("at last")
		})
		c.start("a")
		c.pass(50 * time.Second)
		if got := c.fires(); got != "[10]" {
			t.Errorf("ran the fires %s while the first handler had not returned, want [10]", got)
		}
		if n := c.count(observe.Stuck); n != 1 {
			t.Errorf("the handler was reported as stuck %d times, want once", n)
		}
		c.does(nothing)
		c.pass(15 * time.Second)
		if got := c.fires(); got != "[10 50 0]" {
			t.Errorf("ran the fires %s, want [10 50 0]", got)
		}
	})
}

// A handler that ignores the loss of its session is not called again beside
// itself.
func TestHandler_IgnoresSessionLoss(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "deaf", Schedule: "0 * * * * ?", Failover: true}}
		c.does(func(context.Context, elastic.Run) error {
			time.Sleep(40 * time.Second)
			return errors.New("at last")
		})
		a := c.start("a")
		c.until("it runs", func() bool { return c.running(a, 0) })
		a.client.Cut()
		c.pass(10 * time.Second)
		a.client.Heal()
		c.pass(10 * time.Second)
		if got := c.total(); got != 1 {
			t.Errorf("%d runs while the first handler had not returned, want 1", got)
		}
		c.does(nothing)
		c.until("the run is repeated", func() bool { return c.record("deaf", 0).Result == failover.ResultSucceeded })
		if r := c.record("deaf", 0); r.Attempt != 2 {
			t.Errorf("it succeeded at attempt %d, want 2", r.Attempt)
		}
	})
}

// A handler gets the job, shard, fire, attempt and parameters of its run.
func TestHandler_GetsItsRun(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{
			Name: "report", Schedule: "0 0 8 * * ?", TimeZone: "Asia/Shanghai", Shards: 3, Parameter: "all",
			ShardParameters: map[int]string{0: "Beijing", 2: "Guangzhou"},
		}}
		told := make(chan elastic.Run, 3)
		c.does(func(_ context.Context, run elastic.Run) error { told <- run; return nil })
		c.start("a", elastic.WithSessionTTL(time.Hour))
		c.pass(24*time.Hour + time.Minute)
		parameters := map[int]string{}
		for range 3 {
			run := <-told
			parameters[run.Shard] = run.Parameter
			if run.Job != "report" || run.Shards != 3 || run.JobParameter != "all" || run.Attempt != 1 ||
				run.Fence() == 0 ||
				run.Fire.Format(time.DateTime+" MST") != "2000-01-02 08:00:00 CST" {
				t.Errorf("the handler got %+v", run)
			}
			if want := fmt.Sprintf("report/%d/2000-01-02T00:00:00Z", run.Shard); run.Key() != want {
				t.Errorf("key %q, want %q", run.Key(), want)
			}
		}
		if got := fmt.Sprint(parameters); got != "map[0:Beijing 1: 2:Guangzhou]" {
			t.Errorf("parameters %s", got)
		}
	})
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
				c := audited(t)
				c.Add(elastic.Job{
					Name:     "report",
					Schedule: "0 * * * * ?",
					Timeout:  time.Second,
					Retries:  2,
				}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
					time.Sleep(9 * time.Second)
					return returned
				}))
				c.Start("a")
				c.Until("the run has ended", func() bool { return c.Record("report", 0).Result != "" })
				if r := c.Record("report", 0); r.Result != failover.ResultFailed ||
					!strings.Contains(r.Error, "longer than the job's timeout") {
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
