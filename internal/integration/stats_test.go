package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
)

// The state of an instance shows what it owns, runs and holds back.
func TestStats_ShowRunsAndLimits(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(20 * time.Second))
		c.jobs = []elastic.Job{
			{Name: "mails", Schedule: "0 1 0 * * ?", Shards: 3},
			{Name: "report", Schedule: "0 1 0 * * ?", Shards: 2},
		}
		a := c.start("a", elastic.WithMaxConcurrent(2))
		if s := a.sched.Stats(); s.Running != 0 || s.Health.Ended {
			t.Errorf("got %+v, want nothing to run yet", s)
		}
		c.until("a runs", func() bool { return len(c.seen(observe.Began)) == 2 })
		s := a.sched.Stats()
		owned, running := 0, 0
		for _, j := range s.Jobs {
			owned += j.Owned
			running += j.Running
		}
		if owned != 5 || running != 2 || s.Running != 2 || s.Limit != 2 || s.Held != 3 {
			t.Errorf("got %+v, want 5 shards owned, 2 running of 2, 3 held", s)
		}
		if !s.Health.Held || !strings.HasPrefix(s.Health.Instance, "a@") || s.Driver != "memory" {
			t.Errorf("got %+v, want a session of a", s.Health)
		}
		if left := time.Until(s.Health.Deadline); left <= 0 || left > ttl {
			t.Errorf("the session has %s left, want up to %s", left, ttl)
		}
		if want := (observe.Instances{Up: 1}); s.Instances != want {
			t.Errorf("got the instances %+v, want %+v", s.Instances, want)
		}
		turns := uint64(0)
		for _, n := range s.LoopDelay.Counts {
			turns += n
		}
		if turns == 0 {
			t.Error("no turn of the loop was counted")
		}
	})
}

// A handler that ignores its context is counted until it returns.
func TestStats_CountStuckHandlers(t *testing.T) {
	bubble(t, func(c *cluster) {
		release := make(chan bool)
		c.does(func(context.Context, elastic.Run) error { <-release; return nil })
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 1 0 * * ?", Shards: 1, Timeout: time.Second}}
		a := c.start("a")
		c.until("the handler is stuck", func() bool { return len(c.seen(observe.Stuck)) == 1 })
		if n := a.sched.Stats().Stuck; n != 1 {
			t.Errorf("%d handlers are stuck, want 1", n)
		}
		close(release)
		c.until("the run has ended", func() bool { return len(c.seen(observe.Ended)) == 1 })
		if n := a.sched.Stats().Stuck; n != 0 {
			t.Errorf("%d handlers are stuck, want none", n)
		}
	})
}

// Keys that can't be read are counted by prefix until they are repaired.
func TestStats_CountUnreadableKeys(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		c := elastictest.New(t)
		c.Add(elastic.Job{Name: "report", Schedule: "@manual", Shards: 1}, elastic.HandlerFunc(nothing))
		c.Start("a")
		c.Settle()
		operator := store.NewPortable(c.Server().Connect("operator"), store.Config{})
		before, err := operator.Get(context.Background(), layout.JobKey("report"))
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			write         store.Op
			jobs, signals int
		}{
			{store.Set(layout.JobKey("report"), []byte("garbage")), 1, 0},
			{store.Set(layout.JobKey("report"), before.Value), 0, 0},
			{store.Create(layout.SignalsKey("report"), []byte("garbage")), 0, 1},
			{store.Delete(layout.SignalsKey("report")), 0, 0},
		} {
			if _, err := operator.Commit(context.Background(), store.Txn{Do: []store.Op{row.write}}); err != nil {
				t.Fatal(err)
			}
			c.Advance(time.Second)
			got := map[string]int{}
			for _, p := range c.Scheduler("a").Stats().Prefixes {
				got[p.Name] = p.Unreadable
			}
			if got["jobs"] != row.jobs || got["signals"] != row.signals {
				t.Errorf("after %v %s: got %v", row.write.Kind, row.write.Key, got)
			}
		}
	})
}

// Watches are confirmed once a resync period. Without contact with the store
// they grow old, and say so.
func TestStats_ShowAgeOfWatches(t *testing.T) {
	bubble(t, func(c *cluster) {
		a := c.start("a")
		c.pass(10 * time.Minute)
		s := a.sched.Stats()
		watched := 0
		for _, p := range s.Prefixes {
			if !p.Watched {
				continue
			}
			watched++
			if !p.Synced || p.Age > 80*time.Second {
				t.Errorf("the watch of %s: %+v, want it confirmed within the resync period", p.Name, p)
			}
		}
		if watched < 4 {
			t.Errorf("%d prefixes are watched, want 4 or more", watched)
		}
		a.client.Cut()
		c.pass(3 * time.Minute)
		s = a.sched.Stats()
		for _, p := range s.Prefixes {
			if p.Watched && (p.Synced || p.Age < 2*time.Minute) {
				t.Errorf("the watch of %s: %+v, want it to be old and not synced", p.Name, p)
			}
		}
		if s.Health.Held || s.Health.Instance != "" || len(s.Health.Stale) != watched {
			t.Errorf("got %+v, want no session and %d stale watches", s.Health, watched)
		}
		a.client.Heal()
		c.until("all is well again", func() bool {
			h := a.sched.Health()
			return h.Held && len(h.Stale) == 0
		})
	})
}

// The offset of a clock is measured against the median of the others.
func TestStats_ShowClockOffset(t *testing.T) {
	bubble(t, func(c *cluster) {
		for _, name := range []string{"a", "b", "c"} {
			c.start(name)
		}
		ahead := c.start("d", elastic.WithTesting(elastic.Testing{
			Now: func() time.Time { return time.Now().Add(3 * time.Second) },
		}))
		c.pass(3 * time.Minute)
		s := ahead.sched.Stats()
		if off := s.ClockOffset; !s.ClockKnown || off < 2900*time.Millisecond || off > 3100*time.Millisecond {
			t.Errorf("the clock is ahead by %s (known: %v), want 3s", off, s.ClockKnown)
		}
		if s.Instances.Up != 4 {
			t.Errorf("got the instances %+v, want 4 up", s.Instances)
		}
	})
}

// Health says what the instance is doing from its start to its end.
func TestHealth_FollowsInstance(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.does(sleepFor(20 * time.Second))
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 1 0 * * ?", Shards: 1}}
		client := c.server.Connect("early")
		early, err := elastic.New(store.NewPortable(client, store.Config{}))
		if err != nil {
			t.Fatal(err)
		}
		if h := early.Health(); h.Started || h.Held || h.Idle != 0 {
			t.Errorf("got %+v, want nothing before Run", h)
		}
		if err := early.Close(); err != nil {
			t.Error(err)
		}
		a := c.start("a")
		c.pass(30 * time.Second)
		if h := a.sched.Health(); !h.Started || !h.Held || h.Draining || h.Idle > 5*time.Second {
			t.Errorf("got %+v, want a joined instance whose loop turns", h)
		}
		c.until("it runs", func() bool { return c.running(a, 0) })
		a.stop()
		c.pass(time.Second)
		if h := a.sched.Health(); !h.Draining || h.Ended {
			t.Errorf("got %+v, want it to drain", h)
		}
		<-a.done
		if h := a.sched.Health(); !h.Ended || h.Held {
			t.Errorf("got %+v, want it to have ended", h)
		}
		if s := a.sched.Stats(); !s.Health.Ended {
			t.Errorf("got %+v, want it to have ended", s.Health)
		}
	})
}
