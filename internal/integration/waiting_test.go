package integration

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/elastictest"
	"github.com/elasticjob-go/elastic/observe"
)

// eventsOf returns the events of these kinds, in order.
func eventsOf(c *elastictest.Cluster, kinds ...observe.Kind) []elastic.Event {
	var all []elastic.Event
	for _, e := range c.Events() {
		for _, kind := range kinds {
			if e.Kind == kind {
				all = append(all, e)
			}
		}
	}
	return all
}

// A job whose labels no live instance has reports so once for the whole fleet,
// and once that it no longer waits.
func TestWaiting_LabelsWithoutInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := audited(t)
		job := elastic.Job{Name: "report", Schedule: "* * * * * ?", Requires: map[string]string{"zone": "mars"}}
		c.Add(job, elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil }))
		c.Start("a", "b", "c")
		c.Advance(3 * time.Minute)
		waiting := eventsOf(c, observe.Waiting, observe.WaitingOver)
		if len(waiting) != 1 {
			t.Fatalf("got %d events about waiting, want 1: %+v", len(waiting), waiting)
		}
		w := waiting[0]
		if w.Kind != observe.Waiting || w.Job != "report" || w.Shard != -1 ||
			w.Code != "no_instance_with_labels" || w.Args["requires"] != "zone=mars" || w.Detail == "" {
			t.Errorf("got %+v", w)
		}

		c.StartWith("d", elastic.WithLabels(map[string]string{"zone": "mars"}))
		c.Until("the job runs", func() bool { return len(c.Runs("report")) > 0 })
		over := eventsOf(c, observe.WaitingOver)
		if len(over) != 1 || over[0].Code != w.Code || over[0].Took < 3*time.Minute-10*time.Second {
			t.Errorf("got %+v, want one event about the end of the wait of three minutes", over)
		}
	})
}

// A stored job that differs from the one given to Add is a warning that names
// the fields with both values. Changes, disabling and enabling are events.
func TestChange_EventNamesFields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := audited(t)
		job := elastic.Job{Name: "report", Schedule: "0 * * * * ?", Shards: 2}
		done := elastic.HandlerFunc(func(context.Context, elastic.Run) error { return nil })
		c.Add(job, done)
		c.Start("a")
		c.Advance(10 * time.Second)
		give := func(instance string, options ...elastic.AddOption) {
			t.Helper()
			if err := c.Scheduler(instance).Unregister("report"); err != nil {
				t.Fatal(err)
			}
			if err := c.AddTo(instance, job, done, options...); err != nil {
				t.Fatal(err)
			}
			c.Advance(10 * time.Second)
		}
		job.Shards = 3
		c.Start("b")
		c.Advance(5 * time.Second)
		give("b")
		differs := eventsOf(c, observe.Differs)
		if len(differs) != 1 || differs[0].Code != "job_differs" || differs[0].Args["stored.shards"] != "2" ||
			differs[0].Args["given.shards"] != "3" || !differs[0].Alarm() {
			t.Errorf("got %+v", differs)
		}
		give("b", elastic.Overwrite())
		job.Disabled = true
		give("b", elastic.Overwrite())
		job.Disabled = false
		give("b", elastic.Overwrite())
		codes := map[string]int{}
		for _, e := range eventsOf(c, observe.Changed) {
			if e.Instance == c.ID("a") {
				codes[e.Code]++
				if e.Code == "job_changed" && (e.Args["was.shards"] != "2" || e.Args["is.shards"] != "3") {
					t.Errorf("got %+v", e)
				}
			}
		}
		if codes["job_changed"] != 1 || codes["job_disabled"] != 1 || codes["job_enabled"] != 1 {
			t.Errorf("a got the events %v", codes)
		}
	})
}

// A draining instance reports repeatedly what it waits for, and which handlers
// it leaves behind.
func TestDrain_ReportsWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := blocking(t)
		var leaving, stuck []elastic.Event
		s := plain(t, elastic.WithDrainTimeout(11*time.Second), elastic.WithEvents(func(e elastic.Event) {
			switch e.Kind {
			case observe.Leaving:
				leaving = append(leaving, e)
			case observe.Stuck:
				stuck = append(stuck, e)
			}
		}))
		s.MustAdd(elastic.Job{
			Name:     "report",
			Schedule: "* * * * * ?",
		}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
			block()
			return nil
		}))
		if took, err := leaves(t, s, 10*time.Second); err == nil || took > 11*time.Second+rest {
			t.Errorf("Run returned %v after %s", err, took)
		}
		if len(leaving) != 3 || leaving[0].Count != 1 || leaving[0].Detail != "waits for 1 handlers: report/0" {
			t.Errorf("got %+v", leaving)
		}
		if len(stuck) != 1 || stuck[0].Code != "stuck_while_leaving" || stuck[0].Job != "report" {
			t.Errorf("got %+v", stuck)
		}
	})
}

// Trigger right after the start of Run waits until it can write. For a job
// that no live instance has it returns an error at once.
func TestTrigger_RightAfterRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plain(t)
		var runs atomic.Int64
		s.MustAdd(elastic.Job{
			Name:     "report",
			Schedule: "@manual",
		}, elastic.HandlerFunc(func(context.Context, elastic.Run) error {
			runs.Add(1)
			return nil
		}))
		done := make(chan error, 1)
		go func() { done <- s.Run(t.Context()) }()
		if _, err := s.Trigger(t.Context(), "report"); err != nil {
			t.Errorf("Trigger right after Run: %v", err)
		}
		<-s.Ready()
		time.Sleep(5 * time.Second)
		if n := runs.Load(); n != 1 {
			t.Errorf("%d runs, want 1", n)
		}
		if err := s.Unregister("report"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Trigger(t.Context(), "report"); err == nil ||
			!strings.Contains(err.Error(), "no live instance has the job") {
			t.Errorf("Trigger for a job that no instance has: %v", err)
		}
		if _, err := s.Trigger(t.Context(), "nosuch"); err == nil || !strings.Contains(err.Error(), "there is no job") {
			t.Errorf("Trigger for a missing job: %v", err)
		}
		_ = s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Shards that wait for a limit longer than a period of their schedule, or than
// a minute where there is none, are reported together, once, and once when the
// wait is over. Shorter waits are not reported.
func TestWaiting_ShardsAtLimit(t *testing.T) {
	for _, row := range []struct {
		name   string
		job    elastic.Job
		took   time.Duration
		option elastic.Option
		code   string // empty means no event
		shards string
		period string
	}{
		{
			"of the job",
			elastic.Job{Schedule: "0 * * * * ?", Shards: 4, MaxConcurrent: 1},
			50 * time.Second,
			nil,
			"limit_of_job",
			"2-3",
			"1m0s",
		},
		{
			"of each half minute",
			elastic.Job{Schedule: "0/30 * * * * ?", Shards: 4, MaxConcurrent: 1},
			50 * time.Second,
			nil,
			"limit_of_job",
			"1-3",
			"30s",
		},
		{
			"of the instance",
			elastic.Job{Schedule: "0 * * * * ?", Shards: 4},
			50 * time.Second,
			elastic.WithMaxConcurrent(1),
			"limit_of_instance",
			"2-3",
			"1m0s",
		},
		{
			"without a schedule",
			elastic.Job{Schedule: "@manual", Shards: 3, MaxConcurrent: 1},
			70 * time.Second,
			nil,
			"limit_of_job",
			"1-2",
			"1m0s",
		},
		{
			"of an hourly job",
			elastic.Job{Schedule: "0 0 * * * ?", Shards: 4, MaxConcurrent: 1},
			10 * time.Minute,
			nil,
			"",
			"",
			"",
		},
		{"of none", elastic.Job{Schedule: "0 * * * * ?", Shards: 4}, 50 * time.Second, nil, "", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := audited(t)
				row.job.Name = "report"
				if row.job.Schedule != "@manual" && row.job.Schedule != "0 0 * * * ?" {
					row.job.End = time.Now().Add(80 * time.Second)
				}
				c.Add(row.job, returnsAfter(row.took, nil))
				options := []elastic.Option{elastic.WithJoinDelay(0)}
				if row.option != nil {
					options = append(options, row.option)
				}
				c.StartWith("a", options...)
				c.Advance(10 * time.Second)
				if row.job.Schedule == "@manual" {
					if _, err := c.Scheduler("a").Trigger(t.Context(), "report"); err != nil {
						t.Fatal(err)
					}
				}
				c.Advance(2 * time.Hour)
				waiting := eventsOf(c, observe.Waiting)
				over := eventsOf(c, observe.WaitingOver)
				checkEvents(t, c.Events())
				if row.code == "" {
					if len(waiting)+len(over) != 0 {
						t.Errorf("got the events %+v %+v, want none", waiting, over)
					}
					return
				}
				if len(waiting) != 1 || len(over) != 1 {
					t.Fatalf("got %+v, and %+v about its end; want one event each", waiting, over)
				}
				w := waiting[0]
				if w.Code != row.code || w.Args["limit"] != "1" || w.Args["shards"] != row.shards ||
					w.Args["for"] != row.period {
					t.Errorf("got %+v", w)
				}
				if over[0].Code != row.code || over[0].Took <= time.Minute {
					t.Errorf("got %+v", over[0])
				}
			})
		})
	}
}

// Shards that are disabled when an instance first sees their job are reported,
// as a disabled job is.
func TestChange_ReportsDisabledShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := audited(t)
		c.Add(elastic.Job{
			Name:           "some",
			Schedule:       everySecond,
			Shards:         6,
			DisabledShards: []int{5, 1, 2},
		}, returnsAfter(0, nil))
		c.Add(elastic.Job{
			Name:           "all",
			Schedule:       everySecond,
			Shards:         2,
			Disabled:       true,
			DisabledShards: []int{1},
		}, returnsAfter(0, nil))
		c.Start("a")
		c.Advance(10 * time.Second)
		told := map[string]elastic.Event{}
		for _, e := range eventsOf(c, observe.Changed) {
			if _, twice := told[e.Job]; twice {
				t.Errorf("the second event: %+v", e)
			}
			told[e.Job] = e
		}
		if e := told["some"]; e.Code != "shards_disabled" || e.Args["shards"] != "1-2, 5" {
			t.Errorf("got %+v", e)
		}
		if e := told["all"]; e.Code != "job_disabled" {
			t.Errorf("got %+v", e)
		}
	})
}
