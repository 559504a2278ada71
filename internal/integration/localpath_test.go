package integration

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
)

// What a job without claims does is decided on a shorter way than what other
// jobs do. It must come out the same: for all policies, and for handlers of
// every kind, both kinds of jobs have the same fires, with the same events.
func TestLocal_SameAsWithClaims(t *testing.T) {
	handlers := map[string]elastic.HandlerFunc{
		"quick": nothing,
		"long":  sleepFor(2400 * time.Millisecond),
		"now and then long": func(ctx context.Context, run elastic.Run) error {
			if run.Fire.Second()%7 == 0 {
				return sleepFor(3300*time.Millisecond)(ctx, run)
			}
			return nil
		},
		"hostile": func(_ context.Context, run elastic.Run) error {
			switch run.Fire.Second() % 6 {
			case 1:
				panic("no")
			case 2:
				runtime.Goexit()
			case 3:
				return errors.New("failed")
			case 4:
				return elastic.Skip("nothing to do")
			case 5:
				return panickingError{}
			}
			return nil
		},
		"deaf": func(_ context.Context, run elastic.Run) error {
			if run.Fire.Second()%20 == 5 {
				time.Sleep(12*time.Second + 100*time.Millisecond)
			}
			return nil
		},
	}
	jobs := map[string]elastic.Job{
		"plain":   {},
		"skip":    {Overlap: elastic.OverlapSkip},
		"replace": {Overlap: elastic.OverlapReplace},
		"all":     {Misfire: elastic.MisfireAll, MisfireWindow: 4 * time.Second},
		"late":    {Misfire: elastic.MisfireSkip, MisfireWindow: 1500 * time.Millisecond},
		"jitter":  {Jitter: 700 * time.Millisecond},
		"jitters": {Jitter: 700 * time.Millisecond, Overlap: elastic.OverlapSkip},
		"timeout": {Timeout: 1600 * time.Millisecond},
		"retries": {Retries: 2, RetryDelay: 100 * time.Millisecond, RetryMaxDelay: 100 * time.Millisecond},
		"after":   {Schedule: "@after 1s"},
	}
	for what, handler := range handlers {
		for name, job := range jobs {
			t.Run(what+" "+name, func(t *testing.T) {
				if job.Schedule == "" {
					job.Schedule = "* * * * * ?"
				}
				job.Name = "report"
				job.Shards = 3
				job.Unclaimed = true
				got := localStory(t, job, handler)
				job.Unclaimed = false
				want := localStory(t, job, handler)
				if len(want) < 10 {
					t.Errorf("only %d events: %q", len(want), want)
				}
				if i := firstDifference(got, want); i >= 0 {
					t.Errorf("event %d differs without claims:\ngot  %q\nwant %q",
						i, got[i:min(i+6, len(got))], want[i:min(i+6, len(want))])
				}
			})
		}
	}
}

type panickingError struct{}

func (panickingError) Error() string { panic("no text") }

// localStory runs a job for half a minute and returns its events, those of each
// shard in order.
func localStory(t *testing.T, job elastic.Job, handler elastic.HandlerFunc) (lines []string) {
	t.Helper()
	bubble(t, func(c *cluster) {
		c.work = handler
		c.jobs = []elastic.Job{job}
		c.start("a", elastic.WithTesting(elastic.Testing{Random: func(d time.Duration) time.Duration { return d / 2 }}))
		c.pass(31 * time.Second)
		c.mu.Lock()
		defer c.mu.Unlock()
		kinds := []observe.Kind{observe.Began, observe.Ended, observe.Retrying, observe.Panicked, observe.Stuck}
		began := c.events[0].Time
		for _, e := range c.events {
			if e.Kind == observe.Missed {
				lines = append(lines, fmt.Sprintf("missed %s %d %s", stamp(e.Fire), e.Count, e.Code))
			}
			if slices.Contains(kinds, e.Kind) && e.Time.Sub(began) < 29*time.Second {
				lines = append(lines, fmt.Sprintf("shard %d %s %s %s %s took %s",
					e.Shard, stamp(e.Fire), e.Kind, e.Result, e.Code, e.Took.Round(50*time.Millisecond)))
			}
		}
	})
	// Shards that are due together begin in any order, and report the fires
	// that they miss together or one by one.
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(a[:7], b[:7]) })
	missed := slices.IndexFunc(lines, func(l string) bool { return !strings.HasPrefix(l, "missed") })
	slices.Sort(lines[:max(missed, 0)])
	return slices.Compact(lines)
}

func firstDifference(a, b []string) int {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			return i
		}
	}
	return -1
}
