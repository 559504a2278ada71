package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store/memory"
)

// chain is a job of three shards and one of two that follows it.
func chain() []elastic.Job {
	return []elastic.Job{
		{
			Name:     "collect",
			Schedule: "0/10 * * * * ?",
			Shards:   3,
			Failover: true,
			Misfire:  elastic.MisfireAll,
		},
		{
			Name:     "report",
			After:    []string{"collect"},
			Shards:   2,
			Failover: true,
			Misfire:  elastic.MisfireAll,
		},
	}
}

// ordered fails the test where a job ran for a fire that another had not ended,
// or did not run for one that it had.
func (c *cluster) ordered(first, second string, shards int, until time.Time) {
	c.t.Helper()
	ended := map[time.Time]map[int]time.Time{}
	for _, r := range c.find(func(r *ran) bool { return r.job == first && r.err == nil && !r.died && !r.end.IsZero() }) {
		if ended[r.fire] == nil {
			ended[r.fire] = map[int]time.Time{}
		}
		ended[r.fire][r.shard] = r.end
	}
	followed := map[string]bool{}
	for _, r := range c.find(func(r *ran) bool { return r.job == second }) {
		followed[fmt.Sprint(r.fire.Unix(), r.shard)] = true
		if len(ended[r.fire]) != shards {
			c.t.Errorf("%s ran the fire of %s, but only %d shards of %s had ended it", second, stamp(r.fire),
				len(ended[r.fire]), first)
		}
		for shard, end := range ended[r.fire] {
			if end.After(r.start) {
				c.t.Errorf(
					"%s/%d began the fire of %s at %s, before %s/%d ended it at %s",
					second,
					r.shard,
					stamp(r.fire),
					stamp(r.start),
					first,
					shard,
					stamp(end),
				)
			}
		}
	}
	for fire, by := range ended {
		for shard := range 2 {
			if len(by) == shards && fire.Before(until) && !followed[fmt.Sprint(fire.Unix(), shard)] {
				c.t.Errorf("%s/%d did not run the fire of %s", second, shard, stamp(fire))
			}
		}
	}
}

// A job that follows another runs for a fire once all shards of the other have
// succeeded at it.
func TestAfter_RunsWhenAllShardsSucceeded(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = chain()
		c.does(func(ctx context.Context, run elastic.Run) error {
			if run.Job == "collect" && run.Shard == 1 && run.Fire.Second() == 20 {
				return errors.New("no connection")
			}
			return sleepFor(time.Duration(1+run.Shard)*time.Second)(ctx, run)
		})
		c.start("a")
		c.start("b")
		c.pass(59 * time.Second)
		var fires []string
		for _, r := range c.find(func(r *ran) bool { return r.job == "report" && r.shard == 0 }) {
			fires = append(fires, fmt.Sprintf("%02d at %02d", r.fire.Second(), r.start.Second()))
		}
		if got, want := strings.Join(fires, ", "), "10 at 13, 30 at 33, 40 at 43, 50 at 53"; got != want {
			t.Errorf("it ran for %s; want %s, without :20, which failed", got, want)
		}
		c.ordered("collect", "report", 3, time.Now().Add(-15*time.Second))
		for _, e := range c.server.Dump() {
			if strings.HasPrefix(e.Key, "runs/report") && strings.Contains(string(e.Value), `"done"`) {
				t.Errorf("no job follows this one, but its record remembers fires: %s", e.Value)
			}
		}
	})
}

// With AfterEnded a job also follows fires whose runs failed.
func TestAfter_EndedIncludesFailures(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{
			{Name: "collect", Schedule: "0/10 * * * * ?", Shards: 2},
			{Name: "tidy", After: []string{"collect"}, AfterEnds: elastic.AfterEnded},
		}
		c.does(func(ctx context.Context, run elastic.Run) error {
			if run.Job == "collect" && run.Shard == 1 {
				return errors.New("no connection")
			}
			return nil
		})
		c.start("a")
		c.pass(35 * time.Second)
		if n := len(c.find(func(r *ran) bool { return r.job == "tidy" })); n != 3 {
			t.Errorf("it ran %d times, want 3", n)
		}
	})
}

// A job that follows several runs only for fires that all of them have ended.
func TestAfter_SeveralJobs(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{
			{Name: "often", Schedule: "0/10 * * * * ?"},
			{Name: "rarely", Schedule: "0/30 * * * * ?"},
			{Name: "both", After: []string{"often", "rarely"}},
			{Name: "last", After: []string{"both"}},
		}
		c.start("a")
		c.start("b")
		c.pass(95 * time.Second)
		for _, job := range []string{"both", "last"} {
			if n := len(c.find(func(r *ran) bool { return r.job == job && r.fire.Second()%30 == 0 })); n != 3 {
				t.Errorf("%s ran %d times for fires of both jobs, want 3", job, n)
			}
			if n := len(c.find(func(r *ran) bool { return r.job == job && r.fire.Second()%30 != 0 })); n != 0 {
				t.Errorf("%s ran %d times for fires of one job only, want 0", job, n)
			}
		}
	})
}

// Every fire that ended is followed once, and none before it has ended,
// whichever instance crashes, and at whichever moment.
func TestAfter_SurvivesCrashes(t *testing.T) {
	for seed := range uint64(scaled(20, 5)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(c *cluster) {
				r := rand.New(rand.NewPCG(seed, 7))
				c.jobs = chain()
				c.does(func(ctx context.Context, run elastic.Run) error {
					return sleepFor(time.Duration(500+300*run.Shard)*time.Millisecond)(ctx, run)
				})
				nodes := []*node{c.start("a"), c.start("b"), c.start("c")}
				for range 8 {
					c.pass(time.Duration(r.IntN(12_000)) * time.Millisecond)
					i := r.IntN(3)
					if r.IntN(2) == 0 {
						c.crash(nodes[i])
					} else {
						_ = c.leave(nodes[i])
					}
					c.pass(time.Duration(r.IntN(4000)) * time.Millisecond)
					nodes[i] = c.start(nodes[i].name)
				}
				c.pass(40 * time.Second)
				c.ordered("collect", "report", 3, time.Now().Add(-15*time.Second))
			})
		})
	}
}

// A follower that is added later runs for the fires from then on.
func TestAfter_NewFollowerSkipsThePast(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = chain()[:1]
		c.start("a")
		c.pass(35 * time.Second)
		b := c.start("b")
		c.add(b, chain()[1])
		c.pass(30 * time.Second)
		runs := c.find(func(r *ran) bool { return r.job == "report" && r.shard == 0 })
		if len(runs) != 3 || runs[0].fire.Second() != 40 {
			t.Errorf("%d runs, the first for %v; want 3 from :40 on", len(runs), runs)
		}
		c.overwrite("report", func(s *layout.Spec) { s.After = []string{"other"} })
		c.pass(30 * time.Second)
		if n := len(c.find(func(r *ran) bool { return r.job == "report" && r.shard == 0 })); n != 3 {
			t.Errorf("%d runs after it follows a missing job, want 3", n)
		}
	})
}

// A claim for a fire of a followed job is refused if that job's number of
// shards has changed: its shards may not all have ended the fire.
func TestAfter_ReshardRefusesStaleClaims(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = chain()
		refused := ""
		c.startWith("a", func(r memory.Request) memory.Fault {
			if r.Kind == memory.Transact && refused == "" &&
				strings.HasPrefix(r.Txn.Do[0].Key, layout.RunsOf("report")) {
				refused = stamp(time.Now())
				c.overwrite("collect", func(s *layout.Spec) { s.Shards = 4 })
			}
			return memory.Fault{}
		})
		c.pass(36 * time.Second)
		if runs := c.find(func(r *ran) bool {
			return r.job == "report" && r.fire.Second() == 10
		}); refused == "" || len(runs) != 0 {
			t.Errorf("the number of shards changed at %q, during the claim for :10: %v", refused, runs)
		}
		for _, second := range []int{20, 30} {
			if n := len(c.find(func(r *ran) bool { return r.job == "report" && r.fire.Second() == second })); n != 2 {
				t.Errorf("%d of its shards ran for :%d, want 2", n, second)
			}
		}
	})
}

// Settings that a job which follows others cannot have are refused.
func TestAfter_InvalidSettings(t *testing.T) {
	for want, job := range map[string]elastic.Job{
		"leave schedule, start, end and except out":   {Schedule: "@daily"},
		"after: the job can't follow itself":          {After: []string{"report"}},
		`after: the name "a b" must hold only`:        {After: []string{"a b"}},
		"after ends: must be one of succeeded, ended": {AfterEnds: "perhaps"},
		"misfire: must be once or all":                {Misfire: elastic.MisfireSkip},
		"overlap: must be queue or replace":           {Overlap: elastic.OverlapSkip},
		"unclaimed: a job that follows others needs":  {Unclaimed: true},
		"after: must name at most 10 jobs, has 11":    {After: strings.Fields("a b c d e f g h i j k")},
	} {
		job.Name = "report"
		if job.After == nil {
			job.After = []string{"collect"}
		}
		if err := job.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := (elastic.Job{
		Name:      "report",
		Schedule:  "@daily",
		AfterEnds: elastic.AfterEnded,
	}).Validate(); err == nil || !strings.Contains(err.Error(), "after ends: needs jobs to follow") {
		t.Errorf("got %v", err)
	}
}

// A job that follows a frequent job and a slow one runs for each fire that
// both have, though the frequent job ends many others in between.
func TestAfter_FrequentAndSlowJob(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{
			{Name: "tick", Schedule: "* * * * * ?"},
			{Name: "slow", Schedule: "0 * * * * ?"},
			{Name: "close", After: []string{"tick", "slow"}},
		}
		c.does(func(ctx context.Context, run elastic.Run) error {
			if run.Job == "slow" {
				return sleepFor(50*time.Second)(ctx, run)
			}
			return nil
		})
		c.start("a")
		c.pass(5*time.Minute + 55*time.Second)
		if n := len(c.find(func(r *ran) bool { return r.job == "close" })); n != 5 {
			t.Errorf("it ran %d times, want 5", n)
		}
	})
}

// However long the slow job takes, the fires that the other job ended are
// remembered: evenly spaced fires take constant room.
func TestAfter_SlowJobSpansHundredsOfFires(t *testing.T) {
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{
			{Name: "tick", Schedule: "0/5 * * * * ?"},
			{Name: "slow", Schedule: "0 0/30 * * * ?"},
			{Name: "close", After: []string{"tick", "slow"}},
		}
		c.does(func(ctx context.Context, run elastic.Run) error {
			if run.Job == "slow" {
				return sleepFor(20*time.Minute)(ctx, run)
			}
			return nil
		})
		c.start("a")
		c.pass(85 * time.Minute)
		if n := len(c.find(func(r *ran) bool { return r.job == "close" })); n != 2 {
			t.Errorf("it ran %d times, want 2", n)
		}
	})
}
