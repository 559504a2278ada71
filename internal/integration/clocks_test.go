package integration

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// wrongClock is a clock that is off by a duration that can be set.
type wrongClock struct{ by atomic.Int64 }

func (w *wrongClock) now() time.Time { return time.Now().Add(time.Duration(w.by.Load())) }

func (w *wrongClock) set(by time.Duration) { w.by.Store(int64(by)) }

func (w *wrongClock) option() elastic.Option { return elastic.WithTesting(elastic.Testing{Now: w.now}) }

func eachSecond() []elastic.Job {
	return []elastic.Job{{Name: "report", Schedule: "* * * * * ?", Shards: 6, Failover: true}}
}

// An instance whose clock jumps begins nothing until its clock agrees with the
// others' again.
func TestClock_JumpStopsInstance(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, 10 * time.Second, -time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			bubble(t, func(c *cluster) {
				c.jobs = eachSecond()
				clock := &wrongClock{}
				c.start("a")
				c.start("b")
				wrong := c.start("c", clock.option())
				c.until("they share", func() bool { return c.balanced("report", "a", "b", "c") })
				c.pass(2 * time.Minute)

				clock.set(jump)
				jumped := time.Now()
				c.pass(30 * time.Second)
				for _, r := range c.find(func(r *ran) bool { return r.node == wrong && r.start.After(jumped) }) {
					t.Errorf(
						"shard %d began the fire of %s at %s, by a wrong clock",
						r.shard,
						stamp(r.fire),
						stamp(r.start),
					)
				}
				if !c.balanced("report", "a", "b") {
					t.Errorf("the owners are %v, want the other two", c.owners("report"))
				}
				for shard := range 6 {
					if missing := c.missing("report", shard, jumped.Truncate(time.Second).Add(5*time.Second),
						jumped.Add(25*time.Second), time.Second); len(missing) > 0 {
						t.Errorf("shard %d: fires that did not run: %v", shard, missing)
					}
				}
				if told := c.seen(observe.ClockOff); !slices.ContainsFunc(told, func(e elastic.Event) bool {
					return strings.Contains(e.Detail, "begins nothing")
				}) {
					t.Errorf("the events are %v", told)
				}

				clock.set(0)
				c.until("it has its share again", func() bool { return c.balanced("report", "a", "b", "c") })
			})
		})
	}
}

// A new instance with a wrong clock begins nothing.
func TestClock_NewInstanceWithWrongClock(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = eachSecond()
		c.start("a")
		c.start("b")
		c.pass(2 * time.Minute)
		clock := &wrongClock{}
		clock.set(time.Hour)
		wrong := c.start("c", clock.option())
		c.pass(5 * time.Minute)
		if n := len(c.find(func(r *ran) bool { return r.node == wrong })); n > 0 {
			t.Errorf("it ran %d times", n)
		}
		if !c.balanced("report", "a", "b") {
			t.Errorf("the owners are %v", c.owners("report"))
		}
	})
}

// Some instance always works. Of two clocks it is unknown which is wrong, so
// both run; of three that all differ, the one in the middle counts as right.
func TestClock_MedianInstanceWorks(t *testing.T) {
	for _, clocks := range [][]time.Duration{
		{0, time.Hour},
		{0, time.Minute, 2 * time.Minute},
		{0, 0, time.Hour, time.Hour},
	} {
		t.Run(fmt.Sprint(clocks), func(t *testing.T) {
			bubble(t, func(c *cluster) {
				c.jobs = eachSecond()
				shows := make([]wrongClock, len(clocks))
				for i := range clocks {
					c.start(fmt.Sprint("i", i), shows[i].option())
				}
				c.pass(3 * time.Minute)
				c.audit.AllowWrongClocks() // until the majority is known, fires can begin by one clock and by another
				for i, by := range clocks {
					shows[i].set(by)
				}
				c.pass(5 * time.Minute)
				late := time.Now().Add(-10 * time.Second)
				if n := len(c.find(func(r *ran) bool { return r.start.After(late) })); n < 30 {
					t.Errorf("%d runs in the last ten seconds, want about 60", n)
				}
				if c.count(observe.ClockOff) < len(clocks) {
					t.Errorf("%d ClockOff events of %d instances", c.count(observe.ClockOff), len(clocks))
				}
			})
		})
	}
}

// A schedule that was stored by a clock that was ahead runs, also when the
// time comes that the clock showed: the stored time then looks like one of a
// clock that is slightly ahead.
func TestClock_ScheduleFromFutureRuns(t *testing.T) {
	for _, unclaimed := range []bool{false, true} {
		bubble(t, func(c *cluster) {
			c.jobs = []elastic.Job{{Name: "report", Schedule: "* * * * * ?", Unclaimed: unclaimed}}
			clock := &wrongClock{}
			clock.set(30 * time.Second)
			c.start("a", clock.option())
			c.pass(time.Second / 2) // before it begins a fire at that time
			clock.set(0)
			right := time.Now().Truncate(time.Second)
			c.pass(time.Minute)
			if missing := c.missing("report", 0, right.Add(3*time.Second), right.Add(55*time.Second),
				time.Second); len(missing) > 0 {
				t.Errorf("unclaimed %t: fires that did not run after the clock was corrected: %v", unclaimed, missing)
			}
		})
	}
}

// A heartbeat that arrives late does not make a clock count as wrong.
func TestClock_SlowHeartbeatIsNotWrong(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = eachSecond()
		a := c.start("a")
		c.start("b")
		c.start("c")
		c.pass(3 * time.Minute)
		a.client.SlowWatches(20*time.Second, 0) // it sees the heartbeats of the others late
		c.pass(10 * time.Minute)
		if told := c.seen(observe.ClockOff); len(told) > 0 {
			t.Errorf("the events are %v", told)
		}
	})
}

// An instance without heartbeats is evicted. A store may fail to end a
// session; its key would stay, and its runs would never be taken over.
func TestClock_SilentInstanceIsEvicted(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Shards: 6, Failover: true}}
		mute := c.start("a")
		c.start("b")
		c.start("c")
		c.until("they share", func() bool { return c.balanced("report", "a", "b", "c") })
		mute.client.OnRequest(func(r memory.Request) memory.Fault {
			signs := slices.ContainsFunc(
				r.Txn.Do,
				func(op store.Op) bool { return layout.Prefix(op.Key) == layout.Heartbeats },
			)
			return memory.Fault{Refuse: r.Kind == memory.Transact && signs}
		})
		silent := time.Now()
		c.pass(4 * time.Minute)
		if c.count(observe.Evicted) > 0 {
			t.Errorf("it was evicted after %s, want five heartbeats", time.Since(silent))
		}
		c.pass(4 * time.Minute)
		if !c.balanced("report", "b", "c") {
			t.Errorf("the owners are %v after %s", c.owners("report"), time.Since(silent))
		}
		if c.count(observe.Evicted) != 1 {
			t.Errorf("%d Evicted events, want 1", c.count(observe.Evicted))
		}
		mute.evicted = append(mute.evicted, time.Now())
		mute.client.OnRequest(nil)
		c.until("it is back under another ID", func() bool { return c.balanced("report", "a", "b", "c") })
	})
}

// Many writes of one instance to its key do not make it evict the others.
func TestClock_ManyWritesEvictNoInstance(t *testing.T) {
	bubble(t, func(c *cluster) {
		a := c.start("a")
		c.start("b")
		for i := range 30 { // each changes a's key
			c.add(a, elastic.Job{Name: fmt.Sprint("job", i), Schedule: "0 0 * * * ?"})
			c.pass(time.Second)
		}
		c.pass(10 * time.Minute)
		if n := c.count(observe.Evicted) + c.count(observe.SessionLost); n > 0 {
			t.Errorf("%d instances were evicted", n)
		}
	})
}

// Shards go on when a clock that was an hour ahead is set back: the time of
// the next fire, an hour away, must not be when the instance looks next.
func TestClock_SetBackKeepsShardsRunning(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Shards: 2}}
		var ahead atomic.Int64
		c.start("a", elastic.WithTesting(elastic.Testing{Now: func() time.Time {
			return time.Now().Add(time.Duration(ahead.Load()))
		}}))
		c.pass(12 * time.Second)
		ahead.Store(int64(time.Hour))
		c.pass(13 * time.Second)
		ahead.Store(0)
		c.pass(20 * time.Second)
		for shard := range 2 {
			if r := c.record("report", shard); time.Since(r.Fire).Abs() > 10*time.Second {
				t.Errorf(
					"shard %d: the last fire is %s, 20 seconds after the clock was corrected; now it is %s",
					shard,
					r,
					stamp(time.Now()),
				)
			}
		}
	})
}

// A shard goes on although its record has a fire in the future, of a clock
// that was ahead.
func TestClock_FireFromFuture(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0/10 * * * * ?", Shards: 2, Failover: true}}
		ahead := time.Hour
		a := c.start("a", elastic.WithTesting(elastic.Testing{Now: func() time.Time { return time.Now().Add(ahead) }}))
		c.pass(15 * time.Second)
		_ = c.leave(a)
		now := time.Now()
		c.start("b")
		c.pass(25 * time.Second)
		if n := len(c.find(func(r *ran) bool { return r.start.After(now) })); n < 4 {
			t.Errorf("%d runs after the clock was corrected, want at least 4: %s", n, c.fires())
		}
		if n := c.count(observe.FutureFire); n != 2 {
			t.Errorf("%d events about fires in the future, want one for each shard", n)
		}
	})
}
