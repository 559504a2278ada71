package elastictest_test

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
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/failover"
)

var minutely = elastic.Job{Name: "report", Schedule: "0 * * * * ?", Shards: 2, Failover: true}

// works is a handler that works for a while and stops when it is told to.
func works(d time.Duration) elastic.Handler {
	return elastic.HandlerFunc(func(ctx context.Context, _ elastic.Run) error { return elastictest.Work(ctx, d) })
}

// stub is a test that notes how it failed.
type stub struct {
	testing.TB
	failure string
	ends    []func()
}

func (s *stub) Helper()          {}
func (s *stub) Failed() bool     { return false }
func (s *stub) Cleanup(f func()) { s.ends = append(s.ends, f) }

func (s *stub) Fatal(args ...any)            { s.Fatalf("%s", fmt.Sprint(args...)) }
func (s *stub) Fatalf(f string, args ...any) { s.failure = fmt.Sprintf(f, args...); runtime.Goexit() }

// failure returns how f fails its test.
func failure(f func(t testing.TB)) string {
	s := &stub{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(s)
	}()
	<-done
	for _, end := range s.ends {
		end()
	}
	return s.failure
}

// A bad use fails the test with a message that says what to do.
func TestCluster_BadUseFailsWithAdvice(t *testing.T) {
	if got := failure(func(t testing.TB) { elastictest.New(t) }); !strings.Contains(got, "inside synctest.Test") {
		t.Errorf("without a bubble New fails with %q", got)
	}
	for name, bad := range map[string]struct {
		do   func(c *elastictest.Cluster)
		want string
	}{
		"nothing started":     {func(c *elastictest.Cluster) { c.Crash("a") }, `crash "a": no instance was started`},
		"unknown instance":    {func(c *elastictest.Cluster) { c.Start("a", "b"); c.Crash("c") }, `crash "c": no such instance was started, but a, b`},
		"crashed twice":       {func(c *elastictest.Cluster) { c.Start("a"); c.Crash("a"); c.Crash("a") }, `it has crashed: start it again`},
		"pause of one gone":   {func(c *elastictest.Cluster) { c.Start("a"); _ = c.Drain("a"); c.Pause("a") }, `it has left`},
		"started twice":       {func(c *elastictest.Cluster) { c.Start("a", "a") }, `start "a": it runs already`},
		"bad option":          {func(c *elastictest.Cluster) { c.StartWith("a", elastic.WithWeight(-1)) }, `WithWeight`},
		"bad name":            {func(c *elastictest.Cluster) { c.Start("a/b") }, `start "a/b": make the scheduler: option WithName`},
		"nil option":          {func(c *elastictest.Cluster) { c.StartWith("a", nil) }, `start "a": option 1 is nil`},
		"nil handler":         {func(c *elastictest.Cluster) { c.Add(minutely, nil) }, `add job "report": the handler is nil`},
		"nil function":        {func(c *elastictest.Cluster) { c.Start("a"); c.Add(minutely, elastic.HandlerFunc(nil)) }, `the handler is nil`},
		"nil condition":       {func(c *elastictest.Cluster) { c.Until("never", nil) }, `until never: the function is nil`},
		"bad job":             {func(c *elastictest.Cluster) { c.Add(elastic.Job{Name: "x"}, works(0)) }, `job "x" is not valid`},
		"unknown job":         {func(c *elastictest.Cluster) { c.Start("a"); c.NextFire("reprot") }, `the store holds no such job`},
		"a job that is over":  {func(c *elastictest.Cluster) { once(c); c.Advance(time.Hour); c.NextFire("once") }, `has none after`},
		"back in time":        {func(c *elastictest.Cluster) { c.Advance(-1) }, `time does not go back`},
		"what never comes":    {func(c *elastictest.Cluster) { c.Until("pigs fly", func() bool { return false }) }, `passed without: pigs fly`},
		"what never is quiet": {func(c *elastictest.Cluster) { hang(c); c.UntilQuiet() }, `no run is in progress`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := failure(func(t testing.TB) { bad.do(elastictest.New(t)) }); !strings.Contains(got, bad.want) {
					t.Errorf("it fails with %q, want %q in it", got, bad.want)
				}
			})
		})
	}
}

func once(c *elastictest.Cluster) {
	c.Add(elastic.Job{Name: "once", Schedule: "@at 2000-01-01T00:01:00Z"}, works(0))
	c.Start("a")
}

func hang(c *elastictest.Cluster) {
	c.Add(minutely, works(24*time.Hour))
	c.Start("a")
	c.NextFire("report")
}

// Next fire returns when the shards of that fire have begun.
func TestNextFire_ReturnsAfterShardsBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		c.Add(minutely, works(time.Second))
		c.Start("a", "b")
		for n := 1; n <= 3; n++ {
			fire := c.NextFire("report")
			runs := c.Runs("report")
			if len(runs) != 2*n || !runs[2*n-1].Fire.Equal(fire) || !runs[2*n-1].Ended.IsZero() {
				t.Fatalf("at fire %d there are these runs:\n%s", n, c)
			}
		}
	})
}

// A crash is noticed when the session has expired.
func TestCrash_NoticedWhenSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t, elastic.WithSessionTTL(5*time.Second))
		c.Add(minutely, works(30*time.Second))
		c.Start("a", "b")
		c.NextFire("report")
		owner := c.Owners("report")[1]
		c.Crash(owner)
		if !c.Alive(owner) {
			t.Error("it is dead to the store at once")
		}
		c.Advance(5 * time.Second)
		runs := c.RunsOf("report", 1)
		if c.Alive(owner) || len(runs) != 2 || !runs[0].Crashed || runs[1].Attempt != 2 || runs[1].Previous == "" {
			t.Errorf("after its TTL:\n%s", c)
		}
		c.Start(owner)
		c.UntilQuiet()
		if r := c.Record("report", 1); r.State != failover.StateIdle || r.Attempt != 2 || r.Result != failover.ResultSucceeded {
			t.Errorf("in the end the record says %s", r)
		}
	})
}

// A cut instance stops by itself. A paused one learns of its lost session when
// it resumes.
func TestCut_StopsByItselfPauseOnResume(t *testing.T) {
	for _, paused := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := elastictest.New(t, elastic.WithSessionTTL(5*time.Second))
			c.Add(minutely, works(30*time.Second))
			c.Start("a", "b")
			c.NextFire("report")
			if paused {
				c.Pause("b")
			} else {
				c.Cut("b")
			}
			c.Advance(10 * time.Second)
			first := c.Runs("report")[0]
			for _, r := range c.Runs("report") {
				if r.Instance == "b" {
					first = r
				}
			}
			if stopped := !first.Ended.IsZero(); stopped == paused || !paused && !errors.Is(first.Cause, elastic.ErrSessionLost) {
				t.Errorf("paused %v: after twice the TTL: %s", paused, first)
			}
			if paused {
				c.Resume("b")
			} else {
				c.Heal("b")
			}
			c.Advance(5 * time.Second)
			if !c.Alive("b") {
				t.Errorf("paused %v: it is not back:\n%s", paused, c)
			}
			c.UntilQuiet()
			for _, r := range c.Runs("report") {
				if r.Instance == "b" && r.Attempt == 1 && !errors.Is(r.Cause, elastic.ErrSessionLost) {
					t.Errorf("paused %v: it was not told that it lost its session: %s", paused, r)
				}
			}
		})
	}
}

// A paused instance begins nothing.
func TestPause_BeginsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		c.Add(minutely, works(time.Second))
		c.Start("a")
		c.Pause("a")
		c.Advance(3 * time.Minute)
		if n := len(c.Runs("report")); n != 0 {
			t.Errorf("%d runs began during the pause", n)
		}
		c.Resume("a")
		c.Advance(5 * time.Second)
		if n := len(c.Runs("report")); n != 2 {
			t.Errorf("%d runs began after it, want one of each shard, for all that were missed", n)
		}
	})
}

// Work stops while its instance is paused.
func TestWork_StopsWhileInstanceIsPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t, elastic.WithSessionTTL(time.Hour))
		c.Add(minutely, works(30*time.Second))
		c.Start("a")
		for range 2 { // the first pause must not count for the second run
			began := c.NextFire("report")
			c.Advance(10 * time.Second)
			c.Pause("a")
			c.Advance(5 * time.Minute)
			c.Resume("a")
			c.UntilQuiet()
			runs := c.RunsOf("report", 0)
			for _, r := range runs {
				if r.Fire.Equal(began) && r.Ended.Sub(r.Began) != 5*time.Minute+30*time.Second {
					t.Errorf("it took another time than the work and the pause: %s", r)
				}
			}
		}
	})
	if err := elastictest.Work(t.Context(), 0); err == nil {
		t.Error("Work works without a cluster")
	}
}

// A test may end while handlers run.
func TestCluster_TestEndsWhileHandlersRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		c.Add(minutely, elastic.HandlerFunc(func(ctx context.Context, _ elastic.Run) error {
			return elastictest.Work(context.WithoutCancel(ctx), time.Hour) // deaf
		}))
		c.Start("a", "b")
		c.NextFire("report")
		c.Crash("a")
		c.Pause("b")
	})
}

// A job can be added while instances run.
func TestAdd_WhileInstancesRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		c.Start("a")
		c.Add(minutely, works(0))
		c.NextFire("report")
		if n := len(c.Runs("report")); n != 2 {
			t.Errorf("%d runs at its first fire, want 2", n)
		}
	})
}

// The same test takes the same course.
func TestCluster_SameTestSameCourse(t *testing.T) {
	var first string
	for n := range 10 {
		synctest.Test(t, func(t *testing.T) {
			c := elastictest.New(t, elastic.WithSessionTTL(5*time.Second))
			c.Add(elastic.Job{Name: "report", Schedule: "0 * * * * ?", Shards: 1, Failover: true}, works(30*time.Second))
			c.Start("a", "b", "c", "d")
			for range 3 {
				c.NextFire("report")
				c.Crash(c.Owners("report")[0])
				c.UntilQuiet()
			}
			var course strings.Builder
			for _, r := range c.Runs("report") {
				fmt.Fprintln(&course, r)
			}
			if n == 0 {
				first = course.String()
			} else if got := course.String(); got != first {
				t.Errorf("time %d:\n%s\nthe first time:\n%s", n+1, got, first)
			}
		})
	}
}

// A paused instance that is too late to carry on stops as soon as it goes on.
func TestPause_TooLateToCarryOnStopsOnResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := elastictest.New(t, elastic.WithSessionTTL(5*time.Second))
		c.Add(elastic.Job{Name: "report", Schedule: "0 0 * * * ?", Failover: true, CarryOn: time.Minute}, works(30*time.Minute))
		c.Start("a", "b")
		c.NextFire("report")
		first := c.Runs("report")[0]
		other := map[string]string{"a": "b", "b": "a"}[first.Instance]
		c.Pause(first.Instance)
		c.Advance(30 * time.Second)
		c.Resume(first.Instance)
		c.Advance(5 * time.Second)
		if r := c.Runs("report")[0]; !r.Told.IsZero() || r.Fence() != first.Fence() || c.Record("report", 0).Fence != r.Fence() {
			t.Errorf("after less than the time that it may carry on: %s, the record says %v", r, c.Record("report", 0))
		}
		c.Pause(first.Instance)
		c.Advance(2 * time.Minute)
		if runs := c.Runs("report"); len(runs) != 2 || runs[1].Instance != other || runs[1].Attempt != 2 {
			t.Fatalf("%s does not run it: %v", other, runs)
		}
		c.Resume(first.Instance)
		resumed := time.Now()
		c.Advance(time.Second)
		if r := c.Runs("report")[0]; !errors.Is(r.Cause, elastic.ErrSessionLost) || r.Told.Sub(resumed) > 100*time.Millisecond {
			t.Errorf("it went on beside its successor until %s, want no longer than until %s: %s", r.Told, resumed, r)
		}
	})
}
