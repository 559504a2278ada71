package integration

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/observe"
)

// times returns when the runs began, since the start of the bubble.
func (c *cluster) times() string {
	zero := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	var began []time.Duration
	for _, r := range c.find(func(*ran) bool { return true }) {
		began = append(began, r.start.Sub(zero).Round(time.Second))
	}
	return fmt.Sprint(began)
}

// A job fires within its bounds, and not on the days that it excludes.
func TestSchedule_BoundsAndExceptions(t *testing.T) {
	at := func(day, hour int) time.Time { return time.Date(2000, 1, day, hour, 0, 0, 0, time.UTC) }
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{
			Name:     "report",
			Schedule: "0 0 0/6 * * ?",
			Start:    at(1, 9),
			End:      at(4, 9),
			Except:   []string{"SUN", "2000-01-03..2000-01-03"},
		}}
		c.start("a", elastic.WithSessionTTL(time.Hour)) // so that days of virtual time have few renewals
		c.pass(4 * 24 * time.Hour)
		var fires []string
		for _, r := range c.find(func(*ran) bool { return true }) {
			fires = append(fires, r.fire.Format("2 15h"))
		}
		if got, want := strings.Join(fires, ", "), "1 12h, 1 18h, 4 00h, 4 06h"; got != want {
			t.Errorf("fired on the days %s, want %s", got, want)
		}
	})
}

// A fixed delay counts from the end of the last run, also after a take-over.
func TestSchedule_FixedDelay(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "poll", Schedule: "@after 10s", Failover: true}}
		c.opts = []elastic.Option{elastic.WithJoinDelay(0)} // the job is created at once
		c.does(sleepFor(7 * time.Second))
		a := c.start("a")
		c.pass(40 * time.Second)
		if got := c.times(); got != "[10s 27s]" {
			t.Errorf("runs began at %s, want [10s 27s]", got)
		}
		// Another instance takes over during a run, and counts from the end
		// of\n\t\t// that run.
		c.until("it runs", func() bool { return c.running(a, 0) })
		b := c.start("b")
		a.stop()
		c.pass(30 * time.Second)
		if got := c.times(); got != "[10s 27s 44s 1m1s]" {
			t.Errorf("runs began at %s, want [10s 27s 44s 1m1s]", got)
		}
		if last := c.find(func(r *ran) bool { return r.node == b }); len(last) != 1 {
			t.Errorf("b ran it %d times, want once", len(last))
		}
		c.pass(5 * time.Second)
	})
}

// A job with an instant as its schedule fires once.
func TestSchedule_InstantFiresOnce(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "new year", Schedule: "@at 2000-01-01T08:01:00+08:00", Shards: 2}}
		c.jobs[0].Name = "new-year"
		c.start("a")
		c.pass(time.Hour)
		if got := c.times(); got != "[1m0s 1m0s]" {
			t.Errorf("runs began at %s, want both shards at 1m0s", got)
		}
	})
}

// Jitter spreads the starts of shards and keeps the times of fires. Every
// instance computes the same delays.
func TestSchedule_JitterSpreadsStarts(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 * * * * ?", Shards: 20, Jitter: 30 * time.Second}}
		a := c.start("a")
		c.pass(119 * time.Second)
		started := map[time.Duration]bool{}
		offset := map[int]time.Duration{}
		for _, r := range c.find(func(*ran) bool { return true }) {
			late := r.start.Sub(r.fire)
			started[late.Round(time.Second)], offset[r.shard] = true, late
			if r.fire.Second() != 0 || late < 0 || late >= 30*time.Second {
				t.Errorf("shard %d began the fire of %s at %s", r.shard, stamp(r.fire), stamp(r.start))
			}
		}
		if len(started) < 8 {
			t.Errorf("20 shards began in %d different seconds, want more", len(started))
		}
		// Another instance computes the same delays.
		b := c.start("b")
		_ = c.leave(a)
		c.pass(2 * time.Minute)
		for _, r := range c.find(func(r *ran) bool { return r.node == b }) {
			if late := r.start.Sub(r.fire); late != offset[r.shard] {
				t.Errorf("shard %d began %s late on b, %s on a", r.shard, late, offset[r.shard])
			}
		}
	})
}

// A job without further fires is not stored.
func TestSchedule_OverIsNotStored(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{
			{Name: "over", Schedule: "0 0 3 * * ? 1999"},
			{Name: "sound", Schedule: "0/10 * * * * ?"},
		}
		c.start("a")
		c.pass(15 * time.Second)
		refused := c.seen(observe.Refused)
		if len(refused) != 1 || refused[0].Job != "over" || !errors.Is(refused[0].Err, cron.ErrNever) {
			t.Errorf("refused: %v, want the job without further fires, once", refused)
		}
		if spec := c.spec("over"); spec.Shards != 0 {
			t.Errorf("the refused job is stored: %+v", spec)
		}
		if got := c.times(); got != "[10s]" {
			t.Errorf("runs of the other job began at %s, want [10s]", got)
		}
	})
}

// The Scheduled event describes the schedule in words and has the next fire.
func TestSchedule_LoggedInWords(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "report", Schedule: "0 15 10 ? * 2-6", TimeZone: "Asia/Shanghai"}}
		c.start("a")
		c.pass(2 * time.Minute)
		told := c.seen(observe.Scheduled)
		if len(told) != 1 || !strings.Contains(told[0].Detail, "Monday to Friday") ||
			!strings.Contains(told[0].Detail, "2000-01-03") {
			t.Errorf("got %v, want one event with the weekdays in words and the next fire", told)
		}
	})
}

// Fires that are skipped because of a run are reported.
func TestSchedule_SkippedFiresAreReported(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "slow", Schedule: "0/10 * * * * ?", Overlap: elastic.OverlapSkip}}
		c.does(sleepFor(25 * time.Second))
		c.start("a")
		c.pass(39 * time.Second)
		missed := c.seen(observe.Missed)
		if len(missed) != 1 || missed[0].Fire.Second() != 20 {
			t.Errorf("reported as missed: %v, want one event from :20 on", missed)
		}
	})
}
